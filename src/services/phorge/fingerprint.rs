//! What this server is called among its peers while it runs (`specs/aphlict.md` section 8).

use std::{fmt, sync::Arc};

/// Symbols that nobody takes for one another when reading them aloud.
const SYMBOLS: &[u8; 55] = b"23456789abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
const LENGTH: usize = 16;

/// A fingerprint. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFingerprint(Arc<str>);

impl ServerFingerprint {
    /// A new one.
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let symbols = (0..LENGTH).map(|_| char::from(SYMBOLS[rng.usize(..SYMBOLS.len())]));
        Self(symbols.collect::<String>().into())
    }

    /// Its text, which needs no escaping.
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
    fn sixteen_symbols_none_of_which_looks_like_another() {
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
