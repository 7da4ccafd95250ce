//! What code that is not evaluated may change, judged by its tokens alone: rather too much than
//! too little.

use super::{
    array::Key,
    lexer::{Kind, Token, name_length},
};

/// What a piece of code may change.
#[derive(Debug, Clone, Default)]
pub(super) struct CodeEffects {
    /// The variables in it; with a key where only that element is named.
    pub(super) touched: Vec<(String, Option<Key>)>,
    /// They may stay bound to something else, by reference.
    pub(super) binds: bool,
    /// The functions it calls, in lower case; an empty name where only PHP knows which.
    pub(super) calls: Vec<String>,
    /// It may change any variable.
    pub(super) any_variable: bool,
    /// It may change the environment, constants or files.
    pub(super) outside: bool,
    /// It may end the file.
    pub(super) leaves: bool,
}

/// The bodies of functions, closures and classes: code that runs when something is called.
#[derive(Debug, Clone, Default)]
pub(super) struct DeclaredCode {
    /// The names of the functions, in lower case.
    pub(super) functions: Vec<String>,
    pub(super) effects: CodeEffects,
}

/// Functions without any effect besides their value, and without parameters by reference. What
/// is not among them may change the environment and whatever it is given.
const PURE: &str = "abs addslashes array_column array_combine array_diff array_diff_key array_fill \
    array_fill_keys array_flip array_intersect array_intersect_key array_is_list \
    array_key_exists array_key_first array_key_last array_keys array_merge \
    array_merge_recursive array_pad array_replace array_replace_recursive array_reverse \
    array_search array_slice array_sum array_unique array_values base64_decode base64_encode \
    basename bin2hex boolval ceil compact constant count ctype_digit date defined dirname \
    error_log explode extension_loaded file file_exists file_get_contents filter_var floatval \
    floor function_exists getcwd getenv gethostbyname gethostname glob hash htmlspecialchars \
    implode in_array ini_get intval is_array is_bool is_dir is_file is_int is_null is_numeric \
    is_readable is_string join json_decode json_encode json_last_error key_exists lcfirst \
    ltrim max mb_strtolower mb_strtoupper mb_substr md5 microtime min parse_ini_file \
    parse_ini_string parse_url php_sapi_name php_uname phpversion preg_quote preg_split rand \
    random_int range rawurldecode rawurlencode realpath round rtrim scandir sha1 sizeof \
    sprintf str_contains str_ends_with str_pad str_repeat str_split str_starts_with \
    stripslashes strlen strpos strrpos strstr strtolower strtoupper strtr strval substr \
    substr_count sys_get_temp_dir time trim ucfirst uniqid urldecode urlencode version_compare \
    vsprintf wordwrap";

/// Functions and words that may change any variable of their caller.
pub(super) const CHANGES_VARIABLES: &[&str] =
    &["assert", "eval", "extract", "global", "mb_parse_str", "namespace", "parse_str"];

/// Words before a bracket that call nothing.
const KEYWORDS: &str = "and array as case catch declare do echo else elseif empty fn for foreach function if isset \
    list match or print switch unset use while xor";

/// Whether a call of this function changes nothing.
pub(super) fn is_pure(function: &str) -> bool {
    PURE.split(' ').any(|name| name == function)
}

impl CodeEffects {
    /// Everything may be changed, and the file may end.
    pub(super) fn everything() -> Self {
        Self { any_variable: true, outside: true, leaves: true, ..Self::default() }
    }

