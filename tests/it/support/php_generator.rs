//! Random programs in the manner of config.php: what the reader evaluates, mixed with what it does not.

use std::fmt::Write as _;

/// Functions that programs call.
const FUNCTIONS: &str = "function one() { return 'one'; } function many() { return ['a' => 'A', 'dbhost' => 'M']; } \
    function change(&$x) { $x = 'changed'; return 'c'; } function outside($x) { putenv(\"E=$x\"); return $x; }\n";

const STATEMENTS: &[&str] = &[
    "$V = X;",
    "$V = X;",
    "$CONFIG['K'] = X;",
    "$CONFIG['K'] = X;",
    "$CONFIG['K'] = X;",
    "$CONFIG['K']['K'] = X;",
    "$CONFIG['K'][] = X;",
    "$CONFIG[T] = X;",
    "$l['K'] = X;",
    "$l[] = X;",
    "$s = T;",
    "$n = N;",
    "$l = A;",
    "$s .= T;",
    "$V ??= X;",
    "$CONFIG['K'] ??= X;",
    "unset($CONFIG['K']);",
    "unset($V);",
    "unset($V['K'], $CONFIG['K']['K']);",
    "if (X) { S }",
    "if (X) { S } else { S }",
    "if (X) { S S } elseif (X) { S } else { S }",
    "if (C) S",
    "if (C): S endif;",
    "foreach (A as $V) { S }",
    "foreach ($l as &$V) { S }",
    "foreach ($CONFIG as $V => $V) { S }",
    "foreach ($V as &$V) { $V = X; }",
    "for ($i = 0; $i < 3; $i++) { S }",
    "try { S } catch (Exception $V) { S }",
    "try { S throw new Exception('x'); } catch (Exception $V) { S }",
    "switch (X) { case X: S break; default: S }",
    "change($V);",
    "change($CONFIG['K']);",
    "outside(T);",
    "$V = &$V;",
    "$V = &$CONFIG['K'];",
    "$CONFIG['K'] = &$V;",
    "$n++;",
    "$CONFIG = array_merge($CONFIG, A);",
    "$CONFIG += A;",
    "$CONFIG = A + $CONFIG;",
    "$CONFIG = array_replace_recursive($CONFIG, A);",
    "[$V, $V] = [X, X];",
    "extract(['V' => X]);",
    "array_push($l, X);",
    "$$V = X;",
    "putenv('E=' . one());",
    "define('D', T);",
    "if (!defined('D')) define('D', X);",
    "$V = function () use (&$CONFIG) { S }; $V();",
    "$V = fn($x) => X; $V = $V(1);",
    "$CONFIG['K'] = &$l;",
    "$l['K'] = X;",
    "$CONFIG['K'] = $l;",
    "$CONFIG[T][T] = X;",
    "include __DIR__ . '/more.php';",
    "echo T;",
    "if (C) { return; }",
    "if (one() === 'no') { return; }",
    "$CONFIG['K'] = <<<E\nx $s {$CONFIG['K']}\nE;",
    "X;",
    "$V = $CONFIG;",
    "$CONFIG['K'] = $CONFIG;",
    "static $V;",
    "(function () use (&$V) { $V = X; })();",
    "S S",
    "{ S S }",
];

const EXPRESSIONS: &[&str] = &[
    "'text'",
    "'b'",
    "1",
    "0",
    "''",
    "'0'",
    "null",
    "true",
    "false",
    "1.5",
    "'12'",
    "$V",
    "$V",
    "$V",
    "$CONFIG['K']",
    "$CONFIG['K']",
    "@$CONFIG['K']['K']",
    "@$V['K']",
    "getenv('E')",
    "getenv('NOPE')",
    "getenv('N')",
    "[]",
    "T",
    "T",
    "A",
    "A",
    "N",
    "N",
    "X ?: X",
    "X ?? X",
    "X ? X : X",
    "(X) && (X)",
    "(X) || (X)",
    "!(X)",
    "X === X",
    "X == X",
    "X !== X",
    "(bool) X",
    "isset($CONFIG['K'])",
    "isset($V, $V['K'])",
    "empty($CONFIG['K'])",
    "empty($V)",
    "in_array(X, A)",
    "many()",
    "change($V)",
    "outside('o')",
    "($V = X)",
    "($V = X)",
    "($CONFIG['K'] = X)",
    "defined('D')",
    "match (true) { default => X }",
    "@$CONFIG['nope']",
    "@$undefined",
    "is_array(X)",
    "(fn() => X)()",
    "X <=> X",
    "$V = X",
];

