//! What the status page of Phorge is told, counted (`specs/aphlict.md` section 2.2).

use super::instance::PhorgeInstance;
use serde::Serialize;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Aphlict's version of its protocol: a constant.
const VERSION: u32 = 7;

/// Instances whose clients are counted apart. Clients name whatever they like, up to a length
/// ([`super::instance::MAX_NAME`]); of more than so many nobody keeps count.
const MAX_INSTANCES: usize = 4096;

/// Clients that ever came, by instance.
#[derive(Debug, Default)]
pub struct ClientTotals(Mutex<HashMap<PhorgeInstance, u64>>);

impl ClientTotals {
    /// One more.
    pub fn count(&self, instance: &PhorgeInstance) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(instance) {
            *count += 1;
        } else if counts.len() < MAX_INSTANCES {
            counts.insert(instance.clone(), 1);
        }
    }

    /// How many of an instance there have been.
    pub fn of(&self, instance: &PhorgeInstance) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(instance).copied().unwrap_or_default()
    }
}

/// The answer to `GET /status/`.
#[derive(Debug, Serialize)]
pub struct AphlictStatus<'a> {
    /// The instance that was asked for.
    pub instance: &'a str,
    /// Milliseconds since the server started.
    pub uptime: u64,
    /// Clients of the instance.
    #[serde(rename = "clients.active")]
    pub clients_active: usize,
    /// Clients that ever came to it.
    #[serde(rename = "clients.total")]
    pub clients_total: u64,
    /// Messages published or relayed to us, for all instances, those that came before included.
    #[serde(rename = "messages.in")]
    pub messages_in: u64,
    /// Messages sent to clients, of all instances, replays not included.
    #[serde(rename = "messages.out")]
    pub messages_out: u64,
    /// See [`AphlictStatus::new`].
    pub version: u32,
    /// Messages held, of all instances.
    #[serde(rename = "history.size")]
    pub history_size: usize,
    /// How old the oldest of them is, in milliseconds.
    #[serde(rename = "history.age")]
    pub history_age: Option<u64>,
}

impl<'a> AphlictStatus<'a> {
    /// With what a history holds and nothing counted yet. The version is Aphlict's own.
    pub fn new(instance: &'a str, uptime: Duration, extent: (usize, Option<Duration>)) -> Self {
        Self {
            instance,
            uptime: millis(uptime),
            clients_active: 0,
            clients_total: 0,
            messages_in: 0,
            messages_out: 0,
            version: VERSION,
            history_size: extent.0,
            history_age: extent.1.map(millis),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{AphlictStatus, ClientTotals, MAX_INSTANCES};
    use crate::services::phorge::instance::PhorgeInstance;
    use std::time::Duration;

    #[test]
    fn the_example_of_section_2_2() {
        let (uptime, age) = (Duration::from_millis(86_400_123), Duration::from_millis(41_250));
        let mut status = AphlictStatus {
            clients_active: 12,
            clients_total: 340,
            messages_in: 1042,
            messages_out: 2211,
            ..AphlictStatus::new("acme", uptime, (3, Some(age)))
        };
        assert_eq!(
            serde_json::to_string(&status).unwrap(),
            concat!(
                r#"{"instance":"acme","uptime":86400123,"clients.active":12,"clients.total":340,"#,
                r#""messages.in":1042,"messages.out":2211,"version":7,"history.size":3,"#,
                r#""history.age":41250}"#
            )
        );
        status.history_age = None;
        assert!(serde_json::to_string(&status).unwrap().ends_with(r#""history.age":null}"#));
    }

    #[test]
    fn names_that_clients_make_up_do_not_pile_up() {
        let arrivals = ClientTotals::default();
        let named = |number| PhorgeInstance::of_path(&format!("/~{number}/")).unwrap();
        for number in 0..=MAX_INSTANCES {
            arrivals.count(&named(number));
            arrivals.count(&named(0));
        }
        assert_eq!(arrivals.of(&named(MAX_INSTANCES)), 0);
        assert_eq!(arrivals.of(&named(0)), MAX_INSTANCES as u64 + 2);
    }
}
