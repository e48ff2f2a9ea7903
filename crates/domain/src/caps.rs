//! Every bound of the rules about providers' health in one place. Times are microseconds.

/// First wait where a provider said none; each further one in a row doubles it.
pub(crate) const WAIT_FIRST_US: u64 = 1_000_000;
/// Longest cooldown, whatever a provider says.
pub(crate) const WAIT_MAX_US: u64 = 60_000_000;
/// First wait after a fault that only the operator can mend; each further one in a row doubles it.
pub(crate) const ALARM_FIRST_US: u64 = 10_000_000;
/// Longest wait after such a fault.
pub(crate) const ALARM_MAX_US: u64 = 300_000_000;
/// Failures in a row that open a circuit.
pub(crate) const FAILURES_IN_A_ROW: u32 = 5;
/// Outcomes in the window from which on their share of failures may open a circuit.
pub(crate) const OUTCOMES: u64 = 10;
/// The share of failures that does, in percent.
pub(crate) const FAILED_PERCENT: u64 = 50;
/// Outcomes are counted in slices of this length: windows are right to within one.
pub(crate) const SLICE_US: u64 = 10_000_000;
/// Slices in the window of a circuit: 60 s.
pub(crate) const CIRCUIT_SLICES: u64 = 6;
/// Slices in the window of what people see: 5 minutes.
pub(crate) const SEEN_SLICES: u64 = 30;
/// A circuit that opens again so soon after it closed waits longer than before.
pub(crate) const RELAPSE_US: u64 = 60_000_000;
/// How long a probe keeps others away, should nothing be heard of it: an answer may take minutes.
pub(crate) const PROBE_US: u64 = 5_000_000;
/// Requests with nowhere else to go that may be at a target which should be left alone, at once.
pub(crate) const LAST_RESORTS: u32 = 8;
/// Time between two of them where the provider said when to come back, or where only the operator can mend it.
pub(crate) const LAST_RESORT_US: u64 = 1_000_000;