/// Expressions that are text.
const TEXTS: &[&str] = &[
    "'t'",
    "'a b'",
    "T . T",
    "T . N",
    "(string) N",
    "\"a {$n} b\"",
    "\"\\x41$s\"",
    "trim(T)",
    "strtolower(T)",
    "implode('-', ['x', T])",
    "implode(',', $l)",
    "str_replace('t', T, T)",
    "one()",
    "strrev(T)",
    "dirname(T)",
    "getenv('E')",
    "$s",
    "$s",
    "$n",
    "\"$l[0] {$l[1]}\"",
    "$s = T",
    "($s = T) . T",
    "rtrim(T, 'b')",
    "T[0]",
    "(X ? T : T)",
    "(getenv('NOPE') ?: T)",
    "($l['K'] ?? T)",
    "ucfirst(T)",
];

/// Expressions that are arrays.
const ARRAYS: &[&str] = &[
    "[]",
    "$l",
    "[X, X]",
    "['K' => X, 'K' => X]",
    "[T => X, X]",
    "[N => X, X]",
    "[X, 'K' => X, X]",
    "[...A, X]",
    "explode(',', getenv('L'))",
    "array_map('trim', [T, T])",
    "array_filter(A)",
    "array_merge(A, A)",
    "A + A",
    "many()",
    "array_keys(A)",
    "array_replace(A, A)",
    "($l = A)",
    "array_replace_recursive(A, A)",
    "(X ? A : A)",
    "array_map(fn($x) => X, A)",
    "array_values(A)",
    "array_reverse(A)",
];

/// Expressions that are whole numbers.
const NUMBERS: &[&str] = &[
    "1",
    "7",
    "-1",
    "0x1f",
    "N + N",
    "N - 1",
    "N * 2",
    "(int) T",
    "intval(T)",
    "count(A)",
    "__LINE__",
    "$n",
    "$n",
    "$n++",
    "($n = N)",
    "(N < N)",
    "N % 3",
    "(X ? N : N)",
    "strlen(T)",
];

/// Conditions that are known.
const CONDITIONS: &[&str] = &[
    "getenv('E')",
    "getenv('NOPE')",
    "true",
    "isset($CONFIG['K'])",
    "getenv('E') === 'env'",
    "!getenv('N')",
];

const VARIABLES: &[&str] = &["a", "b", "c"];
const KEYS: &[&str] = &["a", "dbhost", "redis", "trusted_proxies", "new", "host", "b"];

/// A source of programs: the same for the same seed.
pub struct Generator {
    state: u64,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// A few statements.
    pub fn program(&mut self) -> String {
        let mut program = FUNCTIONS.to_owned();
        for variable in VARIABLES {
            let value = self.expand("X", 1);
            writeln!(program, "${variable} = {value};").unwrap();
        }
        program.push_str("$s = 's'; $n = 3; $l = ['la', 'lb'];\n");
        for _ in 0..=self.below(7) {
            writeln!(program, "{}", self.expand("S", 3)).unwrap();
        }
        program
    }

    /// Xorshift.
    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 33).unwrap() % limit
    }

    fn pick(&mut self, list: &[&'static str]) -> &'static str {
        list[self.below(list.len())]
    }

    /// Where it is deep enough already, the first of the list.
    fn nested(&mut self, list: &[&'static str], depth: usize, out: &mut String) {
        let template = if depth == 0 { list[self.below(2)] } else { self.pick(list) };
        // The first two are plain.
        let depth = depth.saturating_sub(1);
        out.push_str(&self.expand(template, depth));
    }

    /// Puts statements, expressions, conditions, variables, keys, texts, arrays and
    /// numbers in for `S`, `X`, `C`, `V`, `K`, `T`, `A`, `N`.
    fn expand(&mut self, template: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut before = ' ';
        let mut letters = template.chars().peekable();
        while let Some(letter) = letters.next() {
            let word = before.is_ascii_alphanumeric()
                || before == '_'
                || letters.peek().is_some_and(|next| next.is_ascii_alphanumeric());
            before = letter;
            match letter {
                _ if word => out.push(letter),
                'S' => {
                    // The first statements have no others in them.
                    let list = if depth == 0 { &STATEMENTS[..10] } else { STATEMENTS };
                    let statement = self.pick(list);
                    out.push_str(&self.expand(statement, depth.saturating_sub(1)));
                }
                'X' => {
                    let list = if depth == 0 { &EXPRESSIONS[..21] } else { EXPRESSIONS };
                    let expression = self.pick(list);
                    out.push_str(&self.expand(expression, depth.saturating_sub(1)));
                }
                'C' => {
                    let condition = self.pick(CONDITIONS);
                    out.push_str(&self.expand(condition, depth));
                }
                'T' => self.nested(TEXTS, depth, &mut out),
                'A' => self.nested(ARRAYS, depth, &mut out),
                'N' => self.nested(NUMBERS, depth, &mut out),
                'V' => out.push_str(self.pick(VARIABLES)),
                'K' => out.push_str(self.pick(KEYS)),
                _ => out.push(letter),
            }
        }
        out
    }
}
