//! Reads a journal after its server has ended: what ledgers held, who was under way, and what may be missing. It decides nothing again,
//! and knows neither organisations nor plans.

use std::collections::VecDeque;
use std::io;
use std::ops::Deref;
use std::path::PathBuf;

use domain::{Now, OrgId};
use hashbrown::{HashMap, HashTable};
use limits::{Ask, Caps, Recovery, State};
use memmap2::MmapMut;

use super::Extent;
use super::disk::Disk;
use super::format::{BootId, Found, Framed, HEADER, Header, HeaderFault, Take, record_at};
use super::ledger_bytes::take_ledger;
use super::records::{self, Figure, Grant, Whose};
use super::tail::Position;
use crate::caps;
use crate::pools::{COMMON, COMMON_CAPS, CommonPool};

/// Why a journal can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayFault {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} has format {found}", path.display())]
    Version { path: PathBuf, found: u16 },
}

/// A segment in memory, as far as it is sound.
pub(crate) struct Read {
    pub(crate) header: Header,
    pub(crate) bytes: Contents,
    /// Whether something follows that is no sound record.
    is_torn: bool,
    has_snapshot: bool,
    recordables: u64,
    /// Both clocks, read together the last time.
    pair: (u64, i64),
}

/// The segments from the last snapshot on, and what is known of those before.
pub(crate) struct Files {
    pub(crate) read: Vec<Read>,
    /// All segments, those before the snapshot included.
    pub(crate) extents: VecDeque<Extent>,
    /// The number of the next segment.
    pub(crate) next: u64,
    /// Recordables in all segments.
    pub(crate) recordables: u64,
    /// Those of them before the place where the database stopped.
    pub(crate) recorded: u64,
    /// The database knows of a journal, and there is none that can be read.
    pub(crate) is_gone: bool,
}

impl Files {
    /// Reads what is needed. `recorded`: where the database stopped.
    pub(crate) fn read(disk: &dyn Disk, recorded: Position) -> Result<Self, ReplayFault> {
        let failed = |segment, source| ReplayFault::Io { path: disk.path(segment), source };
        let listed = disk.list().map_err(|source| failed(0, source))?;
        let mut files =
            Self { read: Vec::new(), extents: VecDeque::new(), next: recorded.segment + 1, recordables: 0, recorded: 0, is_gone: false };
        files.next = files.next.max(listed.last().map_or(0, |(segment, _)| segment + 1));
        let mut has_snapshot = false;
        let mut first_header = None;
        for (segment, len) in listed.into_iter().rev() {
            let wanted = if has_snapshot && segment != recorded.segment { HEADER as u64 } else { len };
            let bytes = Contents::read(disk, segment, wanted).map_err(|source| failed(segment, source))?;
            let header = match Header::decode(&bytes) {
                Ok(header) => header,
                Err(HeaderFault::Version(found)) => return Err(ReplayFault::Version { path: disk.path(segment), found }),
                Err(HeaderFault::Torn) => {
                    tracing::warn!(path = %disk.path(segment).display(), "a file of the journal has no sound beginning and is left aside");
                    continue;
                }
            };
            first_header = Some(header);
            if has_snapshot {
                files.extents.push_front(Extent { segment, len });
                if segment == recorded.segment {
                    files.recorded = header.recordables + scan(header, bytes, recorded.offset).recordables;
                }
                continue;
            }
            let scanned = scan(header, bytes, u64::MAX);
            if scanned.is_torn {
                let (path, offset, lost) = (disk.path(segment), scanned.bytes.len(), len - scanned.bytes.len() as u64);
                tracing::warn!(path = %path.display(), offset, bytes = lost, "a file of the journal ends in what is no record");
            }
            if segment == recorded.segment {
                files.recorded = header.recordables + count_before(&scanned.bytes, recorded.offset);
            }
            if files.read.is_empty() {
                files.recordables = header.recordables + scanned.recordables;
            }
            has_snapshot = scanned.has_snapshot;
            files.extents.push_front(Extent { segment, len: scanned.bytes.len() as u64 });
            files.read.push(scanned);
        }
        if let Some(first) = first_header.filter(|first| first.segment > recorded.segment) {
            files.recorded = first.recordables;
        }
        files.read.reverse();
        files.is_gone = files.read.is_empty() && recorded != Position::default();
        Ok(files)
    }
}

/// Bytes of a segment, in memory that goes back to the system as soon as they are dropped: after a kill under load they are many.
pub(crate) struct Contents {
    map: MmapMut,
    len: usize,
}

