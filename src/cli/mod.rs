//! TODO purpose.

pub mod command;
pub mod command_line;
#[cfg(all(feature = "nextcloud", feature = "webhook"))]
pub mod demo_command;
pub mod doctor_command;
mod failure;
pub mod load;
pub mod several_services;
pub use command::{DemoKind, DoctorOptions, LoadedConfig, LogAction, ProgramCommand};
pub use doctor_command::DoctorEnvironment;
pub use failure::CommandFailure;
pub use load::{LoadInputs, load};

#[cfg(test)]
mod services_file_tests;
