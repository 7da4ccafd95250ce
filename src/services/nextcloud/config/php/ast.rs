//! What a PHP file says, as far as this reader tells things apart.
//!
//! Chains (`a . b . c`, `$a['x']['y']`) are lists, not nested pairs, so that the height of a tree
//! never exceeds the parser's bounded depth, whatever the file looks like.

use super::value::Value;

/// An expression and the line it begins on.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) line: u32,
    pub(super) node: Node,
}

#[derive(Debug)]
pub(super) enum Node {
    /// A literal; the error says why it has no value here.
    Literal(Result<Value, &'static str>),
    /// A string with code in it.
    Interpolated(Vec<Expr>),
    Array(Vec<Element>),
    Variable(String),
    /// `base['x']->y(…)`: accesses applied in turn.
    Access(Box<Expr>, Vec<Access>),
    /// A call of a function by its name, in lower case.
    Call(String, Vec<Argument>),
    Constant(String),
    /// `Class::NAME` or `Class::$name`, the name then with its `$`.
    ClassMember {
        class: String,
        name: String,
    },
    Prefix(Prefix, Box<Expr>),
    Cast(Cast, Box<Expr>),
    /// `first op right op right …`, to be applied from left to right.
    Chain(Box<Expr>, Vec<Step>),
    Assign {
        target: Box<Expr>,
        operator: Option<Binary>,
        value: Box<Expr>,
    },
    /// `&$x`: may be changed through another name from here on.
    Reference(Box<Expr>),
    Isset(Vec<Expr>),
    Empty(Box<Expr>),
    Include {
        once: bool,
        must: bool,
        path: Box<Expr>,
    },
    /// `exit`, `die`.
    Exit,
    /// PHP that this reader does not evaluate; the words say so.
    Unsupported(&'static str),
}

/// `key => value`, `value`, `...value` in an array.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) line: u32,
    pub(super) key: Option<Expr>,
    pub(super) value: Expr,
    pub(super) spread: bool,
}

#[derive(Debug)]
pub(super) struct Argument {
    pub(super) value: Expr,
    pub(super) spread: bool,
}

#[derive(Debug)]
pub(super) enum Access {
    /// `[key]`
    Index(Expr),
    /// `[]`
    Append,
    /// A property, a method, a call of a value: objects have no value here.
    Object,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Prefix {
    Not,
    Minus,
    Plus,
    Complement,
    Silence,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Cast {
    Int,
    Float,
    Bool,
    String,
    Array,
    Object,
    Null,
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
    Xor,
    And,
    Coalesce,
    BitOr,
    BitXor,
    BitAnd,
    Equal,
    NotEqual,
    Identical,
    NotIdentical,
    Spaceship,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Concat,
    ShiftLeft,
    ShiftRight,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    InstanceOf,
}

#[derive(Debug)]
pub(super) enum Statement {
    Expression(Expr),
    Block(Vec<Statement>),
    /// Conditions with their bodies; the last may be `else`.
    If(Vec<Branch>),
    Foreach {
        line: u32,
        subject: Expr,
        key: Option<Expr>,
        value: Expr,
        body: Vec<Statement>,
    },
    Switch {
        subject: Expr,
        cases: Vec<Branch>,
    },
    /// `while`, `do`, `for`: what they assign is not known afterwards.
    Loop {
        line: u32,
        body: Vec<Statement>,
    },
    Return(Option<Expr>),
    /// `break`, `continue`, with the number of loops to leave.
    Break(u32),
    Continue(u32),
    Unset(Vec<Expr>),
    Const(String, Expr),
    Nothing,
}

/// A body and the condition for it; `else` and `default` have none.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) condition: Option<Expr>,
    pub(super) body: Vec<Statement>,
}
