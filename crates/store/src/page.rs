//! Pages of lists: a number of elements and an opaque cursor.

use crate::caps;

/// Which page of a list.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// The `next_cursor` of the page before; `None`: the first page.
    pub cursor: Option<String>,
    /// Elements wanted; absent: 50; at most 200.
    pub limit: Option<usize>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The elements.
    pub data: Vec<T>,
    /// Where the next page begins; `None`: this is the last.
    pub next_cursor: Option<String>,
}

impl PageRequest {
    pub(crate) fn size(&self) -> usize {
        self.limit.unwrap_or(caps::PAGE_DEFAULT).clamp(1, caps::PAGE_MAX)
    }
}

impl<T> Page<T> {
    /// The page of a list that is in memory, sorted by `key`, which becomes the cursor.
    pub(crate) fn of_sorted(all: impl Iterator<Item = T>, key: impl Fn(&T) -> &str, request: &PageRequest) -> Self {
        let after = request.cursor.as_deref();
        let mut data: Vec<T> = all.filter(|item| after.is_none_or(|after| key(item) > after)).take(request.size() + 1).collect();
        let more = data.len() > request.size();
        data.truncate(request.size());
        let next_cursor = if more { data.last().map(|item| key(item).to_owned()) } else { None };
        Self { data, next_cursor }
    }
}
