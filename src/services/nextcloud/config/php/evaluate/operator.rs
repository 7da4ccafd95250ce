//! What operators make of two known values.

use crate::services::nextcloud::config::php::{
    ast::Binary, convert, convert::Number, value::Value,
};
use std::cmp::Ordering;

const ARRAYS: &str = "these values cannot be compared without PHP";
const NUMBERS: &str = "a number is needed here";
const SHIFTED: &str = "this shift is out of range";

/// Applies an operator that needs both sides; the error says why it cannot be.
pub(super) fn apply(operator: Binary, left: &Value, right: &Value) -> Result<Value, &'static str> {
    match operator {
        Binary::Equal => convert::equal(left, right).map(Value::Bool).ok_or(ARRAYS),
        Binary::NotEqual => {
            convert::equal(left, right).map(|same| Value::Bool(!same)).ok_or(ARRAYS)
        }
        Binary::Identical => convert::identical(left, right).map(Value::Bool).ok_or(ARRAYS),
        Binary::NotIdentical => {
            convert::identical(left, right).map(|same| Value::Bool(!same)).ok_or(ARRAYS)
        }
        Binary::Less => ordered(left, right, Ordering::is_lt),
        Binary::LessEqual => ordered(left, right, Ordering::is_le),
        Binary::Greater => ordered(left, right, Ordering::is_gt),
        Binary::GreaterEqual => ordered(left, right, Ordering::is_ge),
        Binary::Spaceship => {
            convert::compare(left, right).map(|order| Value::Int(order as i64)).ok_or(ARRAYS)
        }
        Binary::Xor => Ok(Value::Bool(left.as_bool() != right.as_bool())),
        Binary::And => Ok(Value::Bool(left.as_bool() && right.as_bool())),
        Binary::Or => Ok(Value::Bool(left.as_bool() || right.as_bool())),
        Binary::Coalesce => Ok(if *left == Value::Null { right.clone() } else { left.clone() }),
        Binary::InstanceOf => Err("objects are not evaluated"),
        Binary::BitOr | Binary::BitAnd | Binary::BitXor => bits(operator, left, right),
        Binary::ShiftLeft | Binary::ShiftRight => shift(operator, left, right),
        Binary::Concat => {
            let both = convert::to_text(left).zip(convert::to_text(right));
            both.map(|(left, right)| Value::String(left + &right))
                .ok_or("an array stands for text here")
        }
        Binary::Add => match (left, right) {
            (Value::Array(left), Value::Array(right)) => Ok(Value::Array(left.union(right))),
            _ => arithmetic(operator, left, right),
        },
        _ => arithmetic(operator, left, right),
    }
}

fn ordered(left: &Value, right: &Value, is: fn(Ordering) -> bool) -> Result<Value, &'static str> {
    convert::compare(left, right).map(|order| Value::Bool(is(order))).ok_or(ARRAYS)
}

fn bits(operator: Binary, left: &Value, right: &Value) -> Result<Value, &'static str> {
    let (Some(Number::Int(left)), Some(Number::Int(right))) =
        (convert::number(left), convert::number(right))
    else {
        return Err(NUMBERS);
    };
    Ok(Value::Int(match operator {
        Binary::BitOr => left | right,
        Binary::BitAnd => left & right,
        _ => left ^ right,
    }))
}

fn shift(operator: Binary, left: &Value, right: &Value) -> Result<Value, &'static str> {
    let (Some(Number::Int(left)), Some(Number::Int(right))) =
        (convert::number(left), convert::number(right))
    else {
        return Err(NUMBERS);
    };
    let by = u32::try_from(right).map_err(|_| SHIFTED)?;
    let shifted = match operator {
        Binary::ShiftLeft => left.checked_shl(by),
        _ => left.checked_shr(by),
    };
    shifted.map(Value::Int).ok_or(SHIFTED)
}

fn arithmetic(operator: Binary, left: &Value, right: &Value) -> Result<Value, &'static str> {
    let left = convert::number(left).ok_or(NUMBERS)?;
    let right = convert::number(right).ok_or(NUMBERS)?;
    if let (Number::Int(left), Number::Int(right)) = (left, right)
        && let Some(int) = integers(operator, left, right)
    {
        return Ok(Value::Int(int));
    }
    let (a, b) = (left.as_f64(), right.as_f64());
    match operator {
        Binary::Divide | Binary::Modulo if b == 0.0 => Err("a division by zero"),
        Binary::Modulo => {
            let (a, b) = (convert::to_int(&left.into()), convert::to_int(&right.into()));
            a.checked_rem(b).map(Value::Int).ok_or("a division by zero")
        }
        Binary::Add => Ok(Value::Float(a + b)),
        Binary::Subtract => Ok(Value::Float(a - b)),
        Binary::Multiply => Ok(Value::Float(a * b)),
        Binary::Divide => Ok(Value::Float(a / b)),
        Binary::Power => Ok(Value::Float(a.powf(b))),
        _ => Err(NUMBERS),
    }
}

/// None where PHP goes over to floats, and for what is not defined.
fn integers(operator: Binary, left: i64, right: i64) -> Option<i64> {
    match operator {
        Binary::Add => left.checked_add(right),
        Binary::Subtract => left.checked_sub(right),
        Binary::Multiply => left.checked_mul(right),
        Binary::Divide if left.checked_rem(right)? == 0 => left.checked_div(right),
        Binary::Modulo => left.checked_rem(right),
        Binary::Power => left.checked_pow(u32::try_from(right).ok()?),
        _ => None,
    }
}
