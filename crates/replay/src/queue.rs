//! What is to happen, in order of time. It does nothing itself.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// What happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A stream relays what was produced since.
    Relay(u32),
    /// A pause has become too long, if it is still this one.
    PauseEnds { stream: u32, pause: u32 },
    /// An organisation's limits may have room for who waits.
    Wake(u32),
    /// A client comes back, or a request has waited for room.
    Return(u32),
}

/// Events of the same time come in the order in which they were planned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    /// Next pieces of streams. All are planned one piece ahead, so they come in the order planned, without a heap's cost.
    pieces: VecDeque<(u64, u32)>,
    others: BinaryHeap<Reverse<(u64, u64, Event)>>,
    planned: u64,
}

impl Queue {
    /// The stream's next piece, a whole piece ahead of now.
    pub(crate) fn plan_piece(&mut self, at: u64, stream: u32) {
        self.pieces.push_back((at, stream));
    }

    pub(crate) fn plan(&mut self, at: u64, event: Event) {
        self.planned += 1;
        self.others.push(Reverse((at, self.planned, event)));
    }

    /// The next event until then.
    pub(crate) fn next_until(&mut self, until: u64) -> Option<(u64, Event)> {
        let piece = self.pieces.front().map_or(u64::MAX, |(at, _)| *at);
        let other = self.others.peek().map_or(u64::MAX, |Reverse((at, ..))| *at);
        if piece.min(other) > until {
            return None;
        }
        if piece <= other {
            self.pieces.pop_front().map(|(at, stream)| (at, Event::Relay(stream)))
        } else {
            self.others.pop().map(|Reverse((at, _, event))| (at, event))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_then_as_planned() {
        let mut queue = Queue::default();
        queue.plan(7, Event::Wake(1));
        queue.plan(5, Event::Return(2));
        queue.plan(7, Event::Wake(0));
        queue.plan_piece(6, 3);
        queue.plan_piece(7, 4);
        assert_eq!(queue.next_until(4), None);
        let all: Vec<_> = std::iter::from_fn(|| queue.next_until(100)).collect();
        let expected = [Event::Return(2), Event::Relay(3), Event::Relay(4), Event::Wake(1), Event::Wake(0)];
        assert_eq!(all, [5, 6, 7, 7, 7].into_iter().zip(expected).collect::<Vec<_>>());
        assert_eq!(queue.next_until(u64::MAX), None);
    }
}
