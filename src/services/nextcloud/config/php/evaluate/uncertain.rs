//! What code that is not evaluated leaves behind: holes in all that it may have changed.

use super::{
    CONFIG, Evaluator,
    store::{Pin, StorePath, StoreStep, taint_variable},
};
use crate::services::nextcloud::config::php::{
    array::Array,
    ast::{Expr, Node, Opaque},
    effects,
    value::{Unknown, Value},
};

impl Evaluator<'_> {
    /// Leaves holes in all that this code may change, and says why it has no value.
    pub(super) fn opaque(&mut self, opaque: &Opaque, line: u32) -> Unknown {
        let unknown = self.unknown(opaque.why, line);
        let effects = &opaque.effects;
        let binds = effects.binds || self.declared.effects.binds && !effects.calls.is_empty();
        for (name, key) in &effects.touched {
            let path: Vec<_> = key.clone().map(StoreStep::Key).into_iter().collect();
            self.lose(name, path, binds, &unknown);
        }
        for function in &effects.calls {
            self.lose_by_call(function, &unknown);
        }
        if effects.outside {
            self.outside.get_or_insert_with(|| unknown.clone());
        }
        if effects.any_variable {
            self.lose_everything(&unknown);
        }
        if effects.leaves {
            self.doubt.get_or_insert_with(|| unknown.clone());
        }
        unknown
    }

    /// What a call of a function that is not evaluated may change besides its arguments.
    pub(super) fn lose_by_call(&mut self, function: &str, unknown: &Unknown) {
        if effects::is_pure(function) {
            return;
        }
        // An empty name is a callable value: the name of any function.
        let known = !function.is_empty();
        let declared = known && self.declared.functions.iter().any(|name| name == function);
        // It may call declared code itself.
        if self.declared.effects.any_variable || effects::CHANGES_VARIABLES.contains(&function) {
            self.lose_everything(unknown);
        }
        if !declared || self.declared.outside() {
            self.outside.get_or_insert_with(|| unknown.clone());
        }
    }

    /// What a function that takes its argument by reference may change.
    pub(super) fn lose_argument(&mut self, argument: &Expr, unknown: &Unknown) {
        let (base, path) = match &argument.node {
            Node::Index(base, accesses) => (base.as_ref(), self.path(accesses)),
            _ => (argument, StorePath::new()),
        };
        if let Node::Variable(name) = &base.node {
            self.lose(name, path, self.declared.effects.binds, unknown);
        }
    }

    fn lose(&mut self, name: &str, path: StorePath, binds: bool, unknown: &Unknown) {
        let slot = self.variables.entry(name.to_owned()).or_insert(Ok(Value::Null));
        taint_variable(name, slot, &path, unknown, &unknown.at);
        if binds {
            // Only the outermost key counts: rather too much than too little.
            let path = path.into_iter().take(1).collect();
            self.pins.push(Pin { name: name.to_owned(), path, unknown: unknown.clone() });
        }
        self.repin(name);
    }

    /// Any variable may have changed, and the files, too.
    pub(super) fn lose_everything(&mut self, unknown: &Unknown) {
        for (name, held) in &mut self.variables {
            taint_variable(name, held, &[], unknown, &unknown.at);
        }
        let nothing = || Ok(Value::Array(Array::unknown(unknown.clone())));
        self.variables.entry(CONFIG.to_owned()).or_insert_with(nothing);
        self.all_variables.get_or_insert_with(|| unknown.clone());
        self.outside.get_or_insert_with(|| unknown.clone());
    }

    /// Puts the holes back that references leave, after something was written.
    pub(super) fn repin(&mut self, name: &str) {
        for Pin { path, unknown, .. } in self.pins.iter().filter(|pin| pin.name == name) {
            if let Some(slot) = self.variables.get_mut(name) {
                taint_variable(name, slot, path, unknown, &unknown.at);
            }
        }
    }
}
