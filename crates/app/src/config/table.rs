//! Reading tables: typed access with the place of each value, overrides from the environment, and the collection of
//! every fault, unknown keys among them. The keys that are asked for are the keys that are known.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::explain;
use super::fault::{Fault, Place, Source};
use super::written::{Parse, Written};

/// What reading a configuration has found so far.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) faults: Vec<Fault>,
    pub(crate) warnings: Vec<Fault>,
    /// Every key that was asked for, as `server.listen` or `providers[].name`.
    known: BTreeSet<String>,
    unknown: Vec<Unknown>,
    used_variables: BTreeSet<String>,
    /// Where the text is no TOML; what else is wrong there follows from that.
    broken: BTreeSet<Place>,
}

struct Unknown {
    table: String,
    key: String,
    place: Place,
}

/// One reading of one configuration.
pub(crate) struct Reading<'a> {
    source: Source<'a>,
    /// Variables by the path they set, such as `server.listen`.
    variables: BTreeMap<String, (String, String)>,
    notes: RefCell<Notes>,
}

const PREFIX: &str = "TIDEGATE_";

impl<'a> Reading<'a> {
    /// `environment`: variables that don't begin with `TIDEGATE_`, hold no `__`, or are empty are passed over.
    pub(crate) fn new(source: Source<'a>, environment: &BTreeMap<String, String>) -> Self {
        let ours = environment.iter().filter_map(|(name, value)| {
            let path = name.strip_prefix(PREFIX)?;
            let set = path.contains("__") && !value.is_empty();
            set.then(|| (path.to_lowercase().replace("__", "."), (name.clone(), value.clone())))
        });
        Self { source, variables: ours.collect(), notes: RefCell::default() }
    }

    pub(crate) fn place(&self, offset: usize) -> Place {
        self.source.place(offset)
    }

    pub(crate) fn fault(&self, place: Place, message: impl Into<String>) {
        let mut notes = self.notes.borrow_mut();
        if !notes.broken.contains(&place) {
            notes.faults.push(Fault { place, message: message.into() });
        }
    }

    /// Notes that the text is no TOML.
    pub(crate) fn broken(&self, place: Place, message: &str) {
        self.fault(place.clone(), format!("not TOML: {message}"));
        self.notes.borrow_mut().broken.insert(place);
    }

    pub(crate) fn warn(&self, place: Place, message: impl Into<String>) {
        self.notes.borrow_mut().warnings.push(Fault { place, message: message.into() });
    }

    pub(crate) fn root(&'a self, body: &'a DeTable<'a>) -> Table<'a> {
        Table { reading: self, path: String::new(), body: Some(body), place: self.place(0), overridable: false }
    }

    /// Turns what was left over into faults and gives everything that was noted, in order.
    pub(crate) fn finish(self) -> Notes {
        let mut notes = self.notes.into_inner();
        for unknown in std::mem::take(&mut notes.unknown) {
            let message = explain::unknown_key(&unknown.table, &unknown.key, &notes.known);
            notes.faults.push(Fault { place: unknown.place, message });
        }
        for (path, (variable, _)) in &self.variables {
            if !notes.used_variables.contains(path) {
                let message = explain::unknown_variable(path, &notes.known);
                notes.faults.push(Fault { place: Place::Environment { variable: variable.clone() }, message });
            }
        }
        notes.faults.sort();
        notes.faults.dedup();
        notes.warnings.sort();
        notes
    }
}

impl Notes {
    pub(crate) fn known_keys(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }
}

/// A table while it is read. `close` it when all its keys have been asked for.
pub(crate) struct Table<'a> {
    reading: &'a Reading<'a>,
    path: String,
    body: Option<&'a DeTable<'a>>,
    place: Place,
    overridable: bool,
}

impl<'a> Table<'a> {
    pub(crate) fn place(&self) -> Place {
        self.place.clone()
    }

    pub(crate) fn is_present(&self) -> bool {
        self.body.is_some()
    }

    pub(crate) fn fault(&self, place: Place, message: impl Into<String>) {
        self.reading.fault(place, message);
    }

