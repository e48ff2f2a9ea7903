//! Inputs of admitted requests that were logged at their bound and not counted yet. Who decides that they must be counted
//! is admission; tokenizers are the `providers` crate's.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::{Endpoint, OrgId, PoolId, Tokenizer};
use hashbrown::HashMap;
use limits::{HoldId, SharedLedger};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::caps;

const UNKNOWN: u64 = u64::MAX;

/// A request's text and how it is counted.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) body: Bytes,
    pub(crate) endpoint: Endpoint,
    pub(crate) tokenizer: Tokenizer,
}

impl Text {
    fn count(&self) -> u64 {
        providers::count_input(self.endpoint, &self.body, self.tokenizer)
    }

    /// What its count depends on, in short.
    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update([self.endpoint as u8, self.tokenizer as u8]);
        hash.update(&self.body);
        hash.finalize().into()
    }
}

/// The input of an admitted request.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) org: OrgId,
    pub(crate) pools: [Option<PoolId>; 2],
    pub(crate) hold: HoldId,
    pub(crate) ledger: SharedLedger,
    pub(crate) text: Text,
    exact: AtomicU64,
}

impl Input {
    pub(crate) fn new(org: OrgId, pools: [Option<PoolId>; 2], hold: HoldId, ledger: SharedLedger, text: Text) -> Self {
        Self { org, pools, hold, ledger, text, exact: AtomicU64::new(UNKNOWN) }
    }

    /// Its tokens, if it was counted.
    pub(crate) fn exact(&self) -> Option<u64> {
        Some(self.exact.load(Relaxed)).filter(|n| *n != UNKNOWN)
    }

    fn shares_a_pool(&self, pools: &[Option<PoolId>; 2]) -> bool {
        self.pools.iter().flatten().any(|pool| pools.contains(&Some(*pool)))
    }

    /// Counts it and gives back to its pools what was logged too much.
    pub(crate) fn count(&self, now_us: u64) -> u64 {
        let exact = self.exact().unwrap_or_else(|| self.text.count());
        self.exact.store(exact, Relaxed);
        self.ledger.with(|ledger| ledger.input(self.hold, exact, now_us));
        exact
    }
}

#[derive(Debug, Default)]
struct Shard {
    slots: Vec<Option<Arc<Input>>>,
    free: Vec<usize>,
    bytes: usize,
}

impl Shard {
    fn remove(&mut self, slot: usize, input: &Arc<Input>) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        if entry.as_ref().is_some_and(|found| Arc::ptr_eq(found, input)) {
            *entry = None;
            self.free.push(slot);
            self.bytes = self.bytes.saturating_sub(input.text.body.len());
        }
    }
}

#[derive(Debug, Default)]
struct Place {
    shard: Mutex<Shard>,
    /// Held while inputs are counted, so that none is counted twice.
    counting: tokio::sync::Mutex<()>,
    /// Counts of texts that were asked for lately: a refused client sends the same again.
    recent: Mutex<HashMap<[u8; 32], u64>>,
}

impl Place {
    fn recent(&self, digest: &[u8; 32]) -> Option<u64> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).get(digest).copied()
    }

    fn remember(&self, digest: [u8; 32], tokens: u64) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= caps::RECENT_COUNTS_PER_SHARD {
            recent.clear();
        }
        recent.insert(digest, tokens);
    }
}

/// All uncounted inputs, sharded by organisation, and the permits for counting long texts.
#[derive(Debug)]
pub(crate) struct Uncounted {
    places: Box<[Arc<Place>]>,
    permits: Semaphore,
}

/// Keeps an input findable while it lives.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) input: Arc<Input>,
    slot: usize,
    place: Arc<Place>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.place.shard.lock().unwrap_or_else(PoisonError::into_inner).remove(self.slot, &self.input);
    }
}

impl Default for Uncounted {
    fn default() -> Self {
        Self { places: (0..caps::UNCOUNTED_SHARDS).map(|_| Arc::default()).collect(), permits: Semaphore::new(caps::COUNT_PERMITS) }
    }
}

impl Uncounted {
    fn place(&self, org: OrgId) -> Option<&Arc<Place>> {
        let n = usize::try_from(org.bits() % caps::UNCOUNTED_SHARDS as u128).unwrap_or(0);
        self.places.get(n)
    }

