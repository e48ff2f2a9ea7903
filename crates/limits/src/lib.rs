//! The exact sliding window with holds: what fits in any window, and when the rest will.
//! Pure: it takes the time as a number and knows no clock, no input or output, and no plan.

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
pub use refusal::{Blocked, Refusal, Retry};
pub use shared::{HoldGuard, SharedLedger};
pub use status::{Extend, Settlement, Status};
