//! The command line: from arguments, environment and files to the command that the process runs.

pub mod command;
mod command_line;
mod command_spec;
pub mod control_command;
#[cfg(all(feature = "nextcloud", feature = "webhook"))]
pub mod demo_command;
pub mod doctor_command;
mod failure;
pub mod load;
pub mod reference;
mod several_services;

pub use command::{DemoKind, DoctorOptions, LoadedConfig, LogAction, ProgramCommand};
pub use doctor_command::DoctorEnvironment;
pub use failure::CommandFailure;
pub use load::{LoadInputs, load};

#[cfg(test)]
mod services_file_tests;