    /// Takes a hold at the input's bound and keeps the input in the same step, so that whoever is refused because of it finds it.
    /// `None` where no more of `bytes` may be kept; then nothing was taken.
    pub(crate) fn keep<H, E>(
        &self,
        org: OrgId,
        bytes: usize,
        reserve: impl FnOnce() -> Result<H, E>,
        input: impl FnOnce(&H) -> Input,
    ) -> Result<Option<(H, Ticket)>, E> {
        let Some(place) = self.place(org) else { return Ok(None) };
        let mut shard = place.shard.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = shard.slots.len() - shard.free.len() >= caps::UNCOUNTED_PER_SHARD;
        if is_full || shard.bytes.saturating_add(bytes) > caps::UNCOUNTED_BYTES_PER_SHARD {
            return Ok(None);
        }
        let hold = reserve()?;
        let input = Arc::new(input(&hold));
        shard.bytes += bytes;
        let slot = shard.free.pop().unwrap_or(shard.slots.len());
        match shard.slots.get_mut(slot) {
            Some(entry) => *entry = Some(Arc::clone(&input)),
            None => shard.slots.push(Some(Arc::clone(&input))),
        }
        drop(shard);
        Ok(Some((hold, Ticket { input, slot, place: Arc::clone(place) })))
    }

    /// Decides while no input of these pools is uncounted, nor can become so; `None` if one is.
    pub(crate) fn decide<R>(&self, org: OrgId, pools: &[Option<PoolId>; 2], decision: impl FnOnce() -> R) -> Option<R> {
        let place = self.place(org)?;
        let shard = place.shard.lock().unwrap_or_else(PoisonError::into_inner);
        let is_uncounted = shard.slots.iter().flatten().any(|input| input.org == org && input.shares_a_pool(pools));
        (!is_uncounted).then(decision)
    }

    /// Counts all inputs of an organisation that share a pool with these; how many there were.
    pub(crate) async fn count_others(&self, org: OrgId, pools: [Option<PoolId>; 2], now_us: u64) -> usize {
        let Some(place) = self.place(org) else { return 0 };
        let _alone = place.counting.lock().await;
        let found: Vec<(usize, Arc<Input>)> = {
            let shard = place.shard.lock().unwrap_or_else(PoisonError::into_inner);
            let entries = shard.slots.iter().enumerate().filter_map(|(slot, input)| Some((slot, input.as_ref()?)));
            let mine = entries.filter(|(_, input)| input.org == org && input.shares_a_pool(&pools));
            mine.map(|(slot, input)| (slot, Arc::clone(input))).collect()
        };
        let bytes = found.iter().map(|(_, input)| input.text.body.len()).sum();
        let inputs: Vec<_> = found.iter().map(|(_, input)| Arc::clone(input)).collect();
        let count = move || inputs.iter().map(|input| input.count(now_us)).sum::<u64>();
        self.off_the_runtime(bytes, count).await;
        let mut shard = place.shard.lock().unwrap_or_else(PoisonError::into_inner);
        found.iter().filter(|(_, input)| input.exact().is_some()).for_each(|(slot, input)| shard.remove(*slot, input));
        found.len()
    }

    /// Counts one text of an organisation; the same again costs little.
    pub(crate) async fn count_again(&self, org: OrgId, text: &Text) -> u64 {
        let Some(place) = self.place(org).filter(|_| is_short(text.body.len())) else { return self.count(text).await };
        let digest = text.digest();
        if let Some(tokens) = place.recent(&digest) {
            return tokens;
        }
        let tokens = text.count();
        place.remember(digest, tokens);
        tokens
    }

    /// Counts one text.
    pub(crate) async fn count(&self, text: &Text) -> u64 {
        let owned = text.clone();
        // The task can only be lost when the runtime ends.
        self.off_the_runtime(text.body.len(), move || owned.count()).await.unwrap_or(text.body.len() as u64)
    }

    /// Counts the input of a request that ends.
    pub(crate) async fn count_kept(&self, input: Arc<Input>, now_us: u64) -> Option<u64> {
        let bytes = if input.exact().is_some() { 0 } else { input.text.body.len() };
        self.off_the_runtime(bytes, move || input.count(now_us)).await
    }

    /// Runs `work` over `bytes` of text here, or elsewhere where it would take long.
    pub(crate) async fn off_the_runtime<R: Send + 'static>(&self, bytes: usize, work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
        if is_short(bytes) {
            return Some(work());
        }
        let _permit = self.permits.acquire().await.ok()?;
        tokio::task::spawn_blocking(work).await.ok()
    }

    /// Inputs and their bytes that are kept.
    pub(crate) fn size(&self) -> (usize, usize) {
        let shards = self.places.iter().map(|place| place.shard.lock().unwrap_or_else(PoisonError::into_inner));
        shards.fold((0, 0), |(n, bytes), shard| (n + shard.slots.len() - shard.free.len(), bytes + shard.bytes))
    }
}

