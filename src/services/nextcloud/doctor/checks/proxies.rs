//! Everybody believes the proxies in between: the forwarded chain, hop by hop, as the daemon sees it
//! and as Nextcloud does.

use super::endpoint::ReachedEndpoint;
use crate::{
    config::SettingSource,
    server::{BindAddress, client_address::hop, proxy_settings::ProxySettings},
    services::nextcloud::{
        doctor::{
            outcome::{CheckFinding, CheckId},
            reverse_proxy::ReverseProxy,
            self_test_token::SelfTestToken,
            target::NextcloudTarget,
        },
        http::{NextcloudClientSettings, NextcloudError, NextcloudSurvey},
        self_test::ForwardedChain,
    },
};
use std::{fmt::Display, net::IpAddr};

/// A client that nobody has: RFC 5737.
const CLIENT: &str = "192.0.2.77";
/// The number of a list that we don't know: no list is longer.
const UNKNOWN_LIST_START: usize = 20;
/// Proxies in a row that are looked at.
const MAX_HOPS: usize = 8;

const WHY: &str = "Nextcloud and the daemon throttle failed log-ins by the client's address. Who does \
    not believe a proxy takes it for the client of everybody: one wrong password then locks all out";

/// Asks Nextcloud as whom it sees a client through this host, then through each proxy before it.
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
        let seen = "Nextcloud believes this host; the proxies before it were not seen, because \
                    endpoint failed";
        return vec![CheckFinding::fine(CheckId::Proxies, seen)];
    };
    match chain(target, reached, token).await {
        Ok(seen) => vec![before(target, survey, token, reached, &seen).await],
        Err(trouble) => vec![unseen(&trouble)],
    }
}

/// The way from here to Nextcloud; none: all is well.
fn last_hop(target: &NextcloudTarget, answer: &str) -> Option<CheckFinding> {
    if answer == CLIENT {
        return None;
    }
    let Ok(seen) = answer.parse::<IpAddr>() else {
        let seen = format!("Nextcloud does not say as whom it sees us: {answer:?}");
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
    Some(trust(finding, target, &[seen]).advise("Then run this again: there may be further hops."))
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
        // What is wrong with the certificate was told; here it only stands in the way.
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
            "what runs at the endpoint is an older daemon, or the original, and can't be asked. \
             Nextcloud itself believes this host",
        ),
        NextcloudError::Forbidden => {
            let seen = "the daemon at the endpoint does not know the token that is in this Redis";
            CheckFinding::wrong(CheckId::Proxies, seen)
                .why("so it listens to another Redis, and hears of no change")
                .advise("Compare its settings with those above:")
                .run("systemctl show notify_push -p Environment -p EnvironmentFiles -p ExecStart")
        }
        other => {
            CheckFinding::hint(CheckId::Proxies, format!("the chain could not be seen: {other}"))
        }
    }
}

/// A proxy before the daemon, and who believes it.
struct ProxyHop {
    ip: IpAddr,
    daemon: bool,
    nextcloud: bool,
}

/// The way from the client to the daemon.
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
    // Whoever stands first is the client; all behind it, and who spoke to the daemon, are proxies.
    let behind = chain.forwarded.iter().skip(1).rev().filter_map(|element| hop(element));
    let mut hops: Vec<ProxyHop> = Vec::new();
    for ip in chain.peer.into_iter().chain(behind).take(MAX_HOPS) {
        if hops.iter().any(|hop| hop.ip == ip) {
            continue;
        }
        let told = survey.remote(token.text(), &format!("{CLIENT}, {ip}")).await;
        let nextcloud = told.is_ok_and(|answer| answer == CLIENT);
        hops.push(ProxyHop { ip, daemon: believes(proxies, ip), nextcloud });
    }
    judge(target, chain, &hops)
}

/// As the daemon does it: loopback is always believed.
fn believes(proxies: &ProxySettings, ip: IpAddr) -> bool {
    ip.is_loopback() || proxies.trusts(ip)
}

