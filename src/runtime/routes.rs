//! Routes a request of the shared listener to its service.

use super::started_service::StartedService;
use crate::{
    config::ServiceRoute,
    health::HealthRegistry,
    server::{HttpRoutes, routes},
};
use http::{HeaderMap, Uri, header::HOST};
use std::cmp::Reverse;
use warp::{Filter, filters::BoxedFilter, reply::Response};

/// The routes of all services: the longest path first, and a service with a server name before one
/// without. Health requests are answered where no service takes them.
pub(super) fn service_routes(services: &[StartedService], health: &HealthRegistry) -> HttpRoutes {
    let mut order: Vec<&StartedService> = services.iter().collect();
    order.sort_by_key(|service| {
        Reverse((service.route.path.len(), !service.route.server_names.is_empty()))
    });
    let mounted = order.into_iter().filter_map(|service| {
        let routes = service.running.routes.clone()?;
        let own_health = health_routes(service.health(health));
        Some(mount(&service.route, routes.or(own_health).unify().boxed()))
    });
    let mounted = mounted.collect::<Vec<_>>();
    let fallback = health_routes(health.clone());
    routes(match first_of(&mounted) {
        Some(mounted) => mounted.or(fallback).unify().boxed(),
        None => fallback,
    })
}

/// The first filter that takes a request. Nested no deeper than the logarithm of their number, as each
/// level takes stack.
fn first_of(filters: &[BoxedFilter<(Response,)>]) -> Option<BoxedFilter<(Response,)>> {
    let (front, back) = filters.split_at(filters.len() / 2);
    match (front, back) {
        ([], []) => None,
        ([], [only]) => Some(only.clone()),
        _ => Some(first_of(front)?.or(first_of(back)?).unify().boxed()),
    }
}

/// `/health/…`, also below `/push`, which is all that a proxy passes on.
fn health_routes(health: HealthRegistry) -> BoxedFilter<(Response,)> {
    let open = crate::runtime::health_routes::health(health);
    open.clone().or(warp::path("push").and(open)).unify().boxed()
}

/// Mounts routes at a path, for some server names.
fn mount(route: &ServiceRoute, routes: BoxedFilter<(Response,)>) -> BoxedFilter<(Response,)> {
    let mut filter = routes;
    for segment in route.path.rsplit('/').filter(|segment| !segment.is_empty()) {
        filter = warp::path(segment.to_owned()).and(filter).boxed();
    }
    if route.server_names.is_empty() {
        return filter;
    }
    let names = route.server_names.clone();
    let asked = warp::header::headers_cloned()
        .and_then(move |headers: HeaderMap| {
            let known = server_name(&headers).is_some_and(|name| names.contains(&name));
            std::future::ready(if known { Ok(()) } else { Err(warp::reject::not_found()) })
        })
        .untuple_one();
    asked.and(filter).boxed()
}

/// The requested server name in lower case, without its port.
fn server_name(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let name = Uri::try_from(host).ok()?.host()?.to_ascii_lowercase();
    Some(name.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::{BoxedFilter, Filter, Response, first_of};
    use bytes::Bytes;
    use http::{Request, StatusCode};
    use http_body_util::{BodyExt, Empty};
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    /// Takes paths of its own number and above, and says which one it is.
    fn numbered(number: u16) -> BoxedFilter<(Response,)> {
        warp::path::param()
            .and_then(move |asked: u16| async move {
                let taken = asked >= number;
                taken.then(|| Response::new(number.to_string().into())).ok_or_else(warp::reject)
            })
            .boxed()
    }

    async fn answer(all: &BoxedFilter<(Response,)>, path: &str) -> (StatusCode, String) {
        let service = TowerToHyperService::new(warp::service(all.clone()));
        let request = Request::builder().uri(path).body(Empty::<Bytes>::new()).unwrap();
        let reply = service.call(request).await.unwrap();
        let status = reply.status();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_first_that_takes_a_request_answers_however_many_there_are() {
        assert!(first_of(&[]).is_none());
        for count in [1_u16, 2, 3, 7, 1000] {
            let filters: Vec<_> = (1..=count).rev().map(numbered).collect();
            let all = first_of(&filters).unwrap();
            for asked in [1, count / 2 + 1, count] {
                let path = format!("/{asked}");
                assert_eq!(answer(&all, &path).await, (StatusCode::OK, asked.to_string()));
            }
            assert_eq!(answer(&all, "/0").await.0, StatusCode::NOT_FOUND);
        }
    }
}
