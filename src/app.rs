//! The one place where the parts meet.
