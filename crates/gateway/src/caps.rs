//! Every bound of the data plane in one place.

use std::time::Duration;

/// Bodies whose length is unknown start with a buffer of this many bytes at most.
pub(crate) const BODY_START_BYTES: usize = 64 * 1024;
/// Longest text that is tokenized on the runtime's threads.
pub(crate) const COUNT_INLINE_BYTES: usize = 100 * 1024;
/// Texts that are tokenized at once off the runtime's threads.
pub(crate) const COUNT_PERMITS: usize = 2;
/// Bytes of uncounted inputs that a shard of organisations may keep; above, inputs are counted at admission.
pub(crate) const UNCOUNTED_BYTES_PER_SHARD: usize = 4 * 1024 * 1024;
/// Uncounted inputs that a shard may keep.
pub(crate) const UNCOUNTED_PER_SHARD: usize = 4_096;
/// Counts that a shard remembers.
pub(crate) const RECENT_COUNTS_PER_SHARD: usize = 256;
/// Shards of the registry of uncounted inputs.
pub(crate) const UNCOUNTED_SHARDS: usize = 64;
/// Longest unstreamed answer of a provider.
pub(crate) const ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Longest error body of a provider that is read.
pub(crate) const ERROR_BODY_BYTES: usize = 64 * 1024;
/// How long an error body of a provider is waited for.
pub(crate) const ERROR_BODY: Duration = Duration::from_secs(5);
/// Most bytes of a stream that are read before its first event.
pub(crate) const FIRST_EVENT_BYTES: usize = 64 * 1024;
/// A first read with more bytes than this is taken event by event: what it holds isn't known when it is read.
pub(crate) const FIRST_READ_BYTES: u64 = 1_024;
/// Attempts that one request may make at providers: as many as a model may have targets, each at another.
pub(crate) const ATTEMPTS: u32 = 50;
/// How long a request that was sent may be on its way to its provider: above, it is taken to have arrived, whatever is heard of it.
pub(crate) const ON_THE_WAY_US: u64 = 1_000_000;
/// Bytes that one read of a provider's connection takes at most.
pub(crate) const READ_BYTES: usize = 32 * 1024;
/// Longest head of a provider's answer.
pub(crate) const ANSWER_HEAD_BYTES: usize = 64 * 1024;
/// Bytes between the chunks of an answer (extensions, trailers) that are passed over.
pub(crate) const CHUNK_IDLE_BYTES: usize = 16 * 1024;
/// Longest body that goes to a provider in one piece with its head: copying it costs less than a second call of the system.
pub(crate) const BODY_WITH_HEAD_BYTES: usize = 8 * 1024;
/// Idle connections kept to one provider.
pub(crate) const IDLE_CONNECTIONS: usize = 1_024;
/// How long an idle connection in the clear is kept: below the 5 s after which common model servers close theirs.
pub(crate) const IDLE_PLAIN: Duration = Duration::from_secs(4);
/// How often it is looked whether one has been idle for so long.
pub(crate) const IDLE_LOOK: Duration = Duration::from_secs(2);
/// How long an idle TLS connection is kept.
pub(crate) const IDLE_TLS: Duration = Duration::from_secs(50);
/// How long connecting to a provider may take.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// A whole attempt, where the provider states no `timeout_seconds`.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(600);
/// Longest silence between two pieces of a stream.
pub(crate) const STREAM_IDLE: Duration = Duration::from_secs(300);
/// How long a provider may keep its connection open after `[DONE]` before it is closed.
pub(crate) const AFTER_DONE: Duration = Duration::from_secs(1);
/// Credentials of one target that one request may try, one after the other.
pub(crate) const CREDENTIAL_ATTEMPTS: u32 = 8;
/// How long the rest of an unwanted request body is read and thrown away, so that the client sees its answer.
pub(crate) const LINGER: Duration = Duration::from_secs(5);
/// How much of it.
pub(crate) const LINGER_BYTES: u64 = 16 * 1024 * 1024;
/// Bodies that are thrown away at once.
pub(crate) const LINGERING: usize = 256;
/// Limits that one request can draw from: five of its pool and five of its key.
pub(crate) const LIMITS_PER_REQUEST: usize = 10;
/// A model id in a path, decoded.
pub(crate) const MODEL_ID_BYTES: usize = 1_024;
/// Longest list of models that a probe reads.
pub(crate) const PROBE_BODY_BYTES: usize = 1024 * 1024;
/// How often a request is decided anew because others were admitted uncounted meanwhile. Each time the pool is fuller.
pub(crate) const COUNT_ROUNDS: usize = 64;
/// Output tokens by which a hold is made larger than what is needed at the moment, where there is room.
pub(crate) const LOOKAHEAD_TOKENS: u64 = 64;
/// Bytes that a paused stream is read ahead; then its provider has to wait.
pub(crate) const PAUSED_BYTES: usize = 128 * 1024;
/// How often a paused answer looks for room that others gave back.
pub(crate) const PAUSE_LOOK: Duration = Duration::from_millis(20);
/// How often the client of a paused stream hears that it still lives.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Requests that wait for room before they are admitted.
pub(crate) const WAITERS: usize = 4_096;
/// Bytes of their bodies.
pub(crate) const WAITER_BYTES: usize = 64 * 1024 * 1024;
/// First and longest time between two looks of a request that waits for what others hold.
pub(crate) const WAIT_LOOKS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));
