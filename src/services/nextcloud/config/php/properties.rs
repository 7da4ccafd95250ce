//! What holds for every file whatever is in it: reading it ends, without a panic; and what is
//! written as a literal is what is read.

use super::{
    PhpError, ReadOptions,
    array::{Array, Key},
    files::Files,
    load,
    value::{Place, Value},
};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

/// Every file that is asked for is this one.
struct Everywhere<'a>(&'a [u8]);

impl Files for Everywhere<'_> {
    fn read(&self, _: &Path, _: usize) -> io::Result<Vec<u8>> {
        Ok(self.0.to_vec())
    }
    fn is_file(&self, _: &Path) -> bool {
        true
    }
    fn is_directory(&self, _: &Path) -> bool {
        false
    }
    fn names(&self, _: &Path) -> Vec<String> {
        vec!["a.config.php".into()]
    }
    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }
}

fn read(bytes: &[u8]) -> Result<load::Loaded, PhpError> {
    let environment = BTreeMap::from([("X".to_owned(), "x".to_owned())]);
    let options = ReadOptions { glob: true, environment: &environment };
    load::read_from(&Everywhere(bytes), Path::new("/config.php"), &options)
}

/// Every piece of PHP that this reader has a rule for, and some that it has none for.
const PIECES: &str = "<?php ?> <?= $CONFIG $a $$ $CONFIG['a'] $a['b'][] \"$a[b]\" \"{$a['b']}\" \
    \"${a}\" 'x' \"x\" `x` 'x \"x 1 -1 0x1f 1.5 .5 1e9 089 true null = += .= ??= => -> ?-> :: ?: ?? \
    ? : && || ! == === < > <=> . + - * ** / % & | ^ ~ << >> @ ( ) [ ] { } , ; ... #[ # // /* */ \
    array( isset( empty( list( getenv( getenv('X') trim( explode( str_replace( array_merge( f( \
    define( constant( file_get_contents( require include_once 'config.php' return if( else elseif( \
    : endif; foreach( as while( for( do switch( case default: break; continue; try catch finally \
    function fn static new class match( namespace use const unset( exit and or xor instanceof \
    (int) (array) (string) __DIR__ PHP_EOL \\A\\B A::B print throw clone yield echo goto a: \
    <<<E\nE; <<<'E'\n \nE";

fn soup() -> impl Strategy<Value = String> {
    let pieces: Vec<&str> = PIECES.split(' ').collect();
    let blank = prop_oneof![Just(""), Just(" "), Just("\n")];
    prop::collection::vec((prop::sample::select(pieces), blank), 0..120).prop_map(|pieces| {
        pieces.into_iter().flat_map(|(piece, blank)| [piece, blank]).collect::<String>()
    })
}

/// The files of `tests/data`.
fn real_files() -> Vec<Vec<u8>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let folders = ["config", "config-nasty"].map(|folder| data.join(folder));
    let paths = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut paths: Vec<_> = paths.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "php"));
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Cuts a range out and puts a piece in its place, a few times.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let cut = (any::<prop::sample::Index>(), 0..30_usize, soup_piece());
    (prop::sample::select(real_files()), prop::collection::vec(cut, 1..4)).prop_map(
        |(mut bytes, cuts)| {
            for (at, length, piece) in cuts {
                let at = at.index(bytes.len() + 1);
                let end = (at + length).min(bytes.len());
                bytes.splice(at..end, piece.bytes());
            }
            bytes
        },
    )
}

fn soup_piece() -> impl Strategy<Value = String> {
    let pieces: Vec<String> = PIECES.split(' ').map(str::to_owned).collect();
    prop::sample::select(pieces)
}

fn place() -> Place {
    Place { file: Path::new("/config.php").into(), line: 1 }
}

fn literal() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (i64::MIN + 1..=i64::MAX).prop_map(Value::Int),
        (-1e300..1e300).prop_map(Value::Float),
        any::<String>().prop_map(Value::String),
        "[ -~\n]{0,12}".prop_map(Value::String),
    ];
    scalar.prop_recursive(4, 40, 6, |inner| {
        let key = prop_oneof![
            any::<i64>().prop_map(Key::Int),
            "[a-z.']{0,8}".prop_map(|text| Key::from(text.as_str()))
        ];
        prop::collection::vec((key, inner), 0..6).prop_map(|entries| {
            let mut array = Array::default();
            for (key, value) in entries {
                array.set(Some(key), Ok(value), place());
            }
            Value::Array(array)
        })
    })
}

