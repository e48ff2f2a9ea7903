//! Every bound of the control plane in one place. What is bounded because it is kept, the store bounds.

/// Longest request body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;

/// Longest key under which a request is done once, in bytes.
pub(crate) const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;

/// Longest message of an error, in characters: what was sent may be quoted in it.
pub(crate) const MAX_MESSAGE_CHARS: usize = 1_000;

/// Entries of a page where the request names no `limit`.
pub(crate) const DEFAULT_PAGE: usize = 50;

/// Most entries of a page.
pub(crate) const MAX_PAGE: usize = 200;

/// Longest display name or name at a provider, in characters.
pub(crate) const MAX_TEXT_CHARS: usize = 200;

/// Most targets or aliases of a model.
pub(crate) const MAX_TARGETS: usize = 50;

/// Shortest password, in characters.
pub(crate) const MIN_PASSWORD_CHARS: usize = 12;

/// Longest password, in bytes.
pub(crate) const MAX_PASSWORD_BYTES: usize = 1_024;

/// Passwords that are hashed at once: 19 MiB each.
pub(crate) const PASSWORDS_AT_ONCE: usize = 2;

/// Requests that wait for a password to be hashed, or have one hashed.
pub(crate) const PASSWORDS_WAITING: usize = 64;

/// Most further headers of a provider.
pub(crate) const MAX_HEADERS: usize = 50;

/// Organisations that may buy at once; more wait for each other.
pub(crate) const CASHIER_LOCKS: usize = 256;

/// Longest event of whoever charges, in bytes.
pub(crate) const MAX_EVENT_BYTES: usize = 256 << 10;

/// Longest answer of whoever charges, in bytes.
pub(crate) const MAX_CHARGER_ANSWER_BYTES: usize = 1 << 20;

/// How long a call of whoever charges may take.
pub(crate) const CHARGER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// How old or early a signed event may be, in seconds.
pub(crate) const EVENT_TOLERANCE_S: i64 = 300;

/// Signatures of one event that are compared.
pub(crate) const MAX_SIGNATURES: usize = 16;

/// Payments of one customer that are looked through for one that got lost.
pub(crate) const PAYMENTS_LOOKED_THROUGH: usize = 100;

/// How long a call of the provider of identities may take.
pub(crate) const OIDC_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Longest answer of the provider of identities, in bytes.
pub(crate) const MAX_OIDC_ANSWER_BYTES: usize = 256 << 10;

/// Longest ID token, in bytes.
pub(crate) const MAX_ID_TOKEN_BYTES: usize = 64 << 10;

/// Longest code that the provider of identities gives, in bytes.
pub(crate) const MAX_CODE_BYTES: usize = 4_096;

/// Longest name of somebody there, in bytes (OpenID Connect Core, 2).
pub(crate) const MAX_SUBJECT_BYTES: usize = 255;

/// Most keys of the provider of identities.
pub(crate) const MAX_SIGNING_KEYS: usize = 50;

/// How long it is believed what the provider of identities said of itself and its keys, in microseconds: an hour.
pub(crate) const OIDC_KNOWN_US: u64 = 3_600_000_000;

/// Least time between two looks for its keys, in microseconds: a minute.
pub(crate) const KEYS_AGAIN_US: u64 = 60_000_000;

/// How long it isn't asked after it was down, in microseconds: 5 seconds.
pub(crate) const OIDC_AFTER_FAILURE_US: u64 = 5_000_000;

/// Longest time that somebody may be at the provider of identities, in seconds: 10 minutes.
pub(crate) const MAX_LOG_IN_S: i64 = 600;

/// How far the clocks of the two may differ, in seconds.
pub(crate) const CLOCKS_DIFFER_S: i64 = 60;

/// People who log in with it at once.
pub(crate) const LOG_INS_AT_ONCE: usize = 64;

/// Log-ins with it that are remembered so that none is used twice.
pub(crate) const SPENT_LOG_INS: usize = 4_096;

/// Longest path where somebody goes on after logging in, in bytes.
pub(crate) const MAX_NEXT_BYTES: usize = 512;
