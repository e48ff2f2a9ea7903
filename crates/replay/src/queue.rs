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

/// When, how many were planned before, and what.
type Planned = (u64, u64, Event);

/// Events of the same time come in the order in which they were planned, but pieces of streams before others. Nothing is planned before
/// what has come.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Next pieces of streams. All are planned one piece ahead, so they come in the order planned.
    pieces: VecDeque<(u64, u32)>,
    /// Most others lie within the next second. A heap would cost more than everything else.
    near: Near,
    far: BinaryHeap<Reverse<Planned>>,
    planned: u64,
}

impl Queue {
    /// The stream's next piece, a whole piece ahead of now.
    pub(crate) fn plan_piece(&mut self, at: u64, stream: u32) {
        self.pieces.push_back((at, stream));
    }

    pub(crate) fn plan(&mut self, at: u64, event: Event) {
        self.planned += 1;
        let planned = (at, self.planned, event);
        if !self.near.plan(planned) {
            self.far.push(Reverse(planned));
        }
    }

    /// The next event until then.
    pub(crate) fn next_until(&mut self, until: u64) -> Option<(u64, Event)> {
        let piece = self.pieces.front().map_or(u64::MAX, |(at, _)| *at);
        let near = self.near.first().map_or((u64::MAX, 0), |(at, number, _)| (at, number));
        let far = self.far.peek().map_or((u64::MAX, 0), |Reverse((at, number, _))| (*at, *number));
        let other = near.min(far);
        if piece.min(other.0) > until {
            return None;
        }
        let (at, event) = if piece <= other.0 {
            self.pieces.pop_front().map(|(at, stream)| (at, Event::Relay(stream)))?
        } else if near <= far {
            self.near.pop().map(|(at, _, event)| (at, event))?
        } else {
            self.far.pop().map(|Reverse((at, _, event))| (at, event))?
        };
        self.near.now = at >> SLOT_BITS;
        Some((at, event))
    }
}

/// A slot is 1,024 microseconds.
const SLOT_BITS: u32 = 10;
const SLOTS: usize = 1_024;

/// What lies within the next 1,024 slots, by slot.
#[derive(Debug)]
struct Near {
    slots: Vec<Vec<Planned>>,
    /// A bit for each slot that isn't empty.
    used: [u64; SLOTS / 64],
    /// The slot of what came last.
    now: u64,
    /// The first slot that isn't empty, if it has been looked for since: it is in order, the next at its end.
    first: Option<u64>,
}

impl Default for Near {
    fn default() -> Self {
        Self { slots: vec![Vec::new(); SLOTS], used: [0; SLOTS / 64], now: 0, first: None }
    }
}

impl Near {
    /// Whether it was near enough.
    fn plan(&mut self, planned: Planned) -> bool {
        let slot = planned.0 >> SLOT_BITS;
        if slot >= self.now + SLOTS as u64 {
            return false;
        }
        let index = slot as usize % SLOTS;
        self.used[index / 64] |= 1 << (index % 64);
        let events = &mut self.slots[index];
        match self.first {
            Some(first) if first == slot => {
                let place = events.partition_point(|other| *other > planned);
                events.insert(place, planned);
                return true;
            }
            Some(first) if first < slot => {}
            Some(_) | None => self.first = None,
        }
        events.push(planned);
        true
    }

    fn first(&mut self) -> Option<Planned> {
        let slot = match self.first {
            Some(slot) => slot,
            None => {
                let slot = self.find()?;
                self.slots[slot as usize % SLOTS].sort_unstable_by(|a, b| b.cmp(a));
                self.first = Some(slot);
                slot
            }
        };
        self.slots[slot as usize % SLOTS].last().copied()
    }

    fn pop(&mut self) -> Option<Planned> {
        let index = self.first? as usize % SLOTS;
        let planned = self.slots[index].pop();
        if self.slots[index].is_empty() {
            self.used[index / 64] &= !(1 << (index % 64));
            self.first = None;
        }
        planned
    }

    /// The first slot from now on that isn't empty.
    fn find(&self) -> Option<u64> {
        let begin = self.now as usize % SLOTS;
        let words = self.used.len();
        for step in 0..=words {
            let word = (begin / 64 + step) % words;
            let mask = match step {
                0 => u64::MAX << (begin % 64),
                _ if step == words => !(u64::MAX << (begin % 64)),
                _ => u64::MAX,
            };
            let bits = self.used[word] & mask;
            if bits != 0 {
                let index = word * 64 + bits.trailing_zeros() as usize;
                return Some(self.now + ((index + SLOTS - begin) % SLOTS) as u64);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events_come_in_order_of_time_then_as_planned() {
        let mut queue = Queue::default();
        queue.plan(7, Event::Wake(1));
        queue.plan(5, Event::Return(2));
        queue.plan(7, Event::Wake(0));
        queue.plan_piece(6, 3);
        queue.plan_piece(7, 4);
        queue.plan(1 << 40, Event::Wake(9));
        assert_eq!(queue.next_until(4), None);
        let all: Vec<_> = std::iter::from_fn(|| queue.next_until(100)).collect();
        let expected = [Event::Return(2), Event::Relay(3), Event::Relay(4), Event::Wake(1), Event::Wake(0)];
        assert_eq!(all, [5, 6, 7, 7, 7].into_iter().zip(expected).collect::<Vec<_>>());
        assert_eq!(queue.next_until(u64::MAX), Some((1 << 40, Event::Wake(9))));
        assert_eq!(queue.next_until(u64::MAX), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn it_does_what_a_heap_does(
            steps in prop::collection::vec((prop_oneof![0u64..50, 0u64..5_000, 0u64..3_000_000], 0u64..2_000_000, 0usize..4), 1..200),
        ) {
            let (mut queue, mut heap, mut now) = (Queue::default(), BinaryHeap::new(), 0);
            for (number, (ahead, until, pops)) in steps.into_iter().enumerate() {
                queue.plan(now + ahead, Event::Return(number as u32));
                heap.push(Reverse((now + ahead, number)));
                for _ in 0..pops {
                    let expected = heap.peek().copied().filter(|Reverse((at, _))| *at <= now + until);
                    let found = queue.next_until(now + until);
                    prop_assert_eq!(found, expected.map(|Reverse((at, number))| (at, Event::Return(number as u32))));
                    if let Some((at, _)) = found {
                        heap.pop();
                        now = at;
                    }
                }
            }
        }
    }
}
