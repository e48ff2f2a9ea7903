//! Every bound of the control plane in one place. What is bounded because it is kept, the store bounds.

/// Longest request body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;

/// Entries of a page where the request names no `limit`.
pub(crate) const DEFAULT_PAGE: usize = 50;

/// Most entries of a page.
pub(crate) const MAX_PAGE: usize = 200;

/// Longest display name or name at a provider, in characters.
pub(crate) const MAX_TEXT_CHARS: usize = 200;

/// Most targets or aliases of a model.
pub(crate) const MAX_TARGETS: usize = 50;

/// Most further headers of a provider.
pub(crate) const MAX_HEADERS: usize = 50;
