//! What checks leave behind, under one name.

pub(super) use crate::doctor::{
    CheckOutcome,
    finding::{CheckFinding, CheckId},
};
