//! Holds: what requests under way may still take, and which limits they take it from.
//! It knows a limit as a number and never looks at one.

use crate::key::Micros;

/// Names a hold. A name that has outlived its hold is harmless: whatever is asked of it does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HoldId {
    slot: u32,
    serial: u64,
}

const INLINE: usize = 6;
const NONE: u32 = u32::MAX;

/// The limits of a hold, as indices, in the order asked.
#[derive(Clone, Debug)]
pub(crate) enum Places {
    Inline { len: u8, places: [u16; INLINE] },
    Boxed(Box<[u16]>),
}

impl Places {
    pub(crate) fn of(places: &[u16]) -> Self {
        let mut inline = [0; INLINE];
        match inline.get_mut(..places.len()) {
            Some(inline) => inline.copy_from_slice(places),
            None => return Self::Boxed(places.into()),
        }
        Self::Inline { len: places.len() as u8, places: inline }
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
    request: u128,
    /// 0 when the slot is vacant.
    serial: u64,
    /// The next slot of the same bucket, or the next vacant one.
    next: u32,
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
    /// What it waits for, and then has nothing left; 0 when it doesn't wait.
    pub(crate) wanted: u64,
    /// What each limit really holds, where a limit that makes no stream wait had no room and so holds less than `left`.
    own: Option<Box<[u64]>>,
    pub(crate) places: Places,
}

impl Hold {
    pub(crate) fn new(request: u128, at: Micros, places: Places) -> Self {
        Self {
            request,
            serial: 0,
            next: NONE,
            at,
            requests: 0,
            concurrent: 0,
            input: 0,
            input_later: 0,
            output: 0,
            left: 0,
            wanted: 0,
            own: None,
            places,
        }
    }

    pub(crate) fn request(&self) -> u128 {
        self.request
    }

    /// What each limit holds, if that is kept apart; else nothing.
    pub(crate) fn apart(&self) -> &[u64] {
        self.own.as_deref().unwrap_or(&[])
    }

    /// Tokens that the limit in this place holds for it.
    pub(crate) fn own(&self, place: usize) -> u64 {
        self.own.as_ref().and_then(|own| own.get(place)).map_or(self.left, |own| *own)
    }

    /// What the limit in this place holds, once it is kept apart.
    pub(crate) fn own_mut(&mut self, place: usize) -> Option<&mut u64> {
        self.own.as_mut()?.get_mut(place)
    }

    pub(crate) fn nothing_left(&mut self) {
        self.left = 0;
        self.own = None;
    }

    /// Keeps what each limit holds apart from now on.
    pub(crate) fn keep_apart(&mut self) {
        let (left, places) = (self.left, self.places.as_slice().len());
        self.own.get_or_insert_with(|| vec![left; places].into_boxed_slice());
    }
}

/// The holds that live, by slot and by request. Requests are found by chains through the slots: ids are ours, and whoever lets strangers
/// choose them must hash them first.
#[derive(Clone, Debug)]
pub(crate) struct Holds {
    slots: Vec<Hold>,
    /// First slot of each chain; as many as a power of two.
    buckets: Vec<u32>,
    vacant: u32,
    live: u32,
    serial: u64,
}

impl Default for Holds {
    fn default() -> Self {
        Self { slots: Vec::new(), buckets: Vec::new(), vacant: NONE, live: 0, serial: 0 }
    }
}

impl Holds {
    pub(crate) fn len(&self) -> usize {
        self.live as usize
    }

