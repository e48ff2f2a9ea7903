//! The relay beside a scripted source.

use std::task::{Context, Poll};

use super::source::Piece;

pub(crate) struct Script;

impl Script {
    pub(crate) fn poll(&mut self, _: &mut Context<'_>) -> Poll<Piece> {
        Poll::Ready(None)
    }
}
