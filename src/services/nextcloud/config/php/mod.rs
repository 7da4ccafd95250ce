//! A tolerant reader of Nextcloud's `config.php` (`specs/nextcloud.md` section 8).
//!
//! The file is a PHP program, not data. What a program of that kind usually does (literals, the
//! environment, small expressions, `if`, includes) is evaluated; a value that needs more than that
//! is left out with one [`Skipped`] note, and everything else is still read.

mod array;
mod ast;
mod constants;
mod convert;
mod effects;
mod error;
mod escape;
mod evaluate;
mod files;
mod functions;
mod interpolation;
mod lexer;
mod literal;
mod load;
mod order;
mod parser;
#[cfg(test)]
mod properties;
mod source;
mod value;

pub use array::{Array, Key};
pub use error::PhpError;
pub use load::{Loaded, Located, ReadOptions, Skipped, merged_files, read};
pub use value::{Place, Value};