    pub(crate) fn warn(&self, place: Place, message: impl Into<String>) {
        self.reading.warn(place, message);
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    fn entry(&self, key: &str) -> Option<(&'a DeValue<'a>, Place)> {
        let (_, value) = self.body?.iter().find(|(k, _)| k.get_ref() == key)?;
        Some((value.get_ref(), self.reading.place(value.span().start)))
    }

    /// The value of `key` with its place. A value that can't be read is a fault and counts as absent.
    pub(crate) fn located<T: Parse>(&self, key: &'static str) -> Option<(T, Place)> {
        let path = self.path_of(key);
        self.reading.notes.borrow_mut().known.insert(path.clone());
        let variable = if self.overridable { self.reading.variables.get(&path) } else { None };
        let (parsed, place) = if let Some((name, text)) = variable {
            self.reading.notes.borrow_mut().used_variables.insert(path);
            (T::parse(Written::Text(text)), Place::Environment { variable: name.clone() })
        } else {
            let (value, place) = self.entry(key)?;
            (T::parse(Written::Toml(value)), place)
        };
        match parsed {
            Ok(value) => Some((value, place)),
            Err(message) => {
                self.fault(place, format!("{key}: {message}"));
                None
            }
        }
    }

    /// The value of `key`.
    pub(crate) fn get<T: Parse>(&self, key: &'static str) -> Option<T> {
        self.located(key).map(|(value, _)| value)
    }

    /// The value of `key` after a check; what the check refuses is a fault and counts as absent.
    pub(crate) fn checked<T: Parse, U>(&self, key: &'static str, check: impl FnOnce(T) -> Result<U, String>) -> Option<U> {
        let (value, place) = self.located(key)?;
        match check(value) {
            Ok(value) => Some(value),
            Err(message) => {
                self.fault(place, format!("{key}: {message}"));
                None
            }
        }
    }

    /// Seconds, fractions allowed, within bounds.
    pub(crate) fn seconds(&self, key: &'static str, least: f64, most: f64) -> Option<Duration> {
        self.checked(key, |seconds: f64| {
            let within = (least..=most).contains(&seconds);
            within.then(|| Duration::from_secs_f64(seconds)).ok_or_else(|| format!("must lie between {least} and {most} seconds"))
        })
    }

    /// A whole number within bounds.
    pub(crate) fn whole(&self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        self.checked(key, |n: u64| (least..=most).contains(&n).then_some(n).ok_or_else(|| format!("must lie between {least} and {most}")))
    }

    /// Reads a key whose feature this version doesn't have, and warns where it is set to anything but the default.
    pub(crate) fn without_effect<T: Parse>(&self, key: &'static str, is_default: impl FnOnce(&T) -> bool, instead: &str) {
        if let Some((value, place)) = self.located::<T>(key)
            && !is_default(&value)
        {
            self.warn(place, format!("{key} has no effect in this version: {instead}"));
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Notes that `key` is missing where it can't be.
    pub(crate) fn missing(&self, key: &'static str, example: &str) {
        if !self.has(key) {
            self.fault(self.place(), format!("{key} is missing: add {key} = {example}"));
        }
    }

    /// A table within this one; an absent one reads as empty, and the environment may still set its keys.
    pub(crate) fn section(&self, key: &'static str) -> Self {
        let path = self.path_of(key);
        self.reading.notes.borrow_mut().known.insert(path.clone());
        let table =
            Self { reading: self.reading, path, body: None, place: self.place(), overridable: self.overridable || self.path.is_empty() };
        match self.entry(key) {
            None => table,
            Some((DeValue::Table(body), place)) => Self { body: Some(body), place, ..table },
            Some((other, place)) => {
                self.fault(place, format!("{key} must be a table, found {}", other.type_str()));
                table
            }
        }
    }

    /// The tables of an array of tables, in order.
    pub(crate) fn tables(&self, key: &'static str) -> Vec<Self> {
        let path = format!("{}[]", self.path_of(key));
        self.reading.notes.borrow_mut().known.insert(path.clone());
        let Some((value, place)) = self.entry(key) else { return Vec::new() };
        let Some(array) = value.as_array() else {
            self.fault(place, format!("{key} must be an array of tables, found {}", value.type_str()));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in array.iter() {
            let place = self.reading.place(item.span().start);
            match item.get_ref() {
                DeValue::Table(body) => {
                    tables.push(Self { reading: self.reading, path: path.clone(), body: Some(body), place, overridable: false });
                }
                other => self.fault(place, format!("{key} must hold tables, found {}", other.type_str())),
            }
        }
        tables
    }

    /// All pairs of a table whose keys are free.
    pub(crate) fn pairs(&self, key: &'static str) -> Vec<(String, String, Place)> {
        self.reading.notes.borrow_mut().known.insert(self.path_of(key));
        let Some((value, place)) = self.entry(key) else { return Vec::new() };
        let Some(table) = value.as_table() else {
            self.fault(place, format!("{key} must be a table, found {}", value.type_str()));
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (name, value) in table {
            let place = self.reading.place(value.span().start);
            match String::parse(Written::Toml(value.get_ref())) {
                Ok(text) => pairs.push((name.get_ref().clone().into_owned(), text, place)),
                Err(message) => self.fault(place, format!("{key}.{}: {message}", name.get_ref())),
            }
        }
        pairs
    }

    /// Every key that was not asked for is a fault.
    pub(crate) fn close(self) {
        let prefix = if self.path.is_empty() { String::new() } else { format!("{}.", self.path) };
        let mut notes = self.reading.notes.borrow_mut();
        for (key, _) in self.body.into_iter().flatten() {
            let path = format!("{prefix}{}", key.get_ref());
            if !notes.known.contains(&path) && !notes.known.contains(&format!("{path}[]")) {
                let place = self.reading.place(key.span().start);
                notes.unknown.push(Unknown { table: self.path.clone(), key: key.get_ref().clone().into_owned(), place });
            }
        }
    }
}
