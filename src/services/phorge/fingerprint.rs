//! The server's random name among its peers, new at each start (`specs/aphlict.md` section 8).

use std::{fmt, sync::Arc};

/// Symbols that can't be mistaken for one another.
const SYMBOLS: &[u8; 55] = b"23456789abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
const LENGTH: usize = 16;

/// The name of one running server. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFingerprint(Arc<str>);

impl ServerFingerprint {
    /// Draws a random name.
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let symbols = (0..LENGTH).map(|_| char::from(SYMBOLS[rng.usize(..SYMBOLS.len())]));
        Self(symbols.collect::<String>().into())
    }

    /// The text; it needs no escaping in JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{SYMBOLS, ServerFingerprint};

    #[test]
    fn it_has_sixteen_unambiguous_symbols() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (one, two) = (ServerFingerprint::draw(&mut rng), ServerFingerprint::draw(&mut rng));
        assert_ne!(one, two);
        for symbol in one.as_str().chars().chain(two.as_str().chars()) {
            assert!(symbol.is_ascii_alphanumeric() && !"iloIO01".contains(symbol), "{symbol}");
        }
        assert_eq!(one.as_str().len(), 16);
        let mut symbols = SYMBOLS.to_vec();
        symbols.sort_unstable();
        symbols.dedup();
        assert_eq!(symbols.len(), 55);
    }
}