fn judge(target: &NextcloudTarget, chain: &ForwardedChain, hops: &[ProxyHop]) -> CheckFinding {
    let client = chain.forwarded.first().map_or("?", String::as_str);
    let good = |hop: &ProxyHop| if hop.daemon && hop.nextcloud { "✓" } else { "✗" };
    let way = hops.iter().rev().map(|hop| format!(" → {} {}", hop.ip, good(hop)));
    let way = format!("client {client}{} → daemon → Nextcloud", way.collect::<String>());
    let missing: Vec<&ProxyHop> = hops.iter().filter(|hop| !hop.daemon || !hop.nextcloud).collect();
    if missing.is_empty() {
        let seen = "the daemon and Nextcloud believe every proxy in between";
        return CheckFinding::fine(CheckId::Proxies, seen).detail(way);
    }
    let names = listed(missing.iter().map(|hop| hop.ip));
    let mut finding = CheckFinding::wrong(CheckId::Proxies, format!("not believed: {names}"))
        .detail(way)
        .why(WHY);
    for hop in &missing {
        let by = match (hop.daemon, hop.nextcloud) {
            (false, false) => "neither by the daemon nor by Nextcloud",
            (false, true) => "not by the daemon",
            _ => "not by Nextcloud",
        };
        finding = finding.detail(format!("{} is believed {by}", hop.ip));
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
        let seen = "Nextcloud believes this host; no proxy stands before the daemon";
        return CheckFinding::fine(CheckId::Proxies, seen);
    }
    let who = peer.map_or_else(|| "the proxy".to_owned(), |ip| format!("the proxy at {ip}"));
    let seen = format!("{who} does not tell the daemon who the client is");
    ReverseProxy::Unknown.advise_forwarded_header(
        CheckFinding::wrong(CheckId::Proxies, seen)
            .detail("client ? → proxy ✗ → daemon → Nextcloud")
            .why(WHY),
    )
}

/// The lines that let Nextcloud believe these.
fn trust(finding: CheckFinding, target: &NextcloudTarget, addresses: &[IpAddr]) -> CheckFinding {
    let first = free_number(target);
    let mut finding = finding.advise("Let Nextcloud believe it, at a number that is free:");
    for (number, ip) in addresses.iter().enumerate() {
        let number = first + number;
        let occ = &target.occ;
        finding =
            finding.run(format!("{occ} config:system:set trusted_proxies {number} --value={ip}"));
    }
    finding
}

/// A number that no entry of Nextcloud's list has. There may be gaps in it, but nothing is replaced:
/// loopback is believed without being in the list, and what is no address was left out with a warning.
fn free_number(target: &NextcloudTarget) -> usize {
    let row = target.rows.iter().find(|row| row.name == "trusted-proxies");
    match row.map(|row| &row.source) {
        Some(SettingSource::File { .. }) => {
            target.settings().proxies.trusted.len() + target.warnings.len()
        }
        Some(SettingSource::Default) => 0,
        _ => UNKNOWN_LIST_START,
    }
}

/// The daemon reads the same list, unless it was given one of its own.
fn trust_in_daemon(
    finding: CheckFinding,
    target: &NextcloudTarget,
    addresses: &[IpAddr],
) -> CheckFinding {
    let row = target.rows.iter().find(|row| row.name == "trusted-proxies");
    match row.map(|row| &row.source) {
        Some(SettingSource::File { .. } | SettingSource::Default) | None => finding
            .advise("The daemon reads the same list when it starts:")
            .run("sudo systemctl restart notify_push"),
        Some(source) => finding
            .advise(format!("The daemon has a list of its own ({source}); it needs them, too:"))
            .paste(format!("TRUSTED_PROXIES=…,{}", listed(addresses.iter()))),
    }
}

fn listed<T: Display>(all: impl Iterator<Item = T>) -> String {
    all.map(|one| one.to_string()).collect::<Vec<_>>().join(",")
}
