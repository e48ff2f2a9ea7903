//! Recorded workloads run through the real limiter, offline: who is refused, when, on which plan.
//! Pure: it reads from whatever it is given, knows no file and no clock, and prints nothing.
//!
//! [`Reader`] gives the requests of a trace in order of time, [`Simulation`] runs them on a plan, [`Outcome`] says what became of them.
//!
//! # Traces
//!
//! Three formats are told apart by how a trace begins.
//!
//! 1. `TIMESTAMP,ContextTokens,GeneratedTokens` and such rows below it.
//! 2. One JSON object a line with `timestamp` (milliseconds), `input_length` and `output_length`.
//! 3. Tidegate's own: one JSON object a line, for each admitted request, with
//!
//! | member | |
//! |---|---|
//! | `at` | when it arrived, RFC 3339 |
//! | `input_tokens`, `output_tokens` | as they were counted in the end, reasoning and cached ones included |
//! | `model` | the catalogue's id |
//! | `category` | `small`, `medium` or `large` |
//! | `org` | whose request it was; each organisation has limits of its own |
//! | `max_tokens` | what the client stated |
//! | `stream` | whether the answer was streamed |
//! | `duration_ms` | from its arrival to the end of the answer |
//!
//! A time and the input are needed; everything else may be absent or `null`, and members with other names are skipped. Lines need not be
//! in order of time, as long as each is within 65,536 lines of its place.
//!
//! # What is simulated
//!
//! Requests are decided by [`limits::Ledger`], as in the gateway with every input counted. Answers produce output at a steady pace and
//! relay it in pieces of a second; each piece is covered by the hold, or by what the hold is extended by, or else the stream pauses, is
//! cut, or overdraws. What really happened in any window is added up apart from the ledger, so that the peak says something about it.

mod accounts;
mod caps;
mod csv;
mod fault;
mod json_line;
mod lanes;
mod meter;
mod outcome;
mod queue;
mod reader;
mod row;
mod series;
mod settings;
mod simulation;
mod spread;
mod streams;
mod timestamp;
mod witness;

pub use caps::{LABELS, LINE_BYTES, REORDERED_ROWS, TOKENS};
pub use fault::{LineFault, TraceFault};
pub use meter::Meter;
pub use outcome::{LimitOutcome, Outcome, PoolOutcome};
pub use reader::{Format, Reader};
pub use row::{Label, Labels, Row};
pub use series::{Fold, Series};
pub use settings::Settings;
pub use simulation::Simulation;
pub use spread::Spread;
pub use witness::Witness;
