//! Who watches a simulation from outside: to check the limiter by brute force, or to measure what nobody else needs.

use limits::Ask;

/// Hears everything that happens, in order of time. An account is one pool of one organisation, by number. Times are the simulation's
/// microseconds. Every method does nothing unless it is given something to do.
pub trait Witness {
    /// A request was admitted, with what it asked of each limit.
    fn admitted(&mut self, account: usize, asks: &[Ask], now: u64) {
        let _ = (account, asks, now);
    }

    /// A request was refused, with what it asked of each limit.
    fn refused(&mut self, account: usize, asks: &[Ask], now: u64) {
        let _ = (account, asks, now);
    }

    /// So many tokens of output were relayed.
    fn relayed(&mut self, account: usize, tokens: u64, now: u64) {
        let _ = (account, tokens, now);
    }

    /// What one request holds went from `before` to `after` tokens, by relaying, extension, giving back or its end.
    fn held(&mut self, account: usize, before: u64, after: u64) {
        let _ = (account, before, after);
    }

    /// One stream more waits for room, or one less.
    fn waits(&mut self, account: usize, more: bool) {
        let _ = (account, more);
    }

    /// A request ended.
    fn ended(&mut self, account: usize, now: u64) {
        let _ = (account, now);
    }
}

/// Nobody.
impl Witness for () {}
