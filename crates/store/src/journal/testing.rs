//! What the journal's tests share: things to write down, and disks that fail. It is compiled for tests only.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use domain::{
    AttemptEnd, AttemptRecord, Category, Counted, Endpoint, KeyId, Kind, Money, OrgId, Outcome, RefusalEvent, RequestId, TokenUsage,
    Trouble, UnixMicros, UsageRecord,
};
use domain::{Catalogue, Clock, Now};

use super::disk::{Disk, Folder, Segment};
use super::{Extent, GrantFacts, Journal};
use crate::directory::Filling;
use crate::{Directory, OrgEntry, OrgState};

pub(crate) fn usage(request: u128) -> UsageRecord {
    UsageRecord {
        request: RequestId::from_bits(request),
        at: UnixMicros(1_770_305_400_000_000),
        org: OrgId::from_bits(1),
        key: KeyId::from_bits(2),
        plan: "starter".into(),
        model: "llama-3.3-70b-instruct".into(),
        category: Some(Category::Large),
        pool: "category:large".into(),
        provider: Some("main".into()),
        endpoint: Endpoint::ChatCompletions,
        stream: true,
        status: 200,
        outcome: Outcome::Answered,
        tokens: TokenUsage { input: 300, output: 200, cached: 10, reasoning: 20 },
        counted: Counted::Provider,
        cost: Money(1_234),
        attempts: 1,
        first_byte_us: 150_000,
        duration_us: 2_000_000,
        waited_us: 1,
        paused_us: 2,
        debt: 3,
        attempt_list: Vec::new(),
    }
}

pub(crate) fn attempt() -> AttemptRecord {
    let end = AttemptEnd::Failed(Trouble::RateLimited);
    let (provider, model) = ("main".into(), "llama".into());
    AttemptRecord { provider, model, end, status: Some(429), begun_us: 10, lasted_us: 20_000, cost: Money(7) }
}

pub(crate) fn refusal(request: u128) -> RefusalEvent {
    RefusalEvent {
        request: RequestId::from_bits(request),
        at: UnixMicros(1_770_305_400_000_000),
        org: OrgId::from_bits(1),
        key: KeyId::from_bits(2),
        plan: "starter".into(),
        model: "llama-3.3-70b-instruct".into(),
        category: Some(Category::Large),
        pool: "category:large".into(),
        kind: Kind::Requests,
        window_us: 60_000_000,
        limit: 2,
        used: 2,
        held: 0,
        requested: 1,
        retry_after_ms: Some(5_000),
        shadow: false,
    }
}

pub(crate) fn facts() -> GrantFacts<'static> {
    GrantFacts {
        key: KeyId::from_bits(2),
        arrived: UnixMicros(1_770_305_400_000_000),
        plan: "starter",
        model: "llama-3.3-70b-instruct",
        category: Some(Category::Large),
        pool: "category:large",
        endpoint: Endpoint::ChatCompletions,
        stream: true,
        input_price: Money(2_000_000_000),
        output_price: Money(6_000_000_000),
    }
}

/// Both clocks, moved by hand; the wall also alone.
#[derive(Default)]
pub(crate) struct HandClock {
    mono_us: AtomicU64,
    wall_us: AtomicU64,
}

/// Far from the beginning of the steady clock, as in production.
pub(crate) const BEGIN: u64 = 1_000_000_000_000;

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { mono_us: AtomicU64::new(BEGIN), wall_us: AtomicU64::new(1_770_305_400_000_000) })
    }

    pub(crate) fn advance(&self, us: u64) {
        self.mono_us.fetch_add(us, SeqCst);
        self.wall_us.fetch_add(us, SeqCst);
    }

    /// As a boot does.
    pub(crate) fn set_mono(&self, us: u64) {
        self.mono_us.store(us, SeqCst);
    }

    pub(crate) fn set_wall_back(&self, us: u64) {
        self.wall_us.fetch_sub(us, SeqCst);
    }

    pub(crate) fn us(&self) -> u64 {
        self.mono_us.load(SeqCst)
    }
}

impl Clock for HandClock {
    fn now(&self) -> Now {
        Now { mono_us: self.mono_us.load(SeqCst), wall: UnixMicros(self.wall_us.load(SeqCst) as i64) }
    }
}

