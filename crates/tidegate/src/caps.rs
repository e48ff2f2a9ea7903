//! Every bound of the listener, the logs and the command line.

use std::time::Duration;

/// Connections waiting to be accepted; the system's default of 128 costs dropped clients a second.
pub(crate) const BACKLOG: u32 = 4_096;
/// Connections open at once, as far as the system's limit of open files allows.
pub(crate) const MAX_CONNECTIONS: usize = 32_768;
/// Open files that are not clients' connections: the database, logs, listeners.
pub(crate) const RESERVED_FILES: u64 = 256;
/// A request's head in bytes; also the largest read buffer of a connection. hyper's grows by 8, 16 and 32 kB, and a bound that
/// is no such sum would be passed by what it has allocated.
pub(crate) const MAX_HEAD_BYTES: usize = 56 * 1_024;
/// A write in several parts that is made one before it goes to the system.
pub(crate) const SHORT_WRITE_BYTES: usize = 4 * 1_024;
/// A request's head in bytes over HTTP/2, as its header list counts them.
pub(crate) const MAX_HEADER_LIST_BYTES: u32 = 64 * 1_024;
/// Requests at once on one HTTP/2 connection.
pub(crate) const MAX_H2_STREAMS: u32 = 128;
/// Bytes of a body in flight on one HTTP/2 stream, and on all streams of a connection.
pub(crate) const H2_STREAM_WINDOW_BYTES: u32 = 256 * 1_024;
pub(crate) const H2_CONNECTION_WINDOW_BYTES: u32 = 1_024 * 1_024;
/// Bytes of an answer that wait to be sent on one HTTP/2 stream.
pub(crate) const H2_SEND_BUFFER_BYTES: usize = 64 * 1_024;
/// Pause after a failed accept (no more open files), before the next.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often connections are looked through, at least and at most.
pub(crate) const WATCH_INTERVAL_LEAST: Duration = Duration::from_millis(20);
pub(crate) const WATCH_INTERVAL_MOST: Duration = Duration::from_secs(1);
/// How long cut connections get to let go of what they hold.
pub(crate) const CUT_WAIT: Duration = Duration::from_secs(5);
/// How long a stopping server goes on trying to write the last records.
pub(crate) const FLUSH_WAIT: Duration = Duration::from_secs(30);
/// How often a stopping server looks whether the last requests have ended.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Log lines that wait for their writer; further ones are dropped and counted.
pub(crate) const LOG_LINES: usize = 16_384;
/// Bytes of a configuration file.
pub(crate) const MAX_CONFIG_BYTES: u64 = 16 * 1_024 * 1_024;
/// Time for a local model server to answer when it is looked for.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Mails that wait to be tried for the first time.
pub(crate) const MAILS_WAITING: usize = 256;
/// Mails that are tried, or wait to be tried again.
pub(crate) const MAILS_UNDER_WAY: usize = 256;
/// Mails that are tried at the same time.
pub(crate) const MAILS_AT_ONCE: usize = 4;
/// Time for each step of sending a mail.
pub(crate) const MAIL_TIMEOUT: Duration = Duration::from_secs(20);
/// Pauses before a mail is tried again.
pub(crate) const MAIL_PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(10), Duration::from_secs(60)];
/// Time for a provider to answer when the operator tests it.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(10);
/// API keys that are tested at once: all of a provider's within 40 s, before whoever asked gives up.
pub(crate) const TESTS_AT_ONCE: usize = 8;
const _: () = assert!(MAX_PROVIDER_KEYS.div_ceil(TESTS_AT_ONCE) as u64 * TEST_TIMEOUT.as_secs() < CLIENT_TIMEOUT.as_secs());
/// API keys of one configured provider: as many as the store takes.
pub(crate) const MAX_PROVIDER_KEYS: usize = 32;
/// Models taken over from one discovered provider.
pub(crate) const MAX_DISCOVERED_MODELS: usize = 500;
/// Time for the control API to answer the command line.
pub(crate) const CLIENT_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of an answer that the command line reads.
pub(crate) const CLIENT_ANSWER_BYTES: usize = 64 * 1_024 * 1_024;
/// Rows that the command line asks for at once.
pub(crate) const CLIENT_PAGE: usize = 200;
