//! TODO purpose.

pub mod command;
pub mod command_line;
pub mod load;
pub mod several_services;
pub use command::{Command, Described, DoctorOptions, LogAction, Play};
pub use load::{Surroundings, load};

#[cfg(test)]
mod services_file_tests;
