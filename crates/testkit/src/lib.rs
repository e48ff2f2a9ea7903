//! For tests only: a clock that moves when told, seeded randomness, a scripted upstream, a client with raw access.
//! It knows HTTP/1.1 on the wire, OpenAI's, Stripe's and OpenID Connect's shapes, nothing of the product's crates but `domain`. It never sleeps.
#![expect(clippy::expect_used, clippy::panic, reason = "a test's tool fails the test")]

mod client;
mod clock;
mod entropy;
mod form;
mod mail;
mod oidc;
mod oidc_keys;
mod openai;
mod script;
mod stripe;
mod upstream;
mod wire;

pub use client::{Answer, Call, Connection, Event, Opened};
pub use clock::ManualClock;
pub use entropy::SeededEntropy;
pub use mail::{Delivered, MailServer};
pub use oidc::{FakeOidc, Lie};
pub use openai::{Reply, chat_chunk, chat_usage_chunk};
pub use script::{Gate, Script, Sse};
pub use stripe::{CARD_DECLINED, CARD_PAYS, CARD_PAYS_ONCE, FakeStripe, Trouble};
pub use upstream::{Received, Upstream};
pub use wire::{Headers, WAIT};
