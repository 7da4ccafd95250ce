//! Checks that the daemon and Nextcloud trust the reverse proxies, hop by hop in the forwarded chain.

use super::endpoint::ReachedEndpoint;
use crate::{
    config::{SettingSource, setting::TRUSTED_PROXIES},
    doctor::{CheckFinding, CheckId},
    server::{BindAddress, client_address::hop, proxy_settings::ProxySettings},
    services::nextcloud::{
        doctor::{
            reverse_proxy::ReverseProxy, self_test_token::SelfTestToken, target::NextcloudTarget,
        },
        http::{NextcloudClientSettings, NextcloudError, NextcloudSurvey},
        self_test::ForwardedChain,
    },
};
use std::{fmt::Display, net::IpAddr};

/// A client address for documentation: RFC 5737.
pub(in crate::services::nextcloud::doctor) const CLIENT: &str = "192.0.2.77";
/// A free index for an unknown list; no list is longer.
const UNKNOWN_LIST_START: usize = 20;
/// The most proxies in a chain that are checked.
const MAX_HOPS: usize = 8;

const WHY: &str = "Nextcloud and the daemon throttle failed logins by the client's address. An untrusted \
    proxy counts as the client of all users: one wrong password then locks them all out";

/// Asks Nextcloud which client address it sees through this host, then through each proxy before it.
pub(in crate::services::nextcloud::doctor) async fn check(
    target: &NextcloudTarget,
    survey: &NextcloudSurvey,
    token: &SelfTestToken,
    reached: Option<&ReachedEndpoint>,
) -> Vec<CheckFinding> {
    let last = match survey.remote(token.text(), CLIENT).await {
        Ok(answer) => last_hop(target, &answer),
        Err(trouble) => Some(CheckFinding::wrong(CheckId::Proxies, trouble.to_string()).why(WHY)),
    };
    if let Some(finding) = last {
        return vec![finding];
    }
    let Some(reached) = reached else {
        let seen = "Nextcloud trusts this host; the proxies before it were not checked, because \
                    endpoint failed";
        return vec![CheckFinding::fine(CheckId::Proxies, seen)];
    };
    match chain(target, reached, token).await {
        Ok(seen) => vec![before(target, survey, token, reached, &seen).await],
        Err(trouble) => vec![unseen(&trouble)],
    }
}

/// Checks the hop from this host to Nextcloud; None if nothing is wrong.
fn last_hop(target: &NextcloudTarget, answer: &str) -> Option<CheckFinding> {
    if answer == CLIENT {
        return None;
    }
    let Ok(seen) = answer.parse::<IpAddr>() else {
        let seen = format!("Nextcloud does not report the client address that it sees: {answer:?}");
        return Some(CheckFinding::wrong(CheckId::Proxies, seen).why(WHY));
    };
    let seen = seen.to_canonical();
    let finding = CheckFinding::wrong(
        CheckId::Proxies,
        format!("Nextcloud takes {seen} for the client: it is not a trusted proxy"),
    )
    .detail(format!("client {CLIENT} → daemon on this host → {seen} ✗ → Nextcloud"))
    .detail(
        "the address is this host's, or that of a proxy between the daemon and Nextcloud when \
         NEXTCLOUD_URL leads through one",
    )
    .why(WHY);
    Some(
        trust(finding, target, &[seen])
            .advise("Then run the doctor again: there may be further hops."),
    )
}

async fn chain(
    target: &NextcloudTarget,
    reached: &ReachedEndpoint,
    token: &SelfTestToken,
) -> Result<ForwardedChain, NextcloudError> {
    let mut base = reached.url.clone();
    let scheme = if base.scheme() == "wss" { "https" } else { "http" };
    let no_url = |()| NextcloudError::Setup(format!("{} is no address", reached.url));
    base.set_scheme(scheme).map_err(no_url)?;
    let path = base.path().trim_end_matches("ws").to_owned();
    base.set_path(&path);
    let settings = NextcloudClientSettings {
        // The endpoint check reports a bad certificate; here it doesn't matter.
        allow_self_signed: true,
        user_agent: target.settings().nextcloud.user_agent.clone(),
        ..NextcloudClientSettings::new(base)
    };
    NextcloudSurvey::new(settings).chain(token.text()).await
}

fn unseen(trouble: &NextcloudError) -> CheckFinding {
    match trouble {
        NextcloudError::NoApp => CheckFinding::skipped(
            CheckId::Proxies,
            "the daemon at the endpoint is an older version or the original and doesn't answer this \
             question. Nextcloud itself trusts this host",
        ),
        NextcloudError::Forbidden => {
            let seen = "the daemon at the endpoint does not know the token that is in this Redis";
            CheckFinding::wrong(CheckId::Proxies, seen)
                .why("so it uses another Redis, and receives no change")
                .advise("Compare its settings with those above:")
                .run("systemctl show notify_push -p Environment -p EnvironmentFiles -p ExecStart")
        }
        other => {
            CheckFinding::hint(CheckId::Proxies, format!("the chain could not be read: {other}"))
        }
    }
}

/// A proxy before the daemon, and which side trusts it.
struct ProxyHop {
    ip: IpAddr,
    daemon: bool,
    nextcloud: bool,
}