/// Whether a text may be tokenized on the runtime's threads.
pub(crate) fn is_short(bytes: usize) -> bool {
    bytes <= caps::COUNT_INLINE_BYTES
}

#[cfg(test)]
mod tests {
    use limits::{Ask, HoldGuard, Kind, LimitKey};

    use super::*;

    const POOLS: [Option<PoolId>; 2] = [Some(PoolId(1)), None];
    const KEY: LimitKey = LimitKey { pool: 1, kind: Kind::Tokens, window_us: 60_000_000 };

    fn text(bytes: usize) -> Text {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#, "word ".repeat(bytes / 5));
        Text { body: body.into(), endpoint: Endpoint::ChatCompletions, tokenizer: Tokenizer::O200kBase }
    }

    const ORG: OrgId = OrgId::from_bits(7);

    fn admit(all: &Uncounted, ledger: &SharedLedger, request: u128, text: Text) -> Option<(HoldGuard, Ticket)> {
        let log = text.body.len() as u64;
        let reserve = || ledger.reserve(request, &[Ask { key: KEY, n: 10_000_000, log, hold: 0 }], 0);
        let bytes = text.body.len();
        all.keep(ORG, bytes, reserve, |hold| Input::new(ORG, POOLS, hold.id(), ledger.clone(), text)).unwrap()
    }

    fn used(ledger: &SharedLedger) -> u64 {
        ledger.with(|l| l.status(KEY, 10_000_000, 0).used)
    }

    #[tokio::test]
    async fn counting_gives_back_what_was_logged_too_much_once() {
        let (ledger, all) = (SharedLedger::new(), Uncounted::default());
        for bytes in [1_000, 200_000] {
            let (guard, ticket) = admit(&all, &ledger, bytes as u128, text(bytes)).unwrap();
            let exact = ticket.input.text.count();
            let before = used(&ledger);
            assert_eq!(all.decide(ORG, &POOLS, || ()), None, "not while an input is uncounted");
            assert_eq!(all.count_others(OrgId::from_bits(7), POOLS, 0).await, 1);
            assert_eq!(all.decide(ORG, &POOLS, || ()), Some(()));
            assert_eq!((ticket.input.exact(), used(&ledger)), (Some(exact), before - ticket.input.text.body.len() as u64 + exact));
            assert_eq!(all.count_others(OrgId::from_bits(7), POOLS, 0).await, 0);
            assert_eq!(all.size(), (0, 0));
            drop((ticket, guard));
        }
    }

    #[tokio::test]
    async fn other_organisations_and_pools_are_left_alone() {
        let (ledger, all) = (SharedLedger::new(), Uncounted::default());
        let (_guard, ticket) = admit(&all, &ledger, 1, text(100)).unwrap();
        assert_eq!(all.decide(ORG, &[Some(PoolId(2)), None], || ()), Some(()));
        assert_eq!(all.count_others(OrgId::from_bits(7), [Some(PoolId(2)), None], 0).await, 0);
        assert_eq!(all.count_others(OrgId::from_bits(7 + caps::UNCOUNTED_SHARDS as u128), POOLS, 0).await, 0);
        assert_eq!(all.size().0, 1);
        drop(ticket);
        assert_eq!(all.size(), (0, 0));
    }

    #[tokio::test]
    async fn the_same_text_is_known_again_and_another_is_not() {
        let all = Uncounted::default();
        let org = OrgId::from_bits(7);
        let (short, long) = (text(500), text(200_000));
        for text in [&short, &short, &long] {
            assert_eq!(all.count_again(org, text).await, text.count());
        }
        let place = all.place(org).unwrap();
        assert_eq!((place.recent(&short.digest()), place.recent(&long.digest())), (Some(short.count()), None));
        for n in 0..=caps::RECENT_COUNTS_PER_SHARD {
            all.count_again(org, &text(n)).await;
        }
        assert!(place.recent.lock().unwrap().len() <= caps::RECENT_COUNTS_PER_SHARD);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (ledger, all) = (SharedLedger::new(), Uncounted::default());
        let mut kept: Vec<_> = (0..5).map(|request| admit(&all, &ledger, request, text(1_000_000))).collect();
        assert!(kept[..4].iter().all(Option::is_some) && kept[4].is_none());
        let before = used(&ledger);
        assert_eq!(before, 4 * text(1_000_000).body.len() as u64, "what can't be kept takes nothing");
        drop(kept.remove(0));
        assert!(admit(&all, &ledger, 6, text(1_000_000)).is_some());
    }
}
