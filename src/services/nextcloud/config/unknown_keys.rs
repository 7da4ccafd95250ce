//! Tests of keys that the reader leaves unknown: what PHP is asked, and what follows without PHP.

use super::{
    interpreter::{InterpreterError, InterpreterRequest, PhpInterpreter},
    php::{Array, Key, Value},
};
use crate::{
    config::{EnvironmentVariables, SettingSource, SystemProbes},
    services::nextcloud::settings::{ConfigFileLayer, ConfigFileRequest},
};
use std::{cell::RefCell, collections::BTreeMap, path::Path};

/// Answers with these values, or with no answer, and remembers the environment.
struct StandIn {
    values: Option<&'static [(&'static str, &'static str)]>,
    environment: RefCell<Option<BTreeMap<String, String>>>,
}

impl PhpInterpreter for StandIn {
    fn evaluate(&self, request: &InterpreterRequest<'_>) -> Result<Array, InterpreterError> {
        *self.environment.borrow_mut() = Some(request.environment.clone());
        let mut answer = Array::default();
        for (key, value) in self.values.ok_or(InterpreterError::Missing)? {
            let key = Key::String((*key).to_owned());
            answer.set_by_php(key, Some(Value::from(*value)), Path::new("/config.php"));
        }
        Ok(answer)
    }
}

type Asked = Option<BTreeMap<String, String>>;

fn read(
    content: &str,
    variables: &[(&str, &str)],
    values: Option<&'static [(&'static str, &'static str)]>,
) -> (ConfigFileLayer, Asked) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.php");
    std::fs::write(&path, format!("<?php\n$CONFIG = ['dbtype' => 'mysql'];\n{content}")).unwrap();
    let variables = variables.iter().map(|&(name, value)| (name.into(), value.into()));
    let environment = EnvironmentVariables::read(variables.collect(), &SystemProbes::NONE).unwrap();
    let stand_in = StandIn { values, environment: RefCell::default() };
    let request = ConfigFileRequest {
        path: Some(&path),
        glob: false,
        environment: &environment,
        exists: &|_| false,
    };
    let layer = super::read(&request, &stand_in).unwrap();
    (layer, stand_in.environment.into_inner())
}

#[test]
fn php_is_asked_only_where_a_needed_key_is_unknown() {
    let (_, asked) = read("$CONFIG['logfile'] = strrev('x');", &[], None);
    assert_eq!(asked, None);
    let variables = [("NC_dbhost", "h")];
    let (_, asked) = read("$CONFIG['dbhost'] = strrev('x');", &variables, None);
    assert_eq!(asked, None, "a variable gives it");
    let answer = Some([("dbtype", "mysql"), ("secret", "from PHP")].as_slice());
    let (layer, asked) = read("$CONFIG['secret'] = strrev('x');", &[], answer);
    assert!(asked.is_some());
    let secret = layer.secret.unwrap().unwrap();
    assert_eq!(secret.value.expose(), "from PHP");
    assert!(matches!(secret.source, SettingSource::Php { .. }));
    assert!(secret.source.to_string().starts_with("PHP, "), "{}", secret.source);
    assert_eq!(layer.warnings, Vec::<String>::new());
    let engine = layer.engine.unwrap().unwrap();
    assert!(engine.source.to_string().contains(" line 2: "), "{}", engine.source);
}

#[test]
fn php_gets_the_environment_without_our_secrets() {
    let variables = [("DBH", "x"), ("DATABASE_URL", "hunter2"), ("REDIS_URL_FILE", "/f")];
    let (_, asked) = read("$CONFIG['secret'] = strrev('x');", &variables, None);
    let names: Vec<_> = asked.unwrap().into_keys().collect();
    assert_eq!(names, ["DBH"]);
}