/// As PHP's `var_export` writes it, or with `short` as people do: `[…]` and double quotes.
fn export(value: &Value, short: bool) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => format!("{float:?}"),
        Value::String(text) if short => {
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
            format!("\"{escaped}\"")
        }
        Value::String(text) => {
            format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
        }
        Value::Array(array) => {
            let entries = array.iter().map(|(key, value)| {
                let key = export(&key.clone().into(), short);
                format!("{key} => {},", export(value, short))
            });
            let inner = entries.collect::<String>();
            if short { format!("[{inner}]") } else { format!("array ({inner})") }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes);
        let _ = read(&[b"<?php $CONFIG = ", bytes.as_slice()].concat());
    }

    #[test]
    fn any_order_of_php_is_read_or_refused(text in soup()) {
        let _ = read(text.as_bytes());
        let _ = read(format!("<?php {text}").as_bytes());
        let _ = read(format!("<?php $CONFIG = [{text}];").as_bytes());
    }

    #[test]
    fn damaged_real_files_are_read_or_refused(bytes in mutated()) {
        let _ = read(&bytes);
    }

    #[test]
    fn literals_are_read_as_written(value in literal(), short in any::<bool>()) {
        let text = format!("<?php $CONFIG = ['value' => {}];", export(&value, short));
        let loaded = read(text.as_bytes()).unwrap();
        prop_assert_eq!(&loaded.get("value").unwrap().value, &value, "{}", text);
        prop_assert!(loaded.skipped.is_empty());
    }
}

#[test]
fn nesting_of_any_kind_ends_before_the_stack_does() {
    for opening in [
        "[",
        "(",
        "f(",
        "array(",
        "!",
        "-",
        "(int)",
        "@",
        "$a[",
        "\"{$a[",
        "{",
        "if (1) ",
        "$a = ",
        "1 ?? ",
        "2 ** ",
        "1 ? ",
        "fn() => ",
        "print ",
        "include ",
        "isset(",
        "...",
        "if (1): ",
        "$",
        "#[a]",
        "++",
        "&",
        "new ",
        "while(1) ",
        "do ",
        "function f() {",
        "switch (1) { case 1: ",
        "else ",
        "1 + (",
        "foreach ([1] as $x) ",
        "$a->",
        "x::",
        "\\",
        "<<<E\n{$a[",
        "try {",
        "a: ",
        "static ",
    ] {
        let nested = opening.repeat(3_000);
        let _ = read(format!("<?php {nested}").as_bytes());
        let _ = read(format!("<?php $CONFIG = {nested}").as_bytes());
        let _ = read(format!("<?php $CONFIG = [{nested}").as_bytes());
    }
}

#[test]
fn long_chains_are_evaluated_without_recursion() {
    for link in [". 'a'", "+ 1", "?: 1", "&& 1", "?? 1", "| 1"] {
        let text = format!("<?php $CONFIG = ['x' => 1 {}];", link.repeat(2_000));
        assert!(read(text.as_bytes()).is_ok(), "{link}");
    }
}

#[test]
fn growth_without_bound_is_refused() {
    for step in [
        "$a = [$a, $a];",
        "$a = \"$a$a\";",
        "$a = str_replace('x', $a, $a . 'x');",
        "$a['x'] = $a;",
    ] {
        let list = "1,".repeat(400);
        let steps = step.repeat(100);
        let text = format!("<?php $l = [{list}]; $a = 'xxxxxxxx'; {steps} $CONFIG = ['a' => $a];");
        match read(text.as_bytes()) {
            Err(PhpError::TooMuchWork { .. }) => {}
            Ok(loaded) => assert!((1..100).contains(&loaded.skipped.len()), "{step}"),
            Err(error) => panic!("{step}: {error}"),
        }
    }
}
