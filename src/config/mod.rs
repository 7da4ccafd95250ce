//! Settings in layers: default < config.php < environment < command line.

mod section;

pub use section::{
    AuthSettings, AuthStep, DeliverySettings, LogSettings, LogStyle, NextcloudSettings,
    ProxySettings, Settings, ThrottleSettings, TwoFactor,
};