#[test]
fn a_value_that_php_gives_otherwise_is_php_s_and_warned_of() {
    let answer = Some([("dbtype", "pgsql"), ("secret", "x")].as_slice());
    let (layer, _) = read("$CONFIG['secret'] = strrev('x');", &[], answer);
    assert_eq!(layer.warnings.len(), 1);
    assert!(
        layer.warnings[0].contains("PHP gives another value for dbtype"),
        "{:?}",
        layer.warnings
    );
    assert!(
        matches!(layer.engine, Ok(Some(found)) if matches!(found.source, SettingSource::Php { .. }))
    );
}

#[test]
fn an_unknown_key_is_refused_with_place_key_and_remedy() {
    let content = "\n$CONFIG['redis'] = strrev('x');";
    let (layer, _) = read(content, &[], None);
    let error = layer.redis.unwrap_err().to_string();
    for part in ["config.php line 4: redis", "no php in PATH", "flag or environment variable"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(layer.warnings.len(), 1, "{:?}", layer.warnings);
    assert!(layer.warnings[0].contains("line 4: left out redis"), "{:?}", layer.warnings);
}

#[test]
fn an_absent_redis_is_another_thing_than_an_unknown_one() {
    assert!(matches!(read("", &[], None).0.redis, Ok(None)));
    let content = "function more() { return []; }\n$CONFIG = array_merge($CONFIG, more());";
    let (layer, _) = read(content, &[], None);
    let error = layer.redis.unwrap_err().to_string();
    assert!(error.contains("line 4: notify_push_redis.cluster could not"), "{error}");
    let error = layer.engine.unwrap_err().to_string();
    assert!(error.contains("line 4: dbtype could not") && error.contains(" redis,"), "{error}");
    let one = "line 4: left out dbtype, any other key: ";
    assert!(layer.warnings.iter().any(|text| text.contains(one)), "{:?}", layer.warnings);
}

#[test]
fn a_bad_element_of_trusted_proxies_costs_only_itself() {
    let content = "$CONFIG['trusted_proxies'] = ['10.0.0.0/8', strrev('x'), 7, '192.168.0.1'];";
    let (layer, _) = read(content, &[], None);
    let trusted = layer.trusted_proxies.unwrap().unwrap().value;
    let trusted: Vec<_> = trusted.iter().map(ToString::to_string).collect();
    assert_eq!(trusted, ["10.0.0.0/8", "192.168.0.1/32"]);
    let about = |key: &str| layer.warnings.iter().filter(|text| text.contains(key)).count();
    assert!(about("trusted_proxies.1") > 0 && about("trusted_proxies.2") > 0);
}

#[test]
fn a_url_without_a_host_takes_that_of_the_trusted_domain_or_none() {
    let url = |value: &str| {
        let content = format!(
            "$CONFIG['trusted_domains'] = ['cloud.example.org', 'intranet'];\n\
             $CONFIG['overwrite.cli.url'] = {value};"
        );
        read(&content, &[], None).0.url.map(|found| found.unwrap().value.to_string())
    };
    for (value, expected) in [
        ("'/cloud'", "https://cloud.example.org/cloud/"),
        ("'/'", "https://cloud.example.org/"),
        ("''", "https://cloud.example.org/"),
        ("'http:/cloud.example.org/nc'", "http://cloud.example.org/nc/"),
        ("'https:cloud.example.org'", "https://cloud.example.org/"),
        ("'intranet'", "https://intranet/"),
        ("'c.test/nc'", "https://c.test/nc/"),
        ("'localhost:8080'", "http://localhost:8080/"),
        ("'http://any/x'", "http://any/x/"),
    ] {
        assert_eq!(url(value).unwrap(), expected, "{value}");
    }
    for value in
        ["true", "'http:/h'", "'cloud'", "'cloud/x'", "'http:'", "'http:///h'", "1", "'//h'"]
    {
        let error = url(value).unwrap_err().to_string();
        assert!(error.contains("overwrite.cli.url: "), "{value}: {error}");
    }
    let (layer, _) = read("$CONFIG['overwrite.cli.url'] = '/cloud';", &[], None);
    assert!(layer.url.unwrap_err().to_string().contains("and a host"));
}
