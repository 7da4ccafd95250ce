//! The answer to Phorge's status page (`specs/aphlict.md` section 2.2) and the counts in it.

use super::instance::PhorgeInstance;
use parking_lot::Mutex;
use serde::Serialize;
use std::{collections::HashMap, time::Duration};

/// The version of Aphlict's protocol.
const VERSION: u32 = 7;

/// The most instances with a count of their own. Clients can name any instance, so that the table must be
/// bounded; further instances count as zero.
const MAX_INSTANCES: usize = 4096;

/// How many clients ever connected, by instance.
#[derive(Debug, Default)]
pub struct ClientTotals(Mutex<HashMap<PhorgeInstance, u64>>);

impl ClientTotals {
    /// Counts one connection.
    pub fn count(&self, instance: &PhorgeInstance) {
        let mut counts = self.0.lock();
        if let Some(count) = counts.get_mut(instance) {
            *count += 1;
        } else if counts.len() < MAX_INSTANCES {
            counts.insert(instance.clone(), 1);
        }
    }

    /// How many clients of an instance ever connected.
    pub fn of(&self, instance: &PhorgeInstance) -> u64 {
        let counts = self.0.lock();
        counts.get(instance).copied().unwrap_or_default()
    }
}

/// The answer to `GET /status/`.
#[derive(Debug, Serialize)]
pub struct AphlictStatus<'a> {
    /// The instance in the query.
    pub instance: &'a str,
    /// Milliseconds since the server started.
    pub uptime: u64,
    /// Connected clients of the instance.
    #[serde(rename = "clients.active")]
    pub clients_active: usize,
    /// Clients that ever connected to the instance.
    #[serde(rename = "clients.total")]
    pub clients_total: u64,
    /// Messages from publishers and peers, of all instances, duplicates included.
    #[serde(rename = "messages.in")]
    pub messages_in: u64,
    /// Messages sent to clients, of all instances, replays not included.
    #[serde(rename = "messages.out")]
    pub messages_out: u64,
    /// The version of the protocol.
    pub version: u32,
    /// Messages in the history, of all instances.
    #[serde(rename = "history.size")]
    pub history_size: usize,
    /// Age of the oldest of them in milliseconds.
    #[serde(rename = "history.age")]
    pub history_age: Option<u64>,
}

impl<'a> AphlictStatus<'a> {
    /// A status with the extent of the history and all counts zero.
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
    fn the_protocols_example_is_written() {
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
    fn invented_instance_names_are_bounded() {
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
