//! Providers, models and plans as they are defined, in the order they came, with where each comes from.
//! A change makes a new whole; it knows no SQL.

use std::sync::Arc;

use domain::{Catalogue, CatalogueFault, Model, Plan, Provider, UnixMicros};

use crate::{Managed, Origin, Page, PageRequest};

/// What has a name that is unique among its kind.
pub(crate) trait Named {
    fn name(&self) -> &str;
}

impl Named for Provider {
    fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl Named for Model {
    fn name(&self) -> &str {
        self.id.as_str()
    }
}

impl Named for Plan {
    fn name(&self) -> &str {
        self.id.as_str()
    }
}

/// A definition and what is known about it.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    pub(crate) item: Arc<T>,
    pub(crate) origin: Origin,
    /// It sorts by this; it never changes.
    pub(crate) place: i64,
    pub(crate) updated: UnixMicros,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { item: Arc::clone(&self.item), ..*self }
    }
}

impl<T> Entry<T> {
    pub(crate) fn managed(&self) -> Managed<T> {
        Managed { item: Arc::clone(&self.item), origin: self.origin, updated: self.updated }
    }

    /// Whether it is the very same, so that nothing need be written.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.item, &other.item) && self.origin == other.origin
    }
}

/// Definitions of one kind, by place.
#[derive(Debug)]
pub(crate) struct Entries<T>(pub(crate) Vec<Entry<T>>);

impl<T> Clone for Entries<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Named + Clone> Entries<T> {
    pub(crate) fn get(&self, name: &str) -> Option<&Entry<T>> {
        self.0.iter().find(|entry| entry.item.name() == name)
    }

    /// Makes or replaces. What came from the file stays the file's when the API changes it, since the file is applied anew
    /// at the next start.
    pub(crate) fn put(&mut self, item: T, origin: Origin, now: UnixMicros) {
        let place = self.0.last().map_or(0, |last| last.place + 1);
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.item.name() == item.name()) {
            let stays = entry.origin == Origin::File && origin == Origin::Api;
            let origin = if stays { Origin::File } else { origin };
            *entry = Entry { item: Arc::new(item), origin, place: entry.place, updated: now };
        } else {
            self.0.push(Entry { item: Arc::new(item), origin, place, updated: now });
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|entry| entry.item.name() != name);
    }

    fn items(&self) -> Vec<T> {
        self.0.iter().map(|entry| T::clone(&entry.item)).collect()
    }

    /// A page in the entries' order; the cursor is a place.
    pub(crate) fn page<P>(&self, request: &PageRequest, show: impl Fn(&Entry<T>) -> P) -> Page<P> {
        let after: Option<i64> = request.cursor.as_deref().map(|cursor| cursor.parse().unwrap_or(i64::MAX));
        let rest = self.0.iter().filter(|entry| after.is_none_or(|after| entry.place > after));
        Page::of(rest.take(request.size() + 1).collect(), request, |entry| entry.place.to_string()).map(show)
    }
}

/// All definitions.
#[derive(Clone, Debug)]
pub(crate) struct Definitions {
    pub(crate) providers: Entries<Provider>,
    pub(crate) models: Entries<Model>,
    pub(crate) plans: Entries<Plan>,
}

impl Definitions {
    pub(crate) fn catalogue(&self, window_us: u64) -> Catalogue {
        Catalogue::build(self.providers.items(), self.models.items(), self.plans.items(), window_us)
    }

    /// What is wrong here and was not in `before`: old faults must not stand in the way of mending others.
    pub(crate) fn new_faults(&self, before: &Self) -> Vec<CatalogueFault> {
        let known = before.faults();
        self.faults().into_iter().filter(|fault| !known.contains(fault)).collect()
    }

    /// A model that was found in the environment may be of unknown size: then no category row admits it.
    fn faults(&self) -> Vec<CatalogueFault> {
        let mut faults = Catalogue::faults(&self.providers.items(), &self.models.items(), &self.plans.items());
        faults.retain(|fault| match fault {
            CatalogueFault::NoCategory { model } => self.models.get(model.as_str()).is_none_or(|entry| entry.origin != Origin::Discovered),
            CatalogueFault::Twice { .. }
            | CatalogueFault::UnknownProvider { .. }
            | CatalogueFault::UnknownModel { .. }
            | CatalogueFault::TwoRows { .. }
            | CatalogueFault::BadName { .. } => true,
        });
        faults
    }
}
