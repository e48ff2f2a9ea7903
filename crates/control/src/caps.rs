//! Every bound of the control plane in one place.

/// Longest request body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;

/// Entries of a page where the request names no `limit`.
pub(crate) const DEFAULT_PAGE: usize = 50;

/// Most entries of a page.
pub(crate) const MAX_PAGE: usize = 200;

/// Longest name or reason that people write, in characters.
pub(crate) const MAX_TEXT_CHARS: usize = 200;

/// Most custom limit rows of an organisation, and most rows of a plan.
pub(crate) const MAX_ROWS: usize = 200;

/// Most models that a key may be restricted to.
pub(crate) const MAX_KEY_MODELS: usize = 200;

/// Most targets or aliases of a model.
pub(crate) const MAX_TARGETS: usize = 50;

/// Most further headers of a provider.
pub(crate) const MAX_HEADERS: usize = 50;

/// Longest credential of a provider, in bytes.
pub(crate) const MAX_CREDENTIAL_BYTES: usize = 8 << 10;
