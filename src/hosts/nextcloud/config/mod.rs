//! Nextcloud's configuration: `config.php`, read as far as it can be read without PHP.

pub mod php;
