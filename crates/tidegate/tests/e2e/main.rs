//! The whole application, in-process, on a clock that moves when told: one file a topic. Nothing sleeps.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test's tool fails the test")]

mod bad_input;
mod changes;
mod concurrency;
mod credentials;
mod disconnect;
mod fallback;
mod hundred;
mod keys;
mod oidc;
mod pace;
mod payments;
mod people;
mod plan_table;
mod quotas;
mod refusal;
mod relay;
mod shadow;
mod shared_pool;
mod shutdown;
mod spend;
mod usage;
mod wait;
mod window;
mod world;