impl Contents {
    /// The beginning of a segment, without the zeros at the end of it: what a killed server had reserved takes no memory.
    fn read(disk: &dyn Disk, segment: u64, wanted: u64) -> io::Result<Self> {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let mut contents = Self { map: MmapMut::map_anon(wanted.max(1))?, len: 0 };
        let (mut at, mut piece) = (0, vec![0; caps::JOURNAL_REPLAY_BYTES]);
        loop {
            let size = (wanted - at).min(piece.len());
            let read = disk.read(segment, at as u64, piece.get_mut(..size).unwrap_or_default())?;
            let read = piece.get(..read).unwrap_or_default();
            if read.is_empty() {
                return Ok(contents);
            }
            let end = at + read.len();
            if read.iter().any(|byte| *byte != 0)
                && let Some(place) = contents.map.get_mut(at..end)
            {
                place.copy_from_slice(read);
                contents.len = end;
            }
            at = end;
        }
    }

    fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl Deref for Contents {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.map.get(..self.len).unwrap_or_default()
    }
}

/// Looks through a segment, up to an offset.
fn scan(header: Header, bytes: Contents, until: u64) -> Read {
    let mut read = Read { header, bytes, is_torn: false, has_snapshot: false, recordables: 0, pair: (header.mono_us, header.wall_us) };
    let mut at = HEADER;
    loop {
        match record_at(&read.bytes, at) {
            Found::Record(record) if (at as u64) < until => {
                read.recordables += u64::from(records::is_recordable(record.kind, record.payload));
                read.has_snapshot |= record.kind == records::SNAPSHOT;
                if record.kind == records::TICK {
                    read.pair = take_tick(record.payload).unwrap_or(read.pair);
                }
                at = record.end;
            }
            Found::Record(_) | Found::End => break,
            Found::Bad => {
                read.is_torn = true;
                break;
            }
        }
    }
    read.bytes.truncate(at);
    read
}

fn count_before(bytes: &[u8], offset: u64) -> u64 {
    records_of(bytes, 0).filter(|r| r.end as u64 <= offset).filter(|r| records::is_recordable(r.kind, r.payload)).count() as u64
}

fn take_tick(payload: &[u8]) -> Option<(u64, i64)> {
    let mut take = Take::new(payload);
    Some((take.number()?, take.signed()?))
}

/// The records of a segment's bytes.
pub(crate) fn records_of(bytes: &[u8], from: usize) -> impl Iterator<Item = Framed<'_>> {
    let mut at = from.max(HEADER);
    std::iter::from_fn(move || match record_at(bytes, at) {
        Found::Record(record) => {
            at = record.end;
            Some(record)
        }
        Found::End | Found::Bad => None,
    })
}

/// A request that was under way.
pub(crate) struct Interrupted<'a> {
    pub(crate) whose: Whose,
    /// Its grant's payload.
    pub(crate) grant: &'a [u8],
    pub(crate) charged: u64,
    pub(crate) covered: u64,
    /// Its input, where it was counted after the grant.
    pub(crate) input: Option<u64>,
    /// When it was last heard of, by the clock of the grant.
    pub(crate) seen: u64,
}

/// A ledger that is made again, and by how much times of its journal are moved.
struct Ledger {
    recovery: Recovery,
    shift_us: i64,
}

impl Ledger {
    fn of(org: OrgId, state: Option<State>, shift_us: i64, now_us: u64) -> Self {
        let caps = if org == COMMON { &COMMON_CAPS } else { &Caps::DEFAULT };
        Self { recovery: Recovery::with_caps(caps, state, shift_us, now_us), shift_us }
    }
}

/// What a journal says.
pub(crate) struct Replay<'a> {
    now: Now,
    ledgers: HashMap<OrgId, Ledger>,
    /// What organisations share; its ledger is the one of `COMMON`.
    common: Option<&'a CommonPool>,
    open: HashTable<Interrupted<'a>>,
    /// Since when something may be missing, by the clock of now: the power was lost, or a part can't be read.
    pub(crate) loss_at: Option<u64>,
    asks: Vec<Ask>,
    shift_us: i64,
    /// The last steady time that was written, by the segment's own clock.
    last_at: u64,
    is_clean: bool,
}

fn bits(whose: Whose) -> u64 {
    whose.request.bits() as u64
}

