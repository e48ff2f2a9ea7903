//! What waits for room on one limit, first come first served: holds that need more, and debt.
//! It knows no room; who is served when is decided where the ledger pumps.

use std::collections::VecDeque;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// The hold in this slot needs more, on this limit and others.
    Waiter(u32),
    /// Processed without room: to be charged.
    Debt(u64),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    items: VecDeque<Item>,
    /// What the waiters want, in all.
    pub(crate) wanted: u64,
    /// The debt, in all.
    pub(crate) owed: u64,
}

impl Queue {
    pub(crate) fn front(&self) -> Option<Item> {
        self.items.front().copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Item> {
        self.items.iter().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.wanted.saturating_add(self.owed)
    }

    pub(crate) fn join(&mut self, waiter: u32, wanted: u64) {
        self.items.push_back(Item::Waiter(waiter));
        self.wanted = self.wanted.saturating_add(wanted);
    }

    /// Neighbouring debts are one, so that there are never more debts than waiters and one.
    pub(crate) fn owe(&mut self, amount: u64) {
        self.owed = self.owed.saturating_add(amount);
        match self.items.back_mut() {
            Some(Item::Debt(debt)) => *debt = debt.saturating_add(amount),
            Some(Item::Waiter(_)) | None => self.items.push_back(Item::Debt(amount)),
        }
    }

    /// Pays as much as there is room for of the debt in front; returns what was paid.
    pub(crate) fn pay(&mut self, room: u64) -> u64 {
        let Some(Item::Debt(debt)) = self.items.front_mut() else { return 0 };
        let paid = room.min(*debt);
        *debt -= paid;
        self.owed = self.owed.saturating_sub(paid);
        if *debt == 0 {
            self.items.pop_front();
        }
        paid
    }

    /// This waiter leaves, whatever its place, wanting this much no more.
    pub(crate) fn leave(&mut self, waiter: u32, wanted: u64) {
        let Some(place) = self.items.iter().position(|item| *item == Item::Waiter(waiter)) else { return };
        self.items.remove(place);
        self.wanted = self.wanted.saturating_sub(wanted);
        let before = place.checked_sub(1).and_then(|before| self.items.get(before)).copied();
        if let (Some(Item::Debt(first)), Some(Item::Debt(second))) = (before, self.items.get_mut(place)) {
            *second = second.saturating_add(first);
            self.items.remove(place - 1);
        }
    }

    /// Forgets who waits, not what is owed.
    pub(crate) fn keep_debt_only(&mut self) {
        self.items.clear();
        self.wanted = 0;
        if self.owed > 0 {
            self.items.push_back(Item::Debt(self.owed));
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.items.capacity() * size_of::<Item>()
    }
}
