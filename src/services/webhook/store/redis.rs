//! The store of several replicas, in Redis.

use super::{
    ExpiredRegistration, HookKey, HookSummary, PrivateHook, RegistrationRenewal, RegistrationState,
    RegistrationStore, RegistrationStoreError, SessionEntry, StoreFuture, StoreLimits,
    StoredMessage,
    redis_values::{connections, hex, hooks_of, id, millis, read_listed, time},
    scripts,
    scripts::PREFIX,
    unexpected_reply,
};
use crate::{
    client::redis::{RedisClient, RedisClientError, ScriptReply},
    config::secret::Secret,
    health::{DependencyRecord, DependencyState},
    services::webhook::{
        message_id::MessageId,
        message_value::MessageValue,
        registration_key::{MessageTarget, RegistrationKey},
        replica_events,
        replica_events::ReplicaEvent,
    },
};
use futures_util::{FutureExt, future::try_join_all};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::time::Instant;

/// Registrations renewed concurrently.
const CONCURRENT_RENEWALS: usize = 4;

/// Registrations, hooks and messages in Redis. A command that takes longer than
/// [`crate::client::redis::RedisTimeouts::command`] fails with [`RegistrationStoreError::Offline`].
pub struct RedisStore {
    keys: RedisClient,
    /// For commands of unauthenticated clients, so that they never wait before those of back ends.
    lookups: RedisClient,
    limits: StoreLimits,
    channel: &'static str,
    record: Arc<DependencyRecord>,
}

/// Bytes of messages read at once; the longest accepted reply is four times that.
const READ_CHUNK: usize = 1 << 20;

/// Stored form of a hook.
#[derive(Serialize, Deserialize)]
struct StoredHook {
    id: String,
    user: String,
    connection: Option<String>,
    /// Milliseconds since 1970.
    expires: u64,
    secret: Option<String>,
}

impl From<RedisClientError> for RegistrationStoreError {
    fn from(fault: RedisClientError) -> Self {
        Self::Offline(fault.to_string())
    }
}

impl RedisStore {
    /// Creates a store whose replicas notify each other on `channel`; `lookups` serves unauthenticated
    /// clients. Its availability is written
    /// to `record`.
    pub fn new(
        keys: RedisClient,
        lookups: RedisClient,
        limits: StoreLimits,
        channel: &'static str,
        record: Arc<DependencyRecord>,
    ) -> Self {
        Self { keys, lookups, limits, channel, record }
    }

    /// Logs when Redis begins to refuse commands and when it accepts them again: the subscription
    /// may work while writes fail.
    fn track_availability<T>(
        &self,
        answer: Result<T, RedisClientError>,
    ) -> Result<T, RegistrationStoreError> {
        let was_down = matches!(self.record.get(), DependencyState::Down { .. });
        match &answer {
            Ok(_) => {
                self.record.succeeded(Instant::now());
                if was_down {
                    tracing::info!("Redis accepts registrations and messages again");
                }
            }
            Err(fault) => {
                self.record.failed(fault.to_string(), Instant::now());
                if !was_down {
                    tracing::warn!("Redis refuses registrations and messages: {fault}");
                }
            }
        }
        Ok(answer?)
    }

