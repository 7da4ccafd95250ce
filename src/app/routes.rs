//! Which host answers a request of the shared listener.

use super::daemon::Placed;
use crate::{
    config::Place,
    front::{self, Routes, routes},
    status::Health,
};
use http::{HeaderMap, Uri, header::HOST};
use std::cmp::Reverse;
use warp::{Filter, filters::BoxedFilter, reply::Response};

/// The routes of all hosts. The longest path is looked at first, and a host that is known by name
/// before one that isn't; whether the daemon can do its job is answered where no host wants the path.
pub(super) fn all(hosts: &[Placed], health: &Health) -> Routes {
    let mut order: Vec<&Placed> = hosts.iter().collect();
    order.sort_by_key(|host| Reverse((host.place.path.len(), !host.place.server_names.is_empty())));
    let placed = order.into_iter().map(|host| {
        let own = host.health(health);
        below(&host.place, host.running.routes.clone().or(healthy(own)).unify().boxed())
    });
    let fallback = healthy(health.clone());
    let placed = placed.reduce(|all, next| all.or(next).unify().boxed());
    routes(match placed {
        Some(placed) => placed.or(fallback).unify().boxed(),
        None => fallback,
    })
}

/// `/health/…`, also below `/push`, which is all that a proxy passes on.
fn healthy(health: Health) -> BoxedFilter<(Response,)> {
    let open = front::health(health);
    open.clone().or(warp::path("push").and(open)).unify().boxed()
}

/// A host's routes at its place.
fn below(place: &Place, routes: BoxedFilter<(Response,)>) -> BoxedFilter<(Response,)> {
    let mut filter = routes;
    for segment in place.path.rsplit('/').filter(|segment| !segment.is_empty()) {
        filter = warp::path(segment.to_owned()).and(filter).boxed();
    }
    if place.server_names.is_empty() {
        return filter;
    }
    let names = place.server_names.clone();
    let asked = warp::header::headers_cloned()
        .and_then(move |headers: HeaderMap| {
            let known = server_name(&headers).is_some_and(|name| names.contains(&name));
            std::future::ready(if known { Ok(()) } else { Err(warp::reject::not_found()) })
        })
        .untuple_one();
    asked.and(filter).boxed()
}

/// The name that a client asked for, in lower case and without a port.
fn server_name(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let name = Uri::try_from(host).ok()?.host()?.to_ascii_lowercase();
    Some(name.trim_end_matches('.').to_owned())
}
