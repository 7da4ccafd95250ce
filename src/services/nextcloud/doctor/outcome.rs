//! What checks leave behind, under one name.

pub(super) use crate::doctor::{
    Outcome,
    finding::{Check, Finding},
};
