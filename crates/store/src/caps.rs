//! Every bound of this crate.

/// Keys that are neither revoked nor expired, in one organisation.
pub(crate) const MAX_KEYS_PER_ORG: usize = 10_000;
/// Longest time that a key lives on beside the one that took its place, in seconds: 30 days.
pub(crate) const MAX_OVERLAP_S: i64 = 30 * 86_400;
/// Keys whose last minute is remembered.
pub(crate) const USES_KNOWN: usize = 10_000;
/// Members of one organisation.
pub(crate) const MAX_MEMBERS_PER_ORG: usize = 1_000;
/// Invitations of one organisation that nobody has taken up.
pub(crate) const MAX_INVITATIONS_PER_ORG: usize = 200;
/// Identities of one person, each with a provider of them.
pub(crate) const MAX_IDENTITIES: usize = 20;
/// Invitations for one address that are looked through for one that still leads somewhere.
pub(crate) const INVITATIONS_LOOKED_THROUGH: usize = 50;
/// Sessions of one person; the oldest end first.
pub(crate) const MAX_SESSIONS: usize = 20;
/// Longest time that a session lasts, in microseconds: 30 days.
pub(crate) const SESSION_US: i64 = 30 * 86_400_000_000;
/// Longest time that a session lasts unused, in microseconds: 7 days.
pub(crate) const SESSION_IDLE_US: i64 = 7 * 86_400_000_000;
/// Time between two notes that a session is used, in microseconds: 5 minutes.
pub(crate) const SESSION_NOTE_US: i64 = 300_000_000;
/// How long a link to choose a new password works, in microseconds: an hour.
pub(crate) const RESET_LINK_US: i64 = 3_600_000_000;
/// How long a link to confirm an address works, in microseconds: 3 days.
pub(crate) const VERIFY_LINK_US: i64 = 3 * 24 * 3_600_000_000;
/// How long the link to set up the first operator works, in microseconds: an hour.
pub(crate) const SETUP_LINK_US: i64 = 3_600_000_000;
/// How long an invitation works, in microseconds: 7 days.
pub(crate) const INVITATION_US: i64 = 7 * 86_400_000_000;
/// How long a checkout can be paid, in microseconds: an hour, in which its credit hardly shrinks.
pub(crate) const CHECKOUT_US: i64 = 3_600_000_000;
/// How long a plan stays in force whose renewal was not paid, in microseconds: 7 days.
pub(crate) const GRACE_US: i64 = 7 * 86_400_000_000;
/// How long an open checkout is offered again to whoever chooses its plan once more, in microseconds: half its time.
pub(crate) const CHECKOUT_FRESH_US: i64 = CHECKOUT_US / 2;
/// Wait until it is asked again what became of a payment, in microseconds: 5 minutes.
pub(crate) const PAYMENT_LOOK_US: i64 = 300_000_000;
/// The same where a card is being charged or money given back, in microseconds: a minute, longer than a call may take.
pub(crate) const CHARGE_LOOK_US: i64 = 60_000_000;
/// Wait until a card that was declined is charged again, in microseconds: a day.
pub(crate) const RETRY_CHARGE_US: i64 = 86_400_000_000;
/// How long it is remembered what whoever charges has told, in microseconds: 30 days, ten times as long as it is told again.
pub(crate) const EVENTS_KEPT_US: i64 = 30 * 86_400_000_000;
/// Characters of a name, an id or an address that whoever charges gives.
pub(crate) const MAX_CHARGER_TEXT: usize = 4_096;
/// Subscriptions that are renewed in one go.
pub(crate) const RENEWALS: usize = 200;
/// How long what was asked for under a client's own key is done once, in microseconds: a day.
pub(crate) const ONCE_US: i64 = 86_400_000_000;
/// Such keys of one caller; the oldest are forgotten first.
pub(crate) const MAX_ONCE_PER_CALLER: i64 = 10_000;
/// Longest answer that is kept for when it is asked for again, in bytes.
pub(crate) const MAX_ONCE_ANSWER_BYTES: usize = 256 << 10;
/// Characters that are kept of what a browser calls itself.
pub(crate) const MAX_AGENT_CHARS: usize = 200;
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
/// Credentials of one provider.
pub(crate) const MAX_CREDENTIALS_PER_PROVIDER: usize = 32;
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
/// The same for the connection that looks through a large database.
pub(crate) const CHECK_CACHE: &str = "-64";
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
/// Rows of one batch of the recorder.
pub(crate) const BATCH_ROWS: usize = 5_000;
/// Counters of one batch that are added to their rows at once; of a batch that has more they wait.
pub(crate) const COUNTERS_AT_ONCE: usize = 256;
/// Counters that wait, so that all are added to their rows.
pub(crate) const COUNTERS_WAITING: usize = 100_000;
/// Labels of usage records that are remembered with their numbers.
pub(crate) const LABELS_KNOWN: usize = 10_000;
/// Longest wait of a queued row for its batch, in milliseconds.
pub(crate) const BATCH_MS: u64 = 200;
/// Wait after a first failed attempt to write a batch, in milliseconds; it doubles with each.
pub(crate) const FIRST_PAUSE_MS: u64 = 50;
/// Longest wait between attempts, in milliseconds.
pub(crate) const LAST_PAUSE_MS: u64 = 5_000;
/// Quiet time, in milliseconds, after which memory is given back that only load needs.
pub(crate) const QUIET_MS: u64 = 500;
/// Rows written meanwhile below which there is none to speak of.
pub(crate) const BUSY_ROWS: u64 = 1_000;
/// Rows that are deleted at once.
pub(crate) const RETAIN_ROWS: i64 = 500;
/// Organisations that are looked at at once for rows to delete.
pub(crate) const RETAIN_ORGS: usize = 100;
/// Seconds between two looks for what is older than it is kept.
pub(crate) const RETAIN_LOOK_S: u64 = 60;
/// Seconds between sweeps of the pools.
pub(crate) const SWEEP_S: u64 = 60;
/// Elements of a usage series.
pub(crate) const MAX_SERIES: usize = 10_000;
/// Buckets of a usage series.
pub(crate) const MAX_BUCKETS: usize = 3_000;
/// Buckets, one more than those that are chosen for who leaves them open.
pub(crate) const AUTO_BUCKETS: i128 = 400;
/// Limits, keys and models that are told of refusals.
pub(crate) const WHY_MOST: usize = 8;
/// Runs of minutes that one page of requests looks through.
pub(crate) const REQUEST_RUNS: usize = 1_000;
/// Minutes of such a run.
pub(crate) const RUN_ROWS: i64 = 15;
/// Limits that may refuse one request.
pub(crate) const LIMITS_TOLD: u64 = 10;
/// Groups that a series may be cut down to.
pub(crate) const MAX_TOP: usize = 100;
/// Models of one organisation whose output lengths are remembered.
pub(crate) const LEARNED_MODELS: usize = 64;
/// Requests in progress of all organisations that share a pool.
pub(crate) const COMMON_HOLDS: u32 = 100_000;
/// Entries of such a pool's log, below which it is exact to the microsecond: 1 MB.
pub(crate) const COMMON_LOG: u32 = 65_536;
/// Asks of one request that need no memory of their own.
pub(crate) const INLINE_ASKS: usize = 10;
/// The number of a limit that only records: above what any window can hold, and far from overflow.
pub(crate) const SHADOW_N: u64 = 1 << 60;
/// Bytes of all files of the journal together before admission stops.
pub(crate) const JOURNAL_BYTES: u64 = 1 << 30;
/// Bytes of a file of the journal after which the next is begun.
pub(crate) const JOURNAL_SEGMENT_BYTES: u64 = 64 << 20;
/// Bytes of room that the disk keeps for the journal in one step.
pub(crate) const JOURNAL_RESERVE: u64 = 4 << 20;
/// The same on a disk that has not so much left.
pub(crate) const JOURNAL_RESERVE_SMALL: u64 = 1 << 20;
/// Room below which more is asked for.
pub(crate) const JOURNAL_RESERVE_LOW: u64 = 2 << 20;
/// Room below which admission stops: so that what is in progress can end, some thousand requests.
pub(crate) const JOURNAL_RESERVE_LEAST: u64 = 512 << 10;
/// Bytes of copies and dumps that are gathered for one write.
pub(crate) const JOURNAL_GATHER_BYTES: usize = 64 << 10;
/// Memory that the journal keeps between two writes, in bytes.
pub(crate) const JOURNAL_PENDING_KEPT: usize = 256 << 10;
/// Open requests looked at under one lock.
pub(crate) const JOURNAL_OPEN_CHUNK: usize = 256;
/// Bytes of a file of the journal that are read at once.
pub(crate) const JOURNAL_READ_BYTES: usize = 1 << 20;
/// Bytes that a start reads of a segment at a time.
pub(crate) const JOURNAL_REPLAY_BYTES: usize = 256 << 10;
/// Steps a second of what writes buffered figures, makes room and syncs the journal.
pub(crate) const JOURNAL_STEPS_PER_S: u32 = 5;
/// Seconds between snapshots.
pub(crate) const JOURNAL_SNAPSHOT_S: u32 = 60;
/// Seconds until a snapshot that failed is tried again.
pub(crate) const JOURNAL_RETRY_S: u32 = 5;
/// Bytes of a database that is looked through before it is used, which takes some 25 ms; a larger one is while it serves.
pub(crate) const CHECK_FIRST_BYTES: u64 = 16 << 20;
/// Seconds between two looks at the journal's files while a backup copies the database: less than they live.
pub(crate) const BACKUP_LOOK_S: u64 = 1;
/// The longest window, in microseconds, that counts as full after a loss of power, until it has passed.
pub(crate) const LOSS_WINDOW_US: u64 = 120_000_000;
