//! Reads the chain of addresses that proxies forward.

use super::http::RequestOrigin;
use crate::server::peer::ConnectionPeer;
use http::{HeaderMap, HeaderName};
use std::{convert::Infallible, sync::Arc};
use warp::Filter;

/// The header that carries the chain unless it is set.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Read where [`X_FORWARDED_FOR`] is asked for and absent, in this order: some proxies send only these.
const FALLBACKS: [HeaderName; 2] =
    [HeaderName::from_static("x-real-ip"), HeaderName::from_static("forwarded")];

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

/// The forwarded chain: the elements of the first of `names` that the request has, client first. With
/// [`X_FORWARDED_FOR`] among them, `X-Real-IP` and `Forwarded` stand in for it.
/// Several headers of one name count as one list (RFC 9110 section 5.3).
pub(super) fn chain(headers: &HeaderMap, names: &[HeaderName]) -> Vec<String> {
    let fallbacks = FALLBACKS;
    let fallbacks = fallbacks.iter().filter(|_| names.contains(&X_FORWARDED_FOR));
    let Some(name) = names.iter().chain(fallbacks).find(|name| headers.contains_key(*name)) else {
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

    #[test]
    fn other_headers_stand_in_for_x_forwarded_for() {
        let names = [X_FORWARDED_FOR];
        let real = ("x-real-ip", "192.0.2.7");
        let forwarded = ("forwarded", "for=\"[2001:db8::1]:47\";proto=https, for=192.0.2.8");
        assert_eq!(chain(&headers(&[real, forwarded]), &names), ["192.0.2.7"]);
        let all = [("x-forwarded-for", "192.0.2.1"), real, forwarded];
        assert_eq!(chain(&headers(&all), &names), ["192.0.2.1"]);
        let elements = ["for=\"[2001:db8::1]:47\";proto=https", "for=192.0.2.8"];
        assert_eq!(chain(&headers(&[forwarded]), &names), elements);
    }

    #[test]
    fn with_another_header_configured_nothing_stands_in() {
        let names = [HeaderName::from_static("cf-connecting-ip")];
        let sent = headers(&[("x-real-ip", "192.0.2.7"), ("forwarded", "for=192.0.2.8")]);
        assert!(chain(&sent, &names).is_empty());
    }
}
