//! Every bound of this crate in one place.

/// The longest line of a trace, in bytes.
pub const LINE_BYTES: usize = 4 << 20;
/// Bytes read at once.
pub(crate) const READ_BYTES: usize = 256 << 10;
/// Different organisations, and different models, in one trace.
pub const LABELS: usize = 100_000;
/// Rows kept back to put them in order of time.
pub const REORDERED_ROWS: usize = 65_536;
/// The most tokens of a request that are believed, of input or of output.
pub const TOKENS: u64 = 1 << 30;
/// Slots of a series; one that needs more makes its slots twice as long.
pub(crate) const SLOTS: usize = 8_192;
/// Slots within its window to which a window above an hour is measured.
pub(crate) const WINDOW_SLOTS: u64 = 65_536;
/// Requests that wait to come back, in one simulation; those beyond give up.
pub(crate) const WAITING_CLIENTS: usize = 1 << 20;
