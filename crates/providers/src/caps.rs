//! Every bound of this crate. It says how much is taken in, not what happens beyond it.

/// Deepest nesting of arrays and objects in a JSON text.
pub const MAX_DEPTH: u32 = 128;
