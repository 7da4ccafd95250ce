//! Puts the parts of one Nextcloud together: database, log-ins, hub, look-up, pipeline, Redis.

use super::{Groups, StartError};
use crate::{
    auth::{
        Authenticator, Chain, Fingerprints, Observation, Said,
        hashing::Hashing,
        origin::{Origins, Welcome},
        ticket::{TicketAuthenticator, Tickets},
    },
    config::{AuthStep, Settings},
    front::{Login, Routes, admin::Admin, routes, upgrade},
    hosts::nextcloud::{
        accounts::{Accounts, Clock, Fingerprint, LoginRules, Revocation, Voice},
        channels::{CHANNELS, FILE},
        dialect::NextcloudDialect,
        directory::Directory,
        host::{Cookie, Nextcloud},
        recheck::Recheck,
        remote::{Probe, Remote, RemoteSettings},
    },
    hub::{Hub, HubSettings, Limits},
    lifecycle::Tasks,
    pipeline::Pipeline,
    recipients,
    session::Pace,
    source::{
        self,
        redis::{Keys, Pace as RedisPace, Subscription},
    },
    store::Database,
    telemetry::{
        log::LogControl,
        metrics::{AuthMetrics, CheckVerdict, Observers},
    },
};
use http::HeaderName;
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};

/// Sessions of one user (`specs/nextcloud.md` section 3).
const PER_USER: usize = 64;
/// How long a client may take to log in (section 3).
const LOGIN: Duration = Duration::from_secs(15);
/// Messages that may wait between Redis and the pipeline.
const QUEUE: usize = 4096;
/// Shards of the hub at most; each is one task.
const MAX_SHARDS: usize = 8;