/// Organisations 1 to `orgs`, without plans.
pub(crate) fn directory(orgs: u128) -> Arc<Directory> {
    let mut filling = Filling::new(0);
    for id in 1..=orgs {
        let state = OrgState {
            name: "o".into(),
            plan: "starter".into(),
            effective_plan: "starter".into(),
            custom: Arc::from([]),
            custom_pools: Arc::from([]),
            created: UnixMicros(0),
            deleted: false,
            limited: Arc::from([]),
        };
        filling.add(Arc::new(OrgEntry::new(OrgId::from_bits(id), state, 60_000_000)));
    }
    let catalogue = Catalogue::build(vec![], vec![], vec![], 60_000_000);
    Arc::new(Directory::new(Filling::new(0).share(), filling.share(), catalogue, Default::default()))
}

impl Journal {
    /// As if the process were killed now: nothing more is written.
    pub(crate) fn kill(&self) {
        self.lock().is_closed = true;
    }
}

/// What a disk does wrong.
#[derive(Default)]
pub(crate) struct Faults {
    /// Bytes that can still be appended; the rest finds the disk full.
    pub(crate) room: AtomicU64,
    pub(crate) no_create: AtomicBool,
    pub(crate) no_cut: AtomicBool,
    pub(crate) no_sync: AtomicBool,
    /// Reserving finds the disk full.
    pub(crate) no_reserve: AtomicBool,
    /// It can't reserve, as some file systems.
    pub(crate) is_old: AtomicBool,
}

impl Faults {
    pub(crate) fn none() -> Arc<Self> {
        Arc::new(Self { room: AtomicU64::new(u64::MAX), ..Self::default() })
    }
}

/// A folder whose disk does things wrong.
pub(crate) struct Faulty {
    folder: Folder,
    faults: Arc<Faults>,
}

impl Faulty {
    pub(crate) fn new(path: &Path, faults: &Arc<Faults>) -> Box<Self> {
        Box::new(Self { folder: Folder::open(path).unwrap(), faults: Arc::clone(faults) })
    }
}

fn unless(fault: &AtomicBool, kind: io::ErrorKind) -> io::Result<()> {
    if fault.load(SeqCst) { Err(kind.into()) } else { Ok(()) }
}

impl Disk for Faulty {
    fn create(&self, segment: u64) -> io::Result<Arc<dyn Segment>> {
        unless(&self.faults.no_create, io::ErrorKind::PermissionDenied)?;
        Ok(Arc::new(FaultySegment { file: self.folder.create(segment)?, faults: Arc::clone(&self.faults) }))
    }

    fn remove(&self, segment: u64) -> io::Result<()> {
        self.folder.remove(segment)
    }

    fn release(&self, end: Extent) -> io::Result<()> {
        self.folder.release(end)
    }

    fn list(&self) -> io::Result<Vec<(u64, u64)>> {
        self.folder.list()
    }

    fn read(&self, segment: u64, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.folder.read(segment, at, into)
    }

    fn sync(&self) -> io::Result<()> {
        unless(&self.faults.no_sync, io::ErrorKind::Other)
    }

    fn path(&self, segment: u64) -> PathBuf {
        self.folder.path(segment)
    }
}

struct FaultySegment {
    file: Arc<dyn Segment>,
    faults: Arc<Faults>,
}

impl Segment for FaultySegment {
    /// Writes a part where there is too little room, as a disk does.
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let room = usize::try_from(self.faults.room.load(SeqCst)).unwrap_or(usize::MAX).min(bytes.len());
        if room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.faults.room.fetch_sub(if room < bytes.len() { room as u64 } else { 0 }, SeqCst);
        self.file.append(&bytes[..room])
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        unless(&self.faults.no_cut, io::ErrorKind::Other)?;
        self.file.cut(len)
    }

    fn sync(&self) -> io::Result<()> {
        unless(&self.faults.no_sync, io::ErrorKind::Other)
    }

    fn reserve(&self, from: u64, len: u64) -> io::Result<bool> {
        unless(&self.faults.no_reserve, io::ErrorKind::StorageFull)?;
        if self.faults.is_old.load(SeqCst) { Ok(false) } else { self.file.reserve(from, len) }
    }
}
