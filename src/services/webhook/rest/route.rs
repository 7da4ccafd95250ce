//! Routes of the REST API, matched as Express does: case-insensitive except parameters, one
//! trailing slash ignored, one segment per parameter.

use http::Method;

/// A request with a known route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestRoute {
    /// `PUT /api/{user}/register`.
    Register(String),
    /// `DELETE /api/{user}/register`.
    Unregister(String),
    /// `POST /api/{user}/push`.
    Push(String),
    /// `POST /api/{user}/hooks`.
    MakeHook(String),
    /// `GET /api/{user}/hooks`.
    ListHooks(String),
    /// `DELETE /api/{user}/hooks/{id}`.
    RevokeHook(String, String),
    /// `POST /hook/{capability}`.
    Hook(String),
    /// `OPTIONS /hook/{capability}`.
    HookPreflight,
    /// `GET /api/status/ping`.
    Ping,
    /// `GET /api/status/info`.
    Info,
    /// `GET /api/openapi.json`.
    Description,
}

impl RestRoute {
    /// The route of a path below the service's path, without its leading slash. Parameters are
    /// still encoded: see [`parameter`].
    pub fn read(method: &Method, path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<&str> = path.split('/').collect();
        let is = |segment: &str, name: &str| segment.eq_ignore_ascii_case(name);
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match segments[..] {
            ["", ..] | [_, "", ..] => None,
            [hook, capability] if is(hook, "hook") && method == Method::POST => {
                Some(Self::Hook(capability.to_owned()))
            }
            [hook, _] if is(hook, "hook") && method == Method::OPTIONS => Some(Self::HookPreflight),
            [api, file] if is(api, "api") && is(file, "openapi.json") && reads => {
                Some(Self::Description)
            }
            [api, status, what] if is(api, "api") && is(status, "status") && reads => {
                if is(what, "ping") {
                    Some(Self::Ping)
                } else if is(what, "info") {
                    Some(Self::Info)
                } else {
                    Self::of_user(method, status, what)
                }
            }
            [api, user, what] if is(api, "api") => Self::of_user(method, user, what),
            [api, user, hooks, id]
                if is(api, "api") && is(hooks, "hooks") && method == Method::DELETE =>
            {
                (!id.is_empty()).then(|| Self::RevokeHook(user.to_owned(), id.to_owned()))
            }
            _ => None,
        }
    }

    fn of_user(method: &Method, user: &str, what: &str) -> Option<Self> {
        let (user, what) = (user.to_owned(), what.to_ascii_lowercase());
        match (method.as_str(), &*what) {
            ("PUT", "register") => Some(Self::Register(user)),
            ("DELETE", "register") => Some(Self::Unregister(user)),
            ("POST", "push") => Some(Self::Push(user)),
            ("POST", "hooks") => Some(Self::MakeHook(user)),
            ("GET" | "HEAD", "hooks") => Some(Self::ListHooks(user)),
            _ => None,
        }
    }
}

/// Decodes a path parameter; none if it is badly encoded or not UTF-8.
pub fn parameter(text: &str) -> Option<String> {
    let encoded = text.as_bytes();
    let whole = |at: usize| {
        let digits = encoded.get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let percents = encoded.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    if !percents.map(|(at, _)| at).all(whole) {
        return None;
    }
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Method, RestRoute, parameter};

    #[test]
    fn routes_are_found_as_express_finds_them() {
        let (user, some) = ("u".to_owned(), |call| Some(call));
        for (method, path, expected) in [
            (Method::PUT, "api/u/register", some(RestRoute::Register(user.clone()))),
            (Method::PUT, "API/u/Register/", some(RestRoute::Register(user.clone()))),
            (Method::PUT, "api/U%2f/register", some(RestRoute::Register("U%2f".into()))),
            (Method::PUT, "api/u/register//", None),
            (Method::PUT, "api//register", None),
            (Method::PUT, "/api/u/register", None),
            (Method::GET, "api/u/register", None),
            (Method::DELETE, "api/u/register", some(RestRoute::Unregister(user.clone()))),
            (Method::POST, "api/u/push", some(RestRoute::Push(user.clone()))),
            (Method::PUT, "api/u/push", None),
            (Method::POST, "api/status/push", some(RestRoute::Push("status".into()))),
            (Method::GET, "api/status/ping", some(RestRoute::Ping)),
            (Method::HEAD, "api/Status/PING/", some(RestRoute::Ping)),
            (Method::GET, "api/status/info", some(RestRoute::Info)),
            (Method::GET, "api/status/hooks", some(RestRoute::ListHooks("status".into()))),
            (Method::POST, "api/status/ping", None),
            (Method::GET, "api/status", None),
            (Method::GET, "api/openapi.json", some(RestRoute::Description)),
            (Method::POST, "api/u/hooks", some(RestRoute::MakeHook(user.clone()))),
            (Method::DELETE, "api/u/hooks/1", some(RestRoute::RevokeHook(user, "1".into()))),
            (Method::DELETE, "api/u/hooks/", None),
            (Method::POST, "hook/aB-", some(RestRoute::Hook("aB-".into()))),
            (Method::POST, "Hook/aB-/", some(RestRoute::Hook("aB-".into()))),
            (Method::GET, "hook/aB-", None),
            (Method::POST, "hook", None),
            (Method::POST, "hook/a/b", None),
            (Method::GET, "", None),
        ] {
            assert_eq!(RestRoute::read(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_parameter_is_decoded_once() {
        for (text, expected) in [
            ("u-1", Some("u-1")),
            ("a%2Fb", Some("a/b")),
            ("%C3%A9", Some("é")),
            ("%2541", Some("%41")),
            ("a+b", Some("a+b")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(parameter(text).as_deref(), expected, "{text}");
        }
    }
}
