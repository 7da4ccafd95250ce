//! The syntax tree of the PHP that this reader evaluates; everything else is [`Opaque`] code.
//!
//! Chains (`a . b . c`, `$a['x']['y']`) are lists, not nested pairs, so that the height of a tree
//! never exceeds the parser's bounded depth, whatever the file looks like.

use super::{
    effects::{CodeEffects, DeclaredCode},
    value::Value,
};

/// A parsed file.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) statements: Vec<Statement>,
    pub(super) declared: DeclaredCode,
}

/// An expression and the line it begins on.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) line: u32,
    pub(super) node: Node,
}

/// Code that is not evaluated: why, and what it may change.
#[derive(Debug)]
pub(super) struct Opaque {
    pub(super) why: &'static str,
    pub(super) effects: CodeEffects,
}

#[derive(Debug)]
pub(super) enum Node {
    /// A literal; the error says why it has no value here.
    Literal(Result<Value, &'static str>),
    /// A string with code in it.
    Interpolated(Vec<Expr>),
    Array(Vec<Element>),
    Variable(String),
    /// `base['x'][0]`; none stands for `[]`.
    Index(Box<Expr>, Vec<Option<Expr>>),
    /// A call of a function by its name, in lower case.
    Call(String, Vec<Expr>),
    Constant(String),
    /// `Class::NAME` or `Class::$name`, the name then with its `$`.
    ClassMember {
        class: String,
        name: String,
    },
    Prefix(Prefix, Box<Expr>),
    /// `first op right op right …`, to be applied from left to right.
    Chain(Box<Expr>, Vec<Step>),
    Assign {
        target: Box<Expr>,
        operator: Option<Binary>,
        value: Box<Expr>,
    },
    Isset(Vec<Expr>),
    Empty(Box<Expr>),
    Include {
        once: bool,
        must: bool,
        path: Box<Expr>,
    },
    /// `exit`, `die`.
    Exit,
    Opaque(Opaque),
}

/// `key => value`, `value`, `...value` in an array.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) line: u32,
    pub(super) key: Option<Expr>,
    pub(super) value: Expr,
    pub(super) spread: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    Not,
    Minus,
    Silence,
    ToInt,
    ToBool,
    ToString,
    /// Another sign or cast: its value is not evaluated.
    Other,
}

#[derive(Debug)]
pub(super) enum Step {
    Binary(Binary, Expr),
    /// `? then : else`, or `?: else`.
    Ternary(Option<Expr>, Expr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Or,
    And,
    Coalesce,
    Equal,
    NotEqual,
    Identical,
    NotIdentical,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Concat,
    Add,
    Subtract,
    Multiply,
    /// An operator whose value is not evaluated.
    Other,
}

#[derive(Debug)]
pub(super) enum Statement {
    Expression(Expr),
    Block(Vec<Statement>),
    /// Conditions with their bodies; the last may be `else`.
    If(Vec<Branch>),
    Return(Option<Expr>),
    Unset(Vec<Expr>),
    Const(String, Expr),
    Opaque(u32, Opaque),
}

/// A body and the condition for it; `else` has none.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) condition: Option<Expr>,
    pub(super) body: Vec<Statement>,
}