/// Checks the path from the client to the daemon.
async fn before(
    target: &NextcloudTarget,
    survey: &NextcloudSurvey,
    token: &SelfTestToken,
    reached: &ReachedEndpoint,
    chain: &ForwardedChain,
) -> CheckFinding {
    let proxies = &target.settings().proxies;
    if chain.forwarded.is_empty() {
        return missing_forwarded_header(target, reached, chain.peer);
    }
    // The first element is the client; the others and the daemon's peer are proxies.
    let behind = chain.forwarded.iter().skip(1).rev().filter_map(|element| hop(element));
    let mut hops: Vec<ProxyHop> = Vec::new();
    for ip in chain.peer.into_iter().chain(behind).take(MAX_HOPS) {
        if hops.iter().any(|hop| hop.ip == ip) {
            continue;
        }
        let answer = survey.remote(token.text(), &format!("{CLIENT}, {ip}")).await;
        let nextcloud = answer.is_ok_and(|answer| answer == CLIENT);
        hops.push(ProxyHop { ip, daemon: trusts(proxies, ip), nextcloud });
    }
    judge(target, chain, &hops)
}

/// Whether the daemon trusts an address; it always trusts loopback.
fn trusts(proxies: &ProxySettings, ip: IpAddr) -> bool {
    ip.is_loopback() || proxies.trusts(ip)
}

fn judge(target: &NextcloudTarget, chain: &ForwardedChain, hops: &[ProxyHop]) -> CheckFinding {
    let client = chain.forwarded.first().map_or("?", String::as_str);
    let good = |hop: &ProxyHop| if hop.daemon && hop.nextcloud { "✓" } else { "✗" };
    let path = hops.iter().rev().map(|hop| format!(" → {} {}", hop.ip, good(hop)));
    let path = format!("client {client}{} → daemon → Nextcloud", path.collect::<String>());
    let missing: Vec<&ProxyHop> = hops.iter().filter(|hop| !hop.daemon || !hop.nextcloud).collect();
    if missing.is_empty() {
        let seen = "the daemon and Nextcloud trust every proxy in between";
        return CheckFinding::fine(CheckId::Proxies, seen).detail(path);
    }
    let names = listed(missing.iter().map(|hop| hop.ip));
    let mut finding = CheckFinding::wrong(CheckId::Proxies, format!("not trusted: {names}"))
        .detail(path)
        .why(WHY);
    for hop in &missing {
        let by = match (hop.daemon, hop.nextcloud) {
            (false, false) => "neither by the daemon nor by Nextcloud",
            (false, true) => "not by the daemon",
            _ => "not by Nextcloud",
        };
        finding = finding.detail(format!("{} is trusted {by}", hop.ip));
    }
    let theirs: Vec<IpAddr> =
        missing.iter().filter(|hop| !hop.nextcloud).map(|hop| hop.ip).collect();
    if !theirs.is_empty() {
        finding = trust(finding, target, &theirs);
    }
    let ours: Vec<IpAddr> = missing.iter().filter(|hop| !hop.daemon).map(|hop| hop.ip).collect();
    if ours.is_empty() { finding } else { trust_in_daemon(finding, target, &ours) }
}

fn missing_forwarded_header(
    target: &NextcloudTarget,
    reached: &ReachedEndpoint,
    peer: Option<IpAddr>,
) -> CheckFinding {
    let listens = match &target.listen.bind {
        BindAddress::Tcp { port, .. } => Some(*port),
        BindAddress::Unix { .. } => None,
    };
    if listens.is_some() && reached.url.port_or_known_default() == listens {
        let seen = "Nextcloud trusts this host; there is no proxy before the daemon";
        return CheckFinding::fine(CheckId::Proxies, seen);
    }
    let who = peer.map_or_else(|| "the proxy".to_owned(), |ip| format!("the proxy at {ip}"));
    let seen = format!("{who} does not forward the client's address");
    ReverseProxy::Unknown.advise_forwarded_header(
        CheckFinding::wrong(CheckId::Proxies, seen)
            .detail("client ? → proxy ✗ → daemon → Nextcloud")
            .why(WHY),
    )
}

/// Adds the commands that make Nextcloud trust these addresses.
fn trust(finding: CheckFinding, target: &NextcloudTarget, addresses: &[IpAddr]) -> CheckFinding {
    let first = free_number(target);
    let mut finding = finding.advise("Let Nextcloud trust it, at a free number of the list:");
    for (number, ip) in addresses.iter().enumerate() {
        let number = first + number;
        let occ = &target.occ;
        finding =
            finding.run(format!("{occ} config:system:set trusted_proxies {number} --value={ip}"));
    }
    finding
}

/// A free index of Nextcloud's list; it may leave gaps but replaces no entry. The daemon's list also has
/// loopback, and lacks entries that caused a warning.
fn free_number(target: &NextcloudTarget) -> usize {
    let row = target.rows.iter().find(|row| row.name == TRUSTED_PROXIES.name);
    match row.map(|row| &row.source) {
        Some(SettingSource::File { .. }) => {
            target.settings().proxies.trusted.len() + target.warnings.len()
        }
        Some(SettingSource::Default) => 0,
        _ => UNKNOWN_LIST_START,
    }
}

/// Adds how to make the daemon trust these addresses: it reads Nextcloud's list unless it has its own.
fn trust_in_daemon(
    finding: CheckFinding,
    target: &NextcloudTarget,
    addresses: &[IpAddr],
) -> CheckFinding {
    let row = target.rows.iter().find(|row| row.name == TRUSTED_PROXIES.name);
    match row.map(|row| &row.source) {
        Some(SettingSource::File { .. } | SettingSource::Default) | None => finding
            .advise("The daemon reads the same list when it starts:")
            .run("sudo systemctl restart notify_push"),
        Some(source) => finding
            .advise(format!("The daemon has its own list ({source}), which needs them, too:"))
            .paste(format!("TRUSTED_PROXIES=…,{}", listed(addresses.iter()))),
    }
}

fn listed<T: Display>(all: impl Iterator<Item = T>) -> String {
    all.map(|one| one.to_string()).collect::<Vec<_>>().join(",")
}
