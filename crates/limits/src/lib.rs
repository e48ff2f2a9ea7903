//! The exact sliding window with holds: what fits in any window, and when the rest will.
//! Pure: it takes the time as a number and knows no clock, no input or output, and no plan.
//!
//! For each limit of `n` units in a window `W` and *every* instant `t`, what is admitted or processed in `(t - W, t]` is at most `n`; and
//! nothing is refused that fits. No buckets, no fixed windows, no ticks: an event at `s` counts until just before `s + W`.
//!
//! ```
//! use limits::{Ask, Kind, Ledger, LimitKey, Retry, Settlement};
//!
//! const MINUTE: u64 = 60_000_000;
//! let requests = LimitKey { pool: 7, kind: Kind::Requests, window_us: MINUTE };
//! let tokens = LimitKey { pool: 7, kind: Kind::Tokens, window_us: MINUTE };
//! // 2 requests and 5,000 tokens a minute. This request has 200 tokens of input, and 300 of output are expected.
//! let asks = [Ask { key: requests, n: 2, log: 1, hold: 0 }, Ask { key: tokens, n: 5_000, log: 200, hold: 300 }];
//!
//! let mut ledger = Ledger::new();
//! let hold = ledger.reserve(1, &asks, 5_000_000).expect("there is room");
//! ledger.charge(hold, 100, 6_000_000);
//! assert_eq!(ledger.hold_left(hold), Some(200));
//! ledger.settle(hold, Settlement { input: Some(180), output: 250 }, 7_000_000);
//! assert_eq!(ledger.status(tokens, 5_000, 7_000_000).used, 430);
//!
//! ledger.reserve(2, &asks, 8_000_000).expect("there is room");
//! let refusal = ledger.reserve(3, &asks, 9_000_000).expect_err("two a minute");
//! // Admitted at exactly that time, refused a microsecond before.
//! assert_eq!(refusal.retry, Retry::At { at: 65_000_000, estimate: false });
//! ```
//!
//! # How it works
//!
//! Each limit has a log of `(time, sum so far)` and one number, what is *held*. What is *used* is the last sum less the sum of what has
//! expired. A request is admitted when `used + held + ask <= n` on all its limits at once, and then counted on all of them in one step: a
//! request, its input tokens, a hold for its output, a place among those under way. Output that is processed moves from held to used;
//! the rest is given back at the end. So every token is covered from before it is processed until its count expires, however late it is
//! charged, and a hold whose owner died may simply be charged in full.
//!
//! A refusal says when: the entry by whose expiry enough room is free is found by binary search in the log, and its time plus `W` is
//! exact, if nothing else happens. Only when holds stand in the way, or somebody waits for limits that this request doesn't ask, is it an
//! estimate, and says so.
//!
//! # Who waits
//!
//! Each token limit has one queue. In it are *holds* of streams that have used up what they held and need more before they go on, and
//! *debt*, what was processed without room: a provider's figure above the hold, say. Both are served in the order they came as room frees,
//! each at the very moment at which it does, and before anything new is admitted on that limit.
//!
//! A stream says how much it must have before it goes on ([`Ledger::cover`]), so that what can't be divided is covered before it is
//! passed on. If that isn't free, it gives back what it has, joins the queues of all its token limits in one step, is served when it is
//! first in all, and holds nothing until then: no two can wait for each other. Debt is charged in slices, never past `n`, and no window
//! that passes forgives it.
//!
//! Limits with long windows ([`Caps::pause_us`]) make no stream wait for hours: there the excess becomes debt.
//!
//! # Bounds
//!
//! Everything is bounded by [`Caps`]. A log that is full merges what comes into its last entry, which keeps the *later* time: nothing
//! expires early, and times are right to within [`Caps::log_span_us`]. Below that (4,096 entries a minute) all is exact to the
//! microsecond. [`Ledger::is_empty`] tells when a ledger may be dropped.
//!
//! # After a crash
//!
//! A ledger is memory. [`Ledger::dump`] gives its state as plain values; [`Recovery`] makes a ledger of the last state and of what a journal
//! wrote since, in whatever order its writers came, and charges what was open in full: never less than what was processed, and nothing
//! more than that and what was held.
//!
//! # Sharing
//!
//! All limits of an organisation are one [`Ledger`], so that several are decided as one step; [`SharedLedger`] puts it behind one lock,
//! under a hundred nanoseconds a request. Its [`HoldGuard`] settles a hold exactly once, whatever becomes of the task that owns it.

mod caps;
mod charging;
mod earliest;
mod hold;
mod key;
mod ledger;
mod limit;
mod lives;
mod log;
mod queue;
mod recovery;
mod refusal;
mod shared;
mod status;
mod sync;
mod table;
mod waiting;

pub use caps::{ASKS, Caps};
pub use hold::HoldId;
pub use key::{Ask, Kind, LimitKey, Micros};
pub use ledger::Ledger;
pub use recovery::{Ending, HoldState, LimitState, Recovery, State};
pub use refusal::{Blocked, Refusal, Retry};
pub use shared::{HoldGuard, SharedLedger};
pub use status::{Cover, Settlement, Status};
