//! Every bound of the listener.

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
