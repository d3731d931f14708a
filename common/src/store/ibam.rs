//! IBAM's tables, as far as a handler looks before it decides, an operator manages, or the gateway signs somebody in.
//!
//! Everything else about them goes through the applier.

mod catalogue;
mod look;
mod magic;

pub use self::{
    catalogue::{Course, TagCourse, Tier},
    look::{Granted, KnownUser},
    magic::SignedIn,
};
