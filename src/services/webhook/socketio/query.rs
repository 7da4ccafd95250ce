//! Query of a request to `/socket.io/`, parsed as the original does.

use url::form_urlencoded;

/// Maximum length of a session id.
const MAX_SID: usize = 64;

/// Generation of clients (`specs/webhook-push.md` section 3). A missing or unknown value means the
/// older one, as in the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineGeneration {
    /// Engine.IO 3: `socket.io-client` 1.x and 2.x.
    #[default]
    Third,
    /// Engine.IO 4: 3.x and 4.x.
    Fourth,
}

/// Transport of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineTransport {
    /// HTTP long polling: GET to receive, POST to send.
    Polling,
    /// A single WebSocket connection.
    WebSocket,
}

/// Parsed query of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineQuery {
    /// The parameter `EIO`.
    pub generation: EngineGeneration,
    /// Parameter `transport`; none if unknown.
    pub transport: Option<EngineTransport>,
    /// Parameter `sid`: the session; none begins a new one.
    pub sid: Option<String>,
    /// Parameter `j`: number of the JSONP callback.
    pub callback: Option<u64>,
    /// Parameter `b64`: the client can't read binary responses.
    pub text_only: bool,
}

impl EngineQuery {
    /// Parses a raw query. Of duplicate parameters the last counts; invalid values count as absent.
    pub fn parse(raw: &str) -> Self {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
            match &*name {
                "EIO" if value == "4" => query.generation = EngineGeneration::Fourth,
                "transport" => query.transport = EngineTransport::parse(&value),
                "sid" => query.sid = Some(value.into_owned()),
                "j" => query.callback = value.parse().ok(),
                "b64" => query.text_only = true,
                _ => {}
            }
        }
        query
    }

    /// The query for the library, with known values only.
    pub fn uri(&self) -> String {
        let generation = self.generation.number();
        let transport = match self.transport {
            Some(EngineTransport::Polling) => "polling",
            Some(EngineTransport::WebSocket) => "websocket",
            None => "unknown",
        };
        let mut uri = format!("/socket.io/?EIO={generation}&transport={transport}");
        if let Some(sid) = &self.sid {
            uri.push_str("&sid=");
            uri.push_str(if is_sid(sid) { sid } else { "unknown" });
        }
        if self.text_only || self.callback.is_some() {
            uri.push_str("&b64=1");
        }
        uri
    }
}

impl EngineGeneration {
    /// The value of the parameter `EIO`.
    pub fn number(self) -> u8 {
        match self {
            Self::Third => 3,
            Self::Fourth => 4,
        }
    }
}

impl EngineTransport {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "polling" => Some(Self::Polling),
            "websocket" => Some(Self::WebSocket),
            _ => None,
        }
    }
}

fn is_sid(sid: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_SID).contains(&sid.len()) && sid.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use super::{EngineGeneration, EngineQuery, EngineTransport};

    #[test]
    fn a_query_is_parsed_and_forwarded_without_unknown_parameters() {
        let query = EngineQuery::parse("EIO=4&transport=polling&t=Oabc&sid=a-_9&b64=1&x=%00");
        assert_eq!(query.generation, EngineGeneration::Fourth);
        assert_eq!(query.uri(), "/socket.io/?EIO=4&transport=polling&sid=a-_9&b64=1");
    }

    #[test]
    fn an_unknown_generation_is_the_older_one() {
        for raw in ["transport=websocket", "EIO=2&transport=websocket", "EIO=&transport=websocket"]
        {
            let query = EngineQuery::parse(raw);
            assert_eq!(query.transport, Some(EngineTransport::WebSocket));
            assert_eq!(query.uri(), "/socket.io/?EIO=3&transport=websocket");
        }
    }

    #[test]
    fn an_invalid_session_id_is_forwarded_as_an_unknown_one() {
        for sid in ["", "a%26transport%3Dwebsocket", &"x".repeat(65), "%0d%0a", "é"] {
            let query = EngineQuery::parse(&format!("EIO=3&transport=polling&sid={sid}"));
            assert_eq!(query.uri(), "/socket.io/?EIO=3&transport=polling&sid=unknown");
        }
    }

    #[test]
    fn a_callback_is_a_number_or_not_there() {
        assert_eq!(EngineQuery::parse("j=12").callback, Some(12));
        for bad in ["j=", "j=alert(1)", "j=-1", "j=1%5D"] {
            assert_eq!(EngineQuery::parse(bad).callback, None);
        }
    }
}