    /// What these tokens may change.
    pub(super) fn of(tokens: &[Token<'_>]) -> Self {
        let mut effects = Self::default();
        for index in 0..tokens.len() {
            effects.token(tokens, index);
        }
        effects
    }

    fn token(&mut self, tokens: &[Token<'_>], index: usize) {
        let Some(token) = tokens.get(index) else { return };
        let before = index.checked_sub(1).and_then(|index| tokens.get(index));
        let next = tokens.get(index + 1);
        let is = |token: Option<&Token<'_>>, symbols: &[&str]| {
            token.is_some_and(|token| token.kind == Kind::Symbol && symbols.contains(&token.text))
        };
        match token.kind {
            Kind::Variable => {
                self.any_variable |= matches!(token.text, "GLOBALS" | "this");
                self.outside |= token.text.starts_with('_');
                self.binds |= is(before, &["&"]);
                let key = literal_key(tokens.get(index + 1..index + 4).unwrap_or_default());
                self.touched.push((token.text.to_owned(), key));
                if is(next, &["("]) {
                    self.calls.push(String::new());
                }
            }
            Kind::Name => {
                let member = is(before, &["->", "?->", "::"]);
                let called = is(next, &["("]);
                let static_variable = next.is_some_and(|next| next.kind == Kind::Variable);
                self.word(token.text, member, called, static_variable);
            }
            Kind::Symbol if token.text == "&" && next.is_some_and(|n| n.kind == Kind::Name) => {
                self.binds = true;
            }
            Kind::Symbol if token.text == "$" => self.any_variable = true,
            Kind::Symbol if token.text == "<?" => *self = Self::everything(),
            Kind::Symbol if is(Some(token), &["]", ")", "}"]) && is(next, &["("]) => {
                self.calls.push(String::new());
            }
            Kind::Double | Kind::Heredoc { .. } => self.string(token.text),
            Kind::Shell => self.outside = true,
            _ => {}
        }
    }

    fn word(&mut self, text: &str, member: bool, called: bool, before_variable: bool) {
        let word = text.trim_start_matches('\\').to_ascii_lowercase();
        if member {
            if called {
                self.calls.push(String::new());
            }
            return;
        }
        match word.as_str() {
            "include" | "include_once" | "require" | "require_once" => {
                (self.any_variable, self.outside, self.leaves) = (true, true, true);
            }
            word if CHANGES_VARIABLES.contains(&word) => {
                (self.any_variable, self.outside) = (true, true);
            }
            "goto" | "return" | "exit" | "die" | "throw" | "yield" => self.leaves = true,
            "new" => self.calls.push(String::new()),
            "static" => self.binds |= before_variable,
            "const" => self.outside = true,
            _ if called && !KEYWORDS.split(' ').any(|name| name == word) => self.calls.push(word),
            _ => {}
        }
    }

    /// A string with code in it.
    fn string(&mut self, text: &str) {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('$') {
            let length = name_length(after);
            let (name, behind) = after.split_at_checked(length).unwrap_or((after, ""));
            if length > 0 {
                self.touched.push((name.to_owned(), None));
            }
            self.any_variable |= after.starts_with(['{', '$']);
            rest = behind;
        }
        if text.contains("{$") && text.contains('(') {
            self.calls.push(String::new());
            self.outside = true;
        }
    }

    /// Adds what other code may change.
    pub(super) fn extend(&mut self, other: Self) {
        self.touched.extend(other.touched);
        self.calls.extend(other.calls);
        self.binds |= other.binds;
        self.any_variable |= other.any_variable;
        self.outside |= other.outside;
        self.leaves |= other.leaves;
    }
}

/// `['key']`
fn literal_key(tokens: &[Token<'_>]) -> Option<Key> {
    let [open, key, close] = tokens else { return None };
    let plain = key.kind == Kind::Single && !key.text.contains('\\');
    let bracketed = open.kind == Kind::Symbol && open.text == "[" && close.text == "]";
    (plain && bracketed).then(|| Key::from(key.text.trim_matches('\'')))
}

impl DeclaredCode {
    /// Adds what another file declares.
    pub(super) fn extend(&mut self, other: Self) {
        self.functions.extend(other.functions);
        self.effects.extend(other.effects);
    }

    /// Whether a call of declared code may change the environment, constants or files.
    pub(super) fn outside(&self) -> bool {
        let unknown =
            |name: &String| name.is_empty() || !is_pure(name) && !self.functions.contains(name);
        self.effects.outside || self.effects.calls.iter().any(unknown)
    }
}
