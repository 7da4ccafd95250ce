//! Reads the chain of addresses that proxies forward.

use super::http::RequestOrigin;
use crate::server::peer::ConnectionPeer;
use http::{HeaderMap, HeaderName};
use std::{convert::Infallible, sync::Arc};
use warp::Filter;

/// The header that carries the chain unless it is set.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Hops that are kept: those nearest to us, as only they can be trusted.
pub(super) const MAX_HOPS: usize = 32;

/// The peer of a request: the socket's address and the chain in the first of `names` that it has.
pub fn peer(
    names: Arc<[HeaderName]>,
) -> impl Filter<Extract = (ConnectionPeer,), Error = Infallible> + Clone + Send + Sync + 'static {
    warp::header::headers_cloned().and(warp::ext::optional::<RequestOrigin>()).map(
        move |headers: HeaderMap, origin: Option<RequestOrigin>| ConnectionPeer {
            address: origin.and_then(|origin| origin.address),
            forwarded: chain(&headers, &names),
        },
    )
}

/// The forwarded chain: the elements of the first of `names` that the request has, client first.
/// Several headers of one name count as one list (RFC 9110 section 5.3).
pub(super) fn chain(headers: &HeaderMap, names: &[HeaderName]) -> Vec<String> {
    let Some(name) = names.iter().find(|name| headers.contains_key(*name)) else {
        return Vec::new();
    };
    let elements = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut hops: Vec<String> = elements
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|hop| !hop.is_empty())
        .map(str::to_owned)
        .collect();
    hops.drain(..hops.len().saturating_sub(MAX_HOPS));
    hops
}

#[cfg(test)]
mod tests {
    use super::{MAX_HOPS, X_FORWARDED_FOR, chain};
    use http::{HeaderMap, HeaderName};

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        list.iter().map(pair).collect()
    }

    #[test]
    fn several_headers_are_one_chain() {
        let headers = headers(&[
            ("x-forwarded-for", "2001:db8::1, 192.0.2.1"),
            ("x-forwarded-for", " 192.0.2.2 ,"),
        ]);
        let names = [X_FORWARDED_FOR];
        assert_eq!(chain(&headers, &names), ["2001:db8::1", "192.0.2.1", "192.0.2.2"]);
    }

    #[test]
    fn the_first_name_that_is_there_counts() {
        let names = [HeaderName::from_static("cf-connecting-ip"), X_FORWARDED_FOR];
        let both = headers(&[("x-forwarded-for", "192.0.2.1"), ("cf-connecting-ip", "192.0.2.9")]);
        assert_eq!(chain(&both, &names), ["192.0.2.9"]);
        let one = headers(&[("x-forwarded-for", "192.0.2.1")]);
        assert_eq!(chain(&one, &names), ["192.0.2.1"]);
        assert!(chain(&one, &[]).is_empty());
    }

    #[test]
    fn of_too_many_hops_the_nearest_are_kept() {
        let hops: Vec<String> = (0..100).map(|hop| hop.to_string()).collect();
        let headers = headers(&[("x-forwarded-for", &hops.join(","))]);
        assert_eq!(chain(&headers, &[X_FORWARDED_FOR]), hops[100 - MAX_HOPS..]);
    }
}
