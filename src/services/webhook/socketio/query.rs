//! What a request to `/socket.io/` asks for, read the way the original reads it.

use url::form_urlencoded;

/// The longest session id that is looked up.
const MAX_SID: usize = 64;

/// Which generation of clients (`specs/webhook-push.md` section 3): what a client doesn't say, or says
/// in a way nobody knows, is the older one, as at the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineGeneration {
    /// Engine.IO 3: `socket.io-client` 1.x and 2.x.
    #[default]
    Third,
    /// Engine.IO 4: 3.x and 4.x.
    Fourth,
}

/// How a client wants to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineTransport {
    /// One request for what there is to hear, one for what there is to say.
    Polling,
    /// What it says.
    WebSocket,
}

/// A request's query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineQuery {
    /// `EIO`.
    pub generation: EngineGeneration,
    /// `transport`; none: unknown.
    pub transport: Option<EngineTransport>,
    /// `sid`: the session it belongs to; none: it begins one.
    pub sid: Option<String>,
    /// `j`: the answer is a script that calls the callback of this number.
    pub callback: Option<u64>,
    /// `b64`: the client can't read binary answers.
    pub text_only: bool,
}

impl EngineQuery {
    /// Reads a raw query. Of what comes twice the last counts; what can't be read isn't there.
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

    /// The same as the library wants it, with nothing in it that isn't known to be harmless.
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
    /// As it stands in queries.
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
    fn a_query_is_read_and_handed_on_without_what_nobody_knows() {
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
    fn what_is_no_session_id_is_handed_on_as_one_that_nobody_has() {
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
