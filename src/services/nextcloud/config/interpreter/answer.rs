//! What `read_config.php` prints, made into values.

use super::InterpreterError;
use crate::services::nextcloud::config::php::{Array, Key, Value};
use serde::Deserialize;
use serde_json::Value as Json;
use std::path::Path;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
struct Answer {
    /// Key, file, value.
    values: Option<Vec<(Json, String, Json)>>,
    withheld: Option<String>,
    error: Option<String>,
    #[serde(default)]
    file: String,
    #[serde(default)]
    line: u32,
}

/// The elements of `$CONFIG` in what stands behind `mark` in PHP's output.
pub(super) fn parse(output: &[u8], mark: &str) -> Result<Array, InterpreterError> {
    let text = String::from_utf8_lossy(output);
    let answer = text.rsplit_once(mark).map(|(_, answer)| answer.trim());
    let answer: Option<Answer> = answer.and_then(|answer| serde_json::from_str(answer).ok());
    let answer = answer.ok_or(InterpreterError::Ended)?;
    if let Some(name) = answer.withheld {
        return Err(InterpreterError::Withheld(name));
    }
    if let Some(class) = answer.error {
        return Err(InterpreterError::Stopped { class, file: answer.file, line: answer.line });
    }
    let mut config = Array::default();
    for (key, file, value) in answer.values.ok_or(InterpreterError::Ended)? {
        let file = Path::new(&file);
        config.set_by_php(
            to_key(&key).ok_or(InterpreterError::Ended)?,
            to_value(value, file),
            file,
        );
    }
    Ok(config)
}

fn to_key(key: &Json) -> Option<Key> {
    match key {
        Json::String(text) => Some(Key::String(text.clone())),
        number => number.as_i64().map(Key::Int),
    }
}

/// None for what is no plain value: objects, resources, text that is not UTF-8.
fn to_value(value: Json, file: &Path) -> Option<Value> {
    Some(match value {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(bool),
        Json::Number(number) => match number.as_i64() {
            Some(int) => Value::Int(int),
            None => Value::Float(number.as_f64()?),
        },
        Json::String(text) => Value::String(text),
        Json::Array(_) => return None,
        Json::Object(mut object) => {
            let Some(Json::Array(elements)) = object.remove("array") else { return None };
            let mut array = Array::default();
            for element in elements {
                let Json::Array(mut pair) = element else { return None };
                let (value, key) = (pair.pop()?, pair.pop()?);
                array.set_by_php(to_key(&key)?, to_value(value, file), file);
            }
            Value::Array(array)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_behind_the_mark_are_read() {
        let output =
            b"noise MARK{}\nMARK{\"values\":[[\"a\",\"/f\",1.0],[\"b\",\"/f\",{\"array\":[[0,\
            \"x\"],[\"k\",{\"unknown\":true}]]}]]}\n";
        let config = parse(output, "MARK").unwrap();
        assert_eq!(config.get("a"), Some(&Value::Float(1.0)));
        let list = config.get("b").unwrap();
        assert_eq!((list.get("0"), list.get("k")), (Some(&Value::from("x")), None));
        assert!(config.place("a").unwrap().is_by_php());
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let error = |output: &str| parse(output.as_bytes(), "MARK").unwrap_err().to_string();
        assert!(error("MARK{\"ended\":true}").contains("ended without values"));
        assert!(error("Fatal error: hunter2").contains("ended without values"));
        assert!(error("MARK{\"withheld\":\"REDIS_URL\"}").contains("REDIS_URL"));
        let stopped = error("MARK{\"error\":\"TypeError\",\"file\":\"/c.php\",\"line\":7}");
        assert!(stopped.contains("/c.php line 7 with TypeError"), "{stopped}");
    }
}