impl<'a> Replay<'a> {
    /// Replays the files, whose server ended during the boot that their headers say; this boot is `boot`.
    pub(crate) fn of(files: &'a Files, common: Option<&'a CommonPool>, boot: BootId, now: Now) -> Self {
        let mut replay = Self {
            now,
            ledgers: HashMap::new(),
            common,
            open: HashTable::new(),
            loss_at: files.is_gone.then_some(now.mono_us),
            asks: Vec::new(),
            shift_us: 0,
            last_at: 0,
            is_clean: true,
        };
        for (index, read) in files.read.iter().enumerate() {
            let next = files.read.get(index + 1);
            replay.shift_us = replay.shift_of(files, read, boot);
            (replay.last_at, replay.is_clean) = (read.header.mono_us, false);
            records_of(&read.bytes, 0).for_each(|record| replay.take(record));
            let is_torn = read.is_torn && next.is_some_and(|next| !next.header.after_torn);
            let is_lost = next.is_none() && !is_same(read.header.boot, boot) && !replay.is_clean;
            if is_torn || is_lost {
                let at = replay.moved(replay.last_at);
                replay.loss_at = Some(replay.loss_at.unwrap_or(0).max(at));
            }
        }
        replay
    }

    /// What is added to times of a segment: nothing in the same boot, else the wall clock bridges.
    fn shift_of(&self, files: &Files, read: &Read, boot: BootId) -> i64 {
        if is_same(read.header.boot, boot) {
            return 0;
        }
        let of_boot = files.read.iter().rev().find(|other| other.header.boot == read.header.boot);
        let (mono, wall) = of_boot.map_or(read.pair, |read| read.pair);
        // A wall clock that was set back makes everything as late as now.
        let elapsed = self.now.wall.0.saturating_sub(wall).max(0);
        let signed = |us: u64| i64::try_from(us).unwrap_or(i64::MAX);
        signed(self.now.mono_us).saturating_sub(elapsed).saturating_sub(signed(mono))
    }

    fn moved(&self, at: u64) -> u64 {
        at.saturating_add_signed(self.shift_us).min(self.now.mono_us)
    }

    fn take(&mut self, record: Framed<'a>) {
        self.is_clean = record.kind == records::CLEAN;
        if self.try_to_take(record).is_none() {
            tracing::error!(kind = record.kind, "a record of the journal can't be read");
            self.loss_at = Some(self.moved(self.last_at));
        }
    }

    /// `None`: its bytes make no sense, though its check is right.
    fn try_to_take(&mut self, record: Framed<'a>) -> Option<()> {
        match record.kind {
            records::GRANT => self.grant(record.payload),
            records::COVER => self.cover(Figure::take(record.payload)?),
            records::INPUT => self.input(Figure::take(record.payload)?),
            records::CHARGES => self.charges(record.payload),
            records::END => {
                let (whose, end, at) = records::take_end(record.payload)?;
                self.tell(whose.org, at, |recovery, at| recovery.end(whose.request.bits(), end, at));
                self.forget(whose);
                Some(())
            }
            records::OPEN => self.open(record.payload),
            records::LEDGER => {
                let (org, state) = take_ledger(record.payload)?;
                self.heard(state.at);
                self.ledgers.insert(org, Ledger::of(org, Some(state), self.shift_us, self.now.mono_us));
                Some(())
            }
            records::TICK => {
                self.heard(take_tick(record.payload)?.0);
                Some(())
            }
            records::LOSS => {
                let at = self.moved(Take::new(record.payload).number()?);
                self.loss_at = Some(self.loss_at.unwrap_or(0).max(at));
                Some(())
            }
            _usage_refusals_and_marks => Some(()),
        }
    }

    fn heard(&mut self, at: u64) {
        self.last_at = self.last_at.max(at);
    }

    fn with(&mut self, org: OrgId, at: u64, act: impl FnOnce(&mut Recovery, u64)) {
        self.heard(at);
        let (shift_us, now_us) = (self.shift_us, self.now.mono_us);
        let ledger = self.ledgers.entry(org).or_insert_with(|| Ledger::of(org, None, shift_us, now_us));
        // A ledger's own shift is that of its state, which may be of an earlier boot.
        act(&mut ledger.recovery, at.saturating_add_signed(shift_us - ledger.shift_us));
    }

