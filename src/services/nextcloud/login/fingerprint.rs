//! Recognizes credentials seen before without keeping them.

use crate::{push::LoginCredentials, server::client_address::ClientNetwork};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use zeroize::ZeroizeOnDrop;

/// Stands for one user name, password and origin; tells nothing without the key.
pub type ClaimFingerprint = [u8; 16];

/// Makes fingerprints with a key that lives as long as the process, so that what a memory dump or a
/// bug shows of a table can't be tried against a list of passwords elsewhere.
#[derive(ZeroizeOnDrop)]
pub struct ClaimFingerprinter {
    key: [u8; 32],
}

impl ClaimFingerprinter {
    /// With this key, which comes from the system's random numbers.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The same for the same user name, password and origin, and for nothing else.
    pub fn of(&self, origin: ClientNetwork, credentials: &LoginCredentials) -> ClaimFingerprint {
        let mut hash = Sha256::new_with_prefix(self.key);
        match origin {
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
        // With its length in front the user name can't run over into the password.
        hash.update(credentials.user.len().to_le_bytes());
        hash.update(credentials.user.as_bytes());
        hash.update(credentials.password.expose().as_bytes());
        let mut short = ClaimFingerprint::default();
        short.copy_from_slice(&hash.finalize()[..16]);
        short
    }

    /// The same for a user name however it is typed: case and surrounding white space don't matter.
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
    fn whatever_differs_makes_another_fingerprint() {
        let network = |text: &str| ClientNetwork::Network(text.parse().unwrap());
        let claims = [
            (ClientNetwork::Local, credentials("alice", "secret")),
            (ClientNetwork::Local, credentials("alices", "ecret")),
            (ClientNetwork::Local, credentials("Alice", "secret")),
            (network("0.0.0.0"), credentials("alice", "secret")),
            (network("::"), credentials("alice", "secret")),
            (network("::ffff:0.0.0.0"), credentials("alice", "secret")),
        ];
        let (ours, theirs) = (ClaimFingerprinter::new([1; 32]), ClaimFingerprinter::new([2; 32]));
        let all: HashSet<_> = claims
            .iter()
            .flat_map(|(origin, claim)| [ours.of(*origin, claim), theirs.of(*origin, claim)])
            .collect();
        assert_eq!(all.len(), 2 * claims.len());
    }

    #[test]
    fn a_name_is_the_same_however_it_is_typed() {
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
