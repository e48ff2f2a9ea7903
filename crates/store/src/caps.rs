//! Every bound of this crate.

/// Keys that are neither revoked nor expired, in one organisation.
pub(crate) const MAX_KEYS_PER_ORG: usize = 10_000;
/// Custom limits of one organisation.
pub(crate) const MAX_CUSTOM_LIMITS: usize = 500;
/// Models that a key's list may name.
pub(crate) const MAX_MODELS_PER_KEY: usize = 200;
/// Characters of a name that people give.
pub(crate) const MAX_NAME_CHARS: usize = 200;
/// Characters of a custom limit's reason.
pub(crate) const MAX_REASON_CHARS: usize = 1_000;
/// Rows of a plan.
pub(crate) const MAX_ROWS_PER_PLAN: usize = 500;
/// Plans, models and providers of an installation, each.
pub(crate) const MAX_DEFINITIONS: usize = 10_000;
/// Characters of a provider's credential.
pub(crate) const MAX_CREDENTIAL_CHARS: usize = 8_192;
/// The highest number a key's own limit may have: that of a limit row.
pub(crate) const MAX_KEY_LIMIT: u64 = 1_000_000_000_000;
/// Spans that the history of an organisation's limits shows.
pub(crate) const MAX_FACTS: usize = 200;
/// Connections that read the database at once.
pub(crate) const READERS: u32 = 4;
/// Memory for the pages of the connection that writes, as SQLite takes it: negative, in kB. It is used as it is needed.
pub(crate) const WRITER_CACHE: &str = "-16000";
/// Pages in SQLite's log after which they are moved to the file: 16 MB.
pub(crate) const CHECKPOINT_PAGES: &str = "4000";
/// Seconds until a connection that nobody reads with is closed.
pub(crate) const READER_IDLE_S: u64 = 60;
/// Rows that are read ahead of whoever takes them.
pub(crate) const ROWS_AHEAD: usize = 1_024;
/// Longest wait for a connection, in seconds.
pub(crate) const CONNECTION_WAIT_S: u64 = 10;
/// Elements of a page where the caller names no number.
pub(crate) const PAGE_DEFAULT: usize = 50;
/// Most elements of a page.
pub(crate) const PAGE_MAX: usize = 200;
/// Records and refusals queued for the database before admission stops.
pub(crate) const QUEUE_HIGH_WATER: usize = 100_000;
/// Rows of one batch of the recorder.
pub(crate) const BATCH_ROWS: usize = 5_000;
/// Longest wait of a queued row for its batch, in milliseconds.
pub(crate) const BATCH_MS: u64 = 200;
/// Wait after a first failed attempt to write a batch, in milliseconds; it doubles with each.
pub(crate) const FIRST_PAUSE_MS: u64 = 50;
/// Longest wait between attempts, in milliseconds.
pub(crate) const LAST_PAUSE_MS: u64 = 5_000;
/// Seconds between sweeps of the pools.
pub(crate) const SWEEP_S: u64 = 60;
/// Elements of a usage series.
pub(crate) const MAX_SERIES: usize = 10_000;
/// Buckets of a usage series.
pub(crate) const MAX_BUCKETS: usize = 3_000;
/// Models of one organisation whose output lengths are remembered.
pub(crate) const LEARNED_MODELS: usize = 64;
/// Asks of one request that need no memory of their own.
pub(crate) const INLINE_ASKS: usize = 10;
/// The number of a limit that only records: above what any window can hold, and far from overflow.
pub(crate) const SHADOW_N: u64 = 1 << 60;