    /// Something about a request that was granted before: its organisation's ledger hears of it, and the one that organisations share, which
    /// knows whether it is theirs.
    fn tell(&mut self, org: OrgId, at: u64, act: impl Fn(&mut Recovery, u64)) {
        self.with(org, at, &act);
        if self.common.is_some() && self.ledgers.contains_key(&COMMON) {
            self.with(COMMON, at, act);
        }
    }

    fn grant(&mut self, payload: &'a [u8]) -> Option<()> {
        let mut asks = std::mem::take(&mut self.asks);
        let grant = Grant::take(payload, &mut asks)?;
        let whose = Whose { org: grant.org, request: grant.request };
        self.with(whose.org, grant.at, |recovery, at| recovery.grant(whose.request.bits(), &asks, at));
        if let Some(common) = self.common.filter(|common| common.is_of(grant.facts.plan)) {
            let ask = common.ask(grant.input, grant.output);
            self.with(COMMON, grant.at, |recovery, at| recovery.grant(whose.request.bits(), &[ask], at));
        }
        self.asks = asks;
        self.remember(Interrupted { whose, grant: payload, charged: 0, covered: grant.output, input: None, seen: grant.at });
        Some(())
    }

    fn open(&mut self, payload: &'a [u8]) -> Option<()> {
        let (charged, covered, grant) = records::take_open(payload)?;
        let whose = Whose::take(&mut Take::new(grant))?;
        self.remember(Interrupted { whose, grant, charged, covered, input: None, seen: 0 });
        Some(())
    }

    fn remember(&mut self, request: Interrupted<'a>) {
        match self.find(request.whose) {
            Some(known) => {
                known.charged = known.charged.max(request.charged);
                known.covered = known.covered.max(request.covered);
            }
            None => {
                self.open.insert_unique(bits(request.whose), request, |open| bits(open.whose));
            }
        }
    }

    fn find(&mut self, whose: Whose) -> Option<&mut Interrupted<'a>> {
        self.open.find_mut(bits(whose), |open| open.whose == whose)
    }

    fn forget(&mut self, whose: Whose) {
        if let Ok(found) = self.open.find_entry(bits(whose), |open| open.whose == whose) {
            found.remove();
        }
    }

    fn cover(&mut self, figure: Figure) -> Option<()> {
        let Figure { whose, at, tokens } = figure;
        self.tell(whose.org, at, |recovery, at| recovery.cover(whose.request.bits(), tokens, at));
        if let Some(open) = self.find(whose) {
            open.covered = open.covered.max(tokens);
            open.seen = open.seen.max(at);
        }
        Some(())
    }

    fn input(&mut self, figure: Figure) -> Option<()> {
        let Figure { whose, at, tokens } = figure;
        self.tell(whose.org, at, |recovery, at| recovery.input(whose.request.bits(), tokens, at));
        if let Some(open) = self.find(whose) {
            open.input = Some(tokens);
        }
        Some(())
    }

    fn charges(&mut self, payload: &[u8]) -> Option<()> {
        let mut take = Take::new(payload);
        let at = take.number()?;
        while !take.is_empty() {
            let (whose, total) = (Whose::take(&mut take)?, take.number()?);
            self.tell(whose.org, at, |recovery, at| recovery.charge(whose.request.bits(), total, at));
            if let Some(open) = self.find(whose) {
                open.charged = open.charged.max(total);
                open.seen = open.seen.max(at);
            }
        }
        Some(())
    }

    /// Every request that was under way.
    pub(crate) fn interrupted(&self) -> impl Iterator<Item = &Interrupted<'a>> {
        self.open.iter()
    }

    /// The ledger of an organisation, to be filled or finished; made where there is none.
    pub(crate) fn recovery(&mut self, org: OrgId) -> &mut Recovery {
        let now_us = self.now.mono_us;
        let ledger = self.ledgers.entry(org).or_insert_with(|| Ledger::of(org, None, 0, now_us));
        &mut ledger.recovery
    }

    /// By how much times given to an organisation's recovery are moved.
    pub(crate) fn shift_us(&self, org: OrgId) -> i64 {
        self.ledgers.get(&org).map_or(0, |ledger| ledger.shift_us)
    }

    /// All ledgers as they go on: every hold has lapsed.
    pub(crate) fn finish(self) -> impl Iterator<Item = (OrgId, limits::Ledger)> {
        self.ledgers.into_iter().map(|(org, ledger)| (org, ledger.recovery.finish()))
    }
}

/// A boot that doesn't tell its name is no other one, nor itself.
fn is_same(one: BootId, other: BootId) -> bool {
    one == other && one != BootId::default()
}
