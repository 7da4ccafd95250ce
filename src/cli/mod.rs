//! TODO purpose.

pub mod command;
pub mod command_line;
pub mod load;
pub mod several_services;
pub use command::{DemoKind, DoctorOptions, LoadedConfig, LogAction, ProgramCommand};
pub use load::{LoadInputs, load};

#[cfg(test)]
mod services_file_tests;