    #[inline]
    fn bucket(&self, request: u128) -> usize {
        let [low, high] = [request as u64, (request >> 64) as u64];
        let mixed = (low ^ high.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & self.buckets.len().wrapping_sub(1)
    }

    #[inline]
    pub(crate) fn of_request(&self, request: u128) -> Option<HoldId> {
        let mut slot = *self.buckets.get(self.bucket(request))?;
        while let Some(hold) = self.slots.get(slot as usize) {
            if hold.request == request {
                return Some(HoldId { slot, serial: hold.serial });
            }
            slot = hold.next;
        }
        None
    }

    /// The slot of a hold that lives.
    #[inline]
    pub(crate) fn slot(&self, id: HoldId) -> Option<u32> {
        self.slots.get(id.slot as usize).filter(|hold| hold.serial == id.serial).map(|_| id.slot)
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Hold> {
        self.slots.get(slot as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Hold> {
        self.slots.get_mut(slot as usize)
    }

    /// A new hold that holds nothing yet.
    #[inline]
    pub(crate) fn open(&mut self, request: u128, at: Micros, places: Places) -> (HoldId, &mut Hold) {
        if self.vacant == NONE {
            self.push_vacant();
        }
        if self.len() == self.buckets.len() {
            self.grow();
        }
        self.serial += 1;
        self.live += 1;
        let (slot, serial, bucket) = (self.vacant, self.serial, self.bucket(request));
        let hold = &mut self.slots[slot as usize];
        self.vacant = hold.next;
        *hold = Hold { serial, next: self.buckets[bucket], ..Hold::new(request, at, places) };
        self.buckets[bucket] = slot;
        (HoldId { slot, serial }, hold)
    }

    #[cold]
    fn push_vacant(&mut self) {
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact(self.slots.len().max(1));
        }
        self.vacant = u32::try_from(self.slots.len()).unwrap_or(NONE);
        self.slots.push(Hold::new(0, 0, Places::of(&[])));
    }

    #[cold]
    fn grow(&mut self) {
        self.buckets = vec![NONE; (self.buckets.len() * 2).max(4)];
        for slot in 0..self.slots.len() {
            if self.slots[slot].serial > 0 {
                let bucket = self.bucket(self.slots[slot].request);
                self.slots[slot].next = self.buckets[bucket];
                self.buckets[bucket] = u32::try_from(slot).unwrap_or(NONE);
            }
        }
    }

    /// Makes the slot of a hold vacant.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(hold) = self.slots.get_mut(slot as usize).filter(|hold| hold.serial > 0) else { return };
        let (request, next) = (hold.request, hold.next);
        hold.serial = 0;
        hold.own = None;
        hold.places = Places::of(&[]);
        hold.next = self.vacant;
        self.vacant = slot;
        self.live -= 1;
        let bucket = self.bucket(request);
        let mut at = self.buckets[bucket];
        if at == slot {
            self.buckets[bucket] = next;
            return;
        }
        while let Some(before) = self.slots.get_mut(at as usize) {
            if before.next == slot {
                before.next = next;
                return;
            }
            at = before.next;
        }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Hold> {
        self.slots.iter_mut().filter(|hold| hold.serial > 0)
    }

    pub(crate) fn ids(&self) -> Vec<HoldId> {
        let id = |(slot, hold): (u32, &Hold)| HoldId { slot, serial: hold.serial };
        (0..).zip(&self.slots).filter(|(_, hold)| hold.serial > 0).map(id).collect()
    }

    /// The holds of the first `slots` slots.
    pub(crate) fn sample(&self, slots: u32) -> impl Iterator<Item = &Hold> {
        self.slots.iter().take(slots as usize).filter(|hold| hold.serial > 0)
    }

    /// Gives memory back when no hold lives. Serials go on, so that no old name fits a new hold.
    pub(crate) fn shrink(&mut self) {
        if self.live == 0 {
            *self = Self { serial: self.serial, ..Self::default() };
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let boxed = |hold: &Hold| match &hold.places {
            Places::Inline { .. } => 0,
            Places::Boxed(places) => size_of_val::<[u16]>(places),
        };
        let apart: usize = self.slots.iter().map(|hold| boxed(hold) + hold.own.as_ref().map_or(0, |own| size_of_val::<[u64]>(own))).sum();
        self.slots.capacity() * size_of::<Hold>() + self.buckets.capacity() * size_of::<u32>() + apart
    }
}
