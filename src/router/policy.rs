//! policy

/// The rules in force, merged over their layers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {}
