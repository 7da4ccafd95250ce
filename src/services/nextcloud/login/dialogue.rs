//! The client's side of a log-in as the Nextcloud protocol has it: user name, then password.

use crate::{config::secret::Secret, services::nextcloud::login::Credentials};

/// Collects the two text frames (`specs/nextcloud.md` section 3).
#[derive(Debug, Default)]
pub struct Dialogue {
    user: Option<String>,
}

/// What a frame led to.
#[derive(Debug)]
pub enum Step {
    /// The user name is known; the password is still to come.
    More,
    /// Both are there.
    Complete(Credentials),
}

impl Dialogue {
    /// Takes one text frame. Surrounding white space is ignored.
    pub fn hear(&mut self, text: &str) -> Step {
        let text = text.trim();
        match self.user.take() {
            None => {
                self.user = Some(text.to_owned());
                Step::More
            }
            Some(user) => Step::Complete(Credentials { user, password: Secret::from(text) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialogue, Step};

    #[test]
    fn two_frames_make_credentials_without_their_white_space() {
        let mut dialogue = Dialogue::default();
        assert!(matches!(dialogue.hear(" alice\n"), Step::More));
        let Step::Complete(credentials) = dialogue.hear("\tpass word ") else { panic!() };
        assert_eq!(credentials.user, "alice");
        assert_eq!(credentials.password.expose(), "pass word");
    }

    #[test]
    fn an_empty_user_name_is_a_name() {
        let mut dialogue = Dialogue::default();
        assert!(matches!(dialogue.hear(""), Step::More));
        let Step::Complete(credentials) = dialogue.hear("ticket") else { panic!() };
        assert!(credentials.user.is_empty());
    }
}
