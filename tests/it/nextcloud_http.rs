//! Nextcloud over HTTP: what is asked, and what is made of the answers.
