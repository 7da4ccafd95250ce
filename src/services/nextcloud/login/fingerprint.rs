//! Recognizes credentials without storing them.

use crate::{push::LoginCredentials, server::client_address::ClientNetwork};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use zeroize::ZeroizeOnDrop;

/// A digest of user name, password and network; useless without the key.
pub type ClaimFingerprint = [u8; 16];

/// Makes fingerprints with a key that lives as long as the process, so that a table leaked by a
/// memory dump or a bug can't be attacked with a list of passwords elsewhere.
#[derive(ZeroizeOnDrop)]
pub struct ClaimFingerprinter {
    key: [u8; 32],
}

impl ClaimFingerprinter {
    /// A fingerprinter with this key, which comes from the system's random numbers.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// Equal only for the same user name, password and network.
    pub fn of(&self, network: ClientNetwork, credentials: &LoginCredentials) -> ClaimFingerprint {
        let mut hash = Sha256::new_with_prefix(self.key);
        match network {
            ClientNetwork::Local => hash.update([0; 17]),
            ClientNetwork::Network(IpAddr::V4(v4)) => {
                hash.update([4]);
                hash.update(v4.to_ipv6_mapped().octets());
            }
            ClientNetwork::Network(IpAddr::V6(v6)) => {
                hash.update([6]);
                hash.update(v6.octets());
            }
        }
        // The length in front separates the user name from the password.
        hash.update(credentials.user.len().to_le_bytes());
        hash.update(credentials.user.as_bytes());
        hash.update(credentials.password.expose().as_bytes());
        let mut short = ClaimFingerprint::default();
        short.copy_from_slice(&hash.finalize()[..16]);
        short
    }

    /// A digest of a user name that ignores case and surrounding white space.
    pub fn name(&self, user: &str) -> u64 {
        let mut hash = Sha256::new_with_prefix(self.key);
        hash.update(user.trim().to_lowercase().as_bytes());
        let mut short = [0; 8];
        short.copy_from_slice(&hash.finalize()[..8]);
        u64::from_le_bytes(short)
    }
}

#[cfg(test)]
mod tests {
    use super::ClaimFingerprinter;
    use crate::{push::LoginCredentials, server::client_address::ClientNetwork};
    use std::collections::HashSet;

    fn credentials(user: &str, password: &str) -> LoginCredentials {
        LoginCredentials { user: user.into(), password: password.into() }
    }

    #[test]
    fn every_difference_makes_another_fingerprint() {
        let at = |text: &str| ClientNetwork::Network(text.parse().unwrap());
        let claims = [
            (ClientNetwork::Local, credentials("alice", "secret")),
            (ClientNetwork::Local, credentials("alices", "ecret")),
            (ClientNetwork::Local, credentials("Alice", "secret")),
            (at("0.0.0.0"), credentials("alice", "secret")),
            (at("::"), credentials("alice", "secret")),
            (at("::ffff:0.0.0.0"), credentials("alice", "secret")),
        ];
        let (ours, theirs) = (ClaimFingerprinter::new([1; 32]), ClaimFingerprinter::new([2; 32]));
        let all: HashSet<_> = claims
            .iter()
            .flat_map(|(network, claim)| [ours.of(*network, claim), theirs.of(*network, claim)])
            .collect();
        assert_eq!(all.len(), 2 * claims.len());
    }

    #[test]
    fn a_name_ignores_case_and_white_space() {
        let prints = ClaimFingerprinter::new([7; 32]);
        assert_eq!(prints.name(" ÄLICE\t"), prints.name("älice"));
        assert_ne!(prints.name("alice"), prints.name("alicia"));
    }

    #[test]
    fn the_same_claim_is_recognized() {
        let prints = ClaimFingerprinter::new([7; 32]);
        let print = || prints.of(ClientNetwork::Local, &credentials("alice", "secret"));
        assert_eq!(print(), print());
    }
}
