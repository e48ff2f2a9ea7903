//! What a limit looks like from outside at one instant.
//! It knows nothing of headers or pages.

use crate::key::Micros;

/// One limit at one instant, in its units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Counted in the window that ends now.
    pub used: u64,
    /// Held by requests under way.
    pub held: u64,
    /// What waits for room: what holds need, and debt, together.
    pub waiting: u64,
    /// The part of `waiting` that was processed without room and is still to be charged.
    pub debt: u64,
    /// The greatest ask that would be admitted now: 0 while anything waits, and while more is used and held than a lowered limit allows.
    pub free: u64,
    /// When `used` reaches 0 if nothing more is counted; none when it is 0.
    pub resets_at: Option<Micros>,
}

/// What became of the wish to have so much left in a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// This much is left in the hold: what was wished for at least, or what the lowest limit could ever give.
    Covered(u64),
    /// It holds nothing, and has its place in the queue of every token limit that makes streams wait. Ask again to learn whether it was
    /// served.
    Waiting,
}

/// What is known of a request when it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Input tokens, if they are known better than when they were logged.
    pub input: Option<u64>,
    /// Output tokens in all.
    pub output: u64,
}
