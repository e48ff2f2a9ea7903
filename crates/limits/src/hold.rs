//! Holds: what requests under way may still take, and which limits they take it from.
//! It knows a limit as a number and never looks at one.

use std::collections::HashMap;

use crate::hash::Mix;
use crate::key::Micros;

/// Names a hold. A name that has outlived its hold is harmless: whatever is asked of it does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HoldId {
    slot: u32,
    serial: u64,
}

const INLINE: usize = 6;

/// The limits of a hold, as indices, in the order asked.
#[derive(Clone, Debug)]
pub(crate) enum Places {
    Inline { len: u8, places: [u16; INLINE] },
    Boxed(Vec<u16>),
}

impl Places {
    pub(crate) fn new() -> Self {
        Self::Inline { len: 0, places: [0; INLINE] }
    }

    pub(crate) fn push(&mut self, place: u16) {
        match self {
            Self::Inline { len, places } => {
                if let Some(next) = places.get_mut(usize::from(*len)) {
                    *next = place;
                    *len += 1;
                } else {
                    let mut boxed = places.to_vec();
                    boxed.push(place);
                    *self = Self::Boxed(boxed);
                }
            }
            Self::Boxed(boxed) => boxed.push(place),
        }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u16] {
        match self {
            Self::Inline { len, places } => places.get(..usize::from(*len)).unwrap_or(&[]),
            Self::Boxed(boxed) => boxed,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) request: u128,
    serial: u64,
    /// When it was admitted, which is when its input was counted.
    pub(crate) at: Micros,
    /// Counted on every limit of requests, and held on every limit of concurrency.
    pub(crate) requests: u64,
    pub(crate) concurrent: u64,
    /// Input counted at `at` and not given back.
    pub(crate) input: u64,
    /// Input found missing, and charged after `at`.
    pub(crate) input_later: u64,
    /// Output charged so far.
    pub(crate) output: u64,
    /// Tokens held on every token limit, but for `own`.
    pub(crate) left: u64,
    /// Still wanted by an extension that waits; 0 when none waits.
    pub(crate) wanted: u64,
    /// Granted to an extension that waited, and its owner hasn't heard yet.
    pub(crate) unclaimed: u64,
    /// What each limit really holds, where a limit that makes no stream wait had no room for an extension and so holds less than `left`.
    own: Option<Box<[u64]>>,
    pub(crate) places: Places,
}

impl Hold {
    pub(crate) fn new(request: u128, at: Micros, places: Places) -> Self {
        Self {
            request,
            serial: 0,
            at,
            requests: 0,
            concurrent: 0,
            input: 0,
            input_later: 0,
            output: 0,
            left: 0,
            wanted: 0,
            unclaimed: 0,
            own: None,
            places,
        }
    }

    /// Tokens that the limit in this place holds for it.
    pub(crate) fn own(&self, place: usize) -> u64 {
        self.own.as_ref().and_then(|own| own.get(place)).map_or(self.left, |own| *own)
    }

    /// What the limit in this place holds, once it is kept apart.
    pub(crate) fn own_mut(&mut self, place: usize) -> Option<&mut u64> {
        self.own.as_mut()?.get_mut(place)
    }

    /// Keeps what each limit holds apart from now on.
    pub(crate) fn keep_apart(&mut self) {
        let (left, places) = (self.left, self.places.as_slice().len());
        self.own.get_or_insert_with(|| vec![left; places].into_boxed_slice());
    }
}

/// The holds that live, by slot and by request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holds {
    slots: Vec<Option<Hold>>,
    vacant: Vec<u32>,
    requests: HashMap<u128, u32, Mix>,
    serial: u64,
}

impl Holds {
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn of_request(&self, request: u128) -> Option<HoldId> {
        let slot = *self.requests.get(&request)?;
        self.get(slot).map(|hold| HoldId { slot, serial: hold.serial })
    }

    /// The slot of a hold that lives.
    pub(crate) fn slot(&self, id: HoldId) -> Option<u32> {
        self.get(id.slot).filter(|hold| hold.serial == id.serial).map(|_| id.slot)
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Hold> {
        self.slots.get(slot as usize)?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Hold> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    pub(crate) fn insert(&mut self, mut hold: Hold) -> HoldId {
        self.serial += 1;
        hold.serial = self.serial;
        let serial = self.serial;
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.requests.insert(hold.request, slot);
        if let Some(vacant) = self.slots.get_mut(slot as usize) {
            *vacant = Some(hold);
        }
        HoldId { slot, serial }
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<Hold> {
        let hold = self.slots.get_mut(slot as usize)?.take()?;
        self.vacant.push(slot);
        self.requests.remove(&hold.request);
        Some(hold)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Hold> {
        self.slots.iter_mut().flatten()
    }

    /// The first `slots` slots' holds.
    pub(crate) fn sample(&self, slots: u32) -> impl Iterator<Item = &Hold> {
        self.slots.iter().take(slots as usize).flatten()
    }

    /// Gives memory back when no hold lives. Serials go on, so that no old name fits a new hold.
    pub(crate) fn shrink(&mut self) {
        if self.requests.is_empty() {
            *self = Self { serial: self.serial, ..Self::default() };
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Option<Hold>>() + self.vacant.capacity() * size_of::<u32>() + self.requests.capacity() * 33
    }
}
