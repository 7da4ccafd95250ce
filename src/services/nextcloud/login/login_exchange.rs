//! The two text frames of a login in the Nextcloud protocol: user name, then password.

use crate::{config::secret::Secret, push::LoginCredentials};

/// Collects both frames (`specs/nextcloud.md` section 3).
#[derive(Debug, Default)]
pub struct LoginExchange {
    user: Option<String>,
}

/// The state after a frame.
#[derive(Debug)]
pub enum LoginProgress {
    /// The user name is known; the password is missing.
    More,
    /// Both frames have arrived.
    Complete(LoginCredentials),
}

impl LoginExchange {
    /// Takes one text frame. Surrounding white space is ignored.
    pub fn receive(&mut self, text: &str) -> LoginProgress {
        let text = text.trim();
        match self.user.take() {
            None => {
                self.user = Some(text.to_owned());
                LoginProgress::More
            }
            Some(user) => {
                LoginProgress::Complete(LoginCredentials { user, password: Secret::from(text) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LoginExchange, LoginProgress};

    #[test]
    fn two_frames_make_credentials_without_their_white_space() {
        let mut exchange = LoginExchange::default();
        assert!(matches!(exchange.receive(" alice\n"), LoginProgress::More));
        let LoginProgress::Complete(credentials) = exchange.receive("\tpass word ") else {
            panic!()
        };
        assert_eq!(credentials.user, "alice");
        assert_eq!(credentials.password.expose(), "pass word");
    }

    #[test]
    fn an_empty_user_name_is_a_name() {
        let mut exchange = LoginExchange::default();
        assert!(matches!(exchange.receive(""), LoginProgress::More));
        let LoginProgress::Complete(credentials) = exchange.receive("ticket") else { panic!() };
        assert!(credentials.user.is_empty());
    }
}