    async fn run(
        &self,
        script: &str,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<ScriptReply, RegistrationStoreError> {
        self.run_on(&self.keys, script, keys, arguments).await
    }

    async fn run_on(
        &self,
        client: &RedisClient,
        script: &str,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<ScriptReply, RegistrationStoreError> {
        let keys: Vec<String> =
            ["last"].iter().chain(keys).map(|key| format!("{PREFIX}{key}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.track_availability(client.eval(&scripts::whole(script), &keys, arguments).await)
    }

    async fn run_bool(
        &self,
        script: &str,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<bool, RegistrationStoreError> {
        match self.run(script, keys, arguments).await? {
            ScriptReply::Int(count) => Ok(count > 0),
            _ => Err(unexpected_reply()),
        }
    }

    fn lifetime(&self) -> String {
        self.limits.registration.as_millis().to_string()
    }

    fn replay(&self) -> String {
        // Redis refuses a lifetime of zero.
        self.limits.replay.as_millis().max(1).to_string()
    }

    async fn add(&self, claim: &RegistrationKey) -> Result<(), RegistrationStoreError> {
        let RegistrationKey { user, connection } = claim;
        let (per_user, users) = (self.limits.per_user.to_string(), self.limits.users.to_string());
        let keys = [&*connections(user), "users"];
        let arguments = [connection, user, &*self.lifetime(), &per_user, &users];
        match self.run(scripts::REGISTER, &keys, &arguments).await? {
            ScriptReply::Int(_) => Ok(()),
            ScriptReply::Text(limit) if *limit == *b"users" => {
                Err(RegistrationStoreError::Full("too many users"))
            }
            ScriptReply::Text(_) => {
                Err(RegistrationStoreError::Full("too many connections of one user"))
            }
            _ => Err(unexpected_reply()),
        }
    }

    async fn admit(
        &self,
        claim: &RegistrationKey,
    ) -> Result<Option<SessionEntry>, RegistrationStoreError> {
        let RegistrationKey { user, connection } = claim;
        let keys = [&*connections(user), "users", "first"];
        let notified = replica_events::pair(claim);
        let arguments = [connection, user, &*self.lifetime(), self.channel, &notified];
        let answer = self.run_on(&self.lookups, scripts::ENTER, &keys, &arguments).await?;
        if let ScriptReply::Nil = answer {
            return Ok(None);
        }
        let all: Option<Vec<String>> =
            answer.list().into_iter().map(|answer| answer.text()).collect();
        let [at, notified, before] =
            <[String; 3]>::try_from(all.unwrap_or_default()).map_err(|_| unexpected_reply())?;
        let notified = if notified == "-" { None } else { Some(id(&notified)?) };
        Ok(Some(SessionEntry { at: id(&at)?, notified, before: id(&before)? }))
    }

    async fn renew(
        &self,
        RegistrationRenewal { claim, at, state }: &RegistrationRenewal,
    ) -> Result<Option<ExpiredRegistration>, RegistrationStoreError> {
        let RegistrationKey { user, connection } = claim;
        let notified = match state {
            RegistrationState::Online => "-".to_owned(),
            RegistrationState::Offline(notified) => notified.to_string(),
        };
        let keys = [&*connections(user), "users", "first"];
        let arguments = [connection, user, &*self.lifetime(), &at.to_string(), &notified];
        let newer = match self.run(scripts::KEEP, &keys, &arguments).await? {
            ScriptReply::Int(0) => false,
            ScriptReply::Int(2) => true,
            _ => return Ok(None),
        };
        let expired = ExpiredRegistration { claim: claim.clone(), at: *at, newer };
        Ok(Some(expired).filter(|_| *state == RegistrationState::Online))
    }

    async fn send(
        &self,
        to: &MessageTarget,
        value: &MessageValue,
    ) -> Result<MessageId, RegistrationStoreError> {
        let limits = &self.limits;
        let (most, bytes) = (limits.messages_in_all.to_string(), limits.bytes_in_all.to_string());
        let message = replica_events::message(to, value);
        let arguments = [self.channel, &*message, &self.replay(), &most, &bytes];
        let answer = self.run(scripts::POST, &["log", "bytes"], &arguments).await?;
        id(&answer.text().ok_or_else(unexpected_reply)?)
    }

    async fn messages_after(
        &self,
        after: MessageId,
        most: usize,
    ) -> Result<Vec<StoredMessage>, RegistrationStoreError> {
        let (after, most, bytes) = (after.to_string(), most.to_string(), READ_CHUNK.to_string());
        let arguments = [&*after, &most, &self.replay(), &bytes];
        let answer = self.run(scripts::AFTER, &["log"], &arguments).await?;
        let notified = answer.list().into_iter().filter_map(|entry| match entry {
            ScriptReply::Text(text) => replica_events::read(&text).ok(),
            _ => None,
        });
        Ok(notified
            .filter_map(|replica_events| match replica_events {
                ReplicaEvent::Message(stored) => Some(stored),
                _ => None,
            })
            .collect())
    }

    async fn keep_hook(
        &self,
        key: &HookKey,
        hook: &PrivateHook,
    ) -> Result<(), RegistrationStoreError> {
        let (digest, limits) = (hex(key), &self.limits);
        let expires = millis(hook.expires);
        let written = StoredHook {
            id: hook.id.clone(),
            user: hook.to.user().to_owned(),
            connection: hook.to.connection().map(str::to_owned),
            expires,
            secret: hook.secret.as_ref().map(|secret| secret.expose().to_owned()),
        };
        let written = serde_json::to_string(&written).map_err(|_| unexpected_reply())?;
        let bound = hook.to.connection().map(|only| format!("c{only}")).unwrap_or_default();
        let signed = u8::from(hook.secret.is_some());
        let listed = format!("{expires} {digest} {signed} {bound}");
        let (per_user, all) = (limits.hooks_per_user.to_string(), limits.hooks.to_string());
        let keys = [&*format!("h:{digest}"), &hooks_of(hook.to.user()), "hooks"];
        let arguments =
            [&*hook.id, &listed, &expires.to_string(), &written, &per_user, &all, &digest];
        match self.run(scripts::ADD_HOOK, &keys, &arguments).await? {
            ScriptReply::Int(_) => Ok(()),
            ScriptReply::Text(limit) if *limit == *b"user" => {
                Err(RegistrationStoreError::Full("too many hooks of one user"))
            }
            ScriptReply::Text(_) => Err(RegistrationStoreError::Full("too many hooks")),
            _ => Err(unexpected_reply()),
        }
    }

    async fn look_up(&self, key: &HookKey) -> Result<Option<PrivateHook>, RegistrationStoreError> {
        let written =
            self.track_availability(self.lookups.get(&format!("{PREFIX}h:{}", hex(key))).await)?;
        let Some(written) = written else { return Ok(None) };
        let StoredHook { id, user, connection, expires, secret } =
            serde_json::from_slice(&written).map_err(|_| unexpected_reply())?;
        let to = match connection {
            None => MessageTarget::User(user),
            Some(connection) => MessageTarget::Connection(RegistrationKey { user, connection }),
        };
        Ok(Some(PrivateHook { id, to, expires: time(expires), secret: secret.map(Secret::from) }))
    }

    async fn list(&self, user: &str) -> Result<Vec<HookSummary>, RegistrationStoreError> {
        let answer = self.run(scripts::HOOKS, &[&hooks_of(user)], &[]).await?;
        let texts: Option<Vec<String>> =
            answer.list().into_iter().map(|answer| answer.text()).collect();
        let texts = texts.ok_or_else(unexpected_reply)?;
        let pairs = texts.chunks_exact(2);
        let mut listed: Vec<HookSummary> =
            pairs.filter_map(|pair| read_listed(&pair[0], &pair[1])).collect();
        listed.sort_by_key(|hook| hook.expires);
        Ok(listed)
    }
}

impl RegistrationStore for RedisStore {
    fn register<'a>(&'a self, claim: &'a RegistrationKey) -> StoreFuture<'a, ()> {
        self.add(claim).boxed()
    }

    fn unregister<'a>(&'a self, claim: &'a RegistrationKey) -> StoreFuture<'a, bool> {
        async move {
            let RegistrationKey { user, connection } = claim;
            let keys = [&*connections(user), &hooks_of(user), "hooks"];
            let notified = replica_events::pair(claim);
            let arguments = [&**connection, self.channel, &notified, PREFIX];
            self.run_bool(scripts::UNREGISTER, &keys, &arguments).await
        }
        .boxed()
    }

    fn enter<'a>(&'a self, claim: &'a RegistrationKey) -> StoreFuture<'a, Option<SessionEntry>> {
        self.admit(claim).boxed()
    }

    fn keep<'a>(
        &'a self,
        kept: &'a [RegistrationRenewal],
    ) -> StoreFuture<'a, Vec<ExpiredRegistration>> {
        async move {
            let mut expired = Vec::new();
            for some in kept.chunks(CONCURRENT_RENEWALS) {
                let mut renewals = Vec::with_capacity(some.len());
                for kept in some {
                    renewals.push(self.renew(kept));
                }
                expired.extend(try_join_all(renewals).await?.into_iter().flatten());
            }
            Ok(expired)
        }
        .boxed()
    }

    fn post<'a>(
        &'a self,
        to: &'a MessageTarget,
        value: &'a MessageValue,
    ) -> StoreFuture<'a, MessageId> {
        self.send(to, value).boxed()
    }

    fn after(&self, id: MessageId, most: usize) -> StoreFuture<'_, Vec<StoredMessage>> {
        self.messages_after(id, most).boxed()
    }

    fn add_hook<'a>(&'a self, key: &'a HookKey, hook: &'a PrivateHook) -> StoreFuture<'a, ()> {
        self.keep_hook(key, hook).boxed()
    }

    fn hook<'a>(&'a self, key: &'a HookKey) -> StoreFuture<'a, Option<PrivateHook>> {
        self.look_up(key).boxed()
    }

    fn hooks<'a>(&'a self, user: &'a str) -> StoreFuture<'a, Vec<HookSummary>> {
        self.list(user).boxed()
    }

    fn remove_hook<'a>(&'a self, owner: &'a MessageTarget, id: &'a str) -> StoreFuture<'a, bool> {
        async move {
            let keys = [&*hooks_of(owner.user()), "hooks"];
            let arguments = [id, owner.connection().unwrap_or_default(), PREFIX];
            self.run_bool(scripts::REMOVE_HOOK, &keys, &arguments).await
        }
        .boxed()
    }

    fn insert_once<'a>(&'a self, what: &'a str, seconds: u32) -> StoreFuture<'a, bool> {
        async move {
            let key = format!("s:{what}");
            self.run_bool(scripts::FIRST_TIME, &[&key], &[&seconds.to_string()]).await
        }
        .boxed()
    }
}
