//! Message ids: increasing numbers, with which a client says what it has received.

use serde::{Serialize, Serializer};
use std::{
    fmt,
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

/// The id of a message. Ids increase with time: microseconds since 1970, or the previous id plus
/// one. Written in decimal; below 2^53, so that JavaScript represents them exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MessageId(pub u64);

/// A text that isn't a message id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a message")]
pub struct InvalidMessageId;

impl MessageId {
    /// Largest id: JavaScript's largest exact integer.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The id after this one, for a message that arrives at this time.
    #[must_use]
    pub fn next(self, micros: u64) -> Self {
        Self(micros.max(self.0 + 1)).min(Self::MAX)
    }
}

/// Microseconds since 1970.
pub fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl FromStr for MessageId {
    type Err = InvalidMessageId;

    fn from_str(text: &str) -> Result<Self, InvalidMessageId> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let id = digits.then(|| text.parse().ok().map(Self)).flatten().ok_or(InvalidMessageId)?;
        if id > Self::MAX { Err(InvalidMessageId) } else { Ok(id) }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::MessageId;

    #[test]
    fn only_digits_below_2_to_the_53_are_ids() {
        assert_eq!("0".parse(), Ok(MessageId(0)));
        assert_eq!("1763740800000000".parse(), Ok(MessageId(1_763_740_800_000_000)));
        assert_eq!("9007199254740991".parse(), Ok(MessageId::MAX));
        for text in ["", "-1", "+1", "1.0", "0x1", " 1", "9007199254740992", "99999999999999999999"]
        {
            assert!(text.parse::<MessageId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn ids_grow_though_the_clock_stands_still_or_goes_back() {
        let first = MessageId::default().next(1000);
        assert_eq!(first, MessageId(1000));
        assert_eq!(first.next(1000), MessageId(1001));
        assert_eq!(first.next(7), MessageId(1001));
        assert_eq!(first.next(2000), MessageId(2000));
    }
}
