//! The exact sliding window with holds: what fits in any window, and when the rest will.
//! Pure: it takes the time as a number and knows no clock, no input or output, and no plan.

mod caps;
mod key;
mod ledger;
mod refusal;
mod shared;
mod status;

pub use caps::Caps;
pub use key::{Ask, Kind, LimitKey, Micros};
pub use ledger::{HoldId, Ledger};
pub use refusal::{Blocked, Refusal, Retry};
pub use shared::{HoldGuard, SharedLedger};
pub use status::{Extend, Settlement, Status};
