//! Every bound of the logs, the mails and the command line.

use std::time::Duration;

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
