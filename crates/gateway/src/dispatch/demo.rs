//! An attempt at the built-in simulated server: the same stops as for any provider, without a network.

use std::time::Duration;

use domain::Category;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use providers::demo::{Reply, Settings, reply};
use tokio::time::sleep;

use super::attempt::{Deadlines, by};
use super::{Answer, Asked, AttemptFault, Dispatched};
use crate::caps;
use crate::relay::{Opened, Silence, Simulated, Source};
use crate::routes::TargetRoute;

impl Asked<'_> {
    pub(super) async fn attempt_demo(&self, index: usize, target: &TargetRoute, left: Duration) -> Result<Dispatched, AttemptFault> {
        let in_flight = Self::in_flight(target);
        let deadlines = Deadlines::of(target, left);
        let now = self.gateway.clock.now();
        let settings = Settings {
            model: &self.facts.model,
            category: self.model.model.size_category().unwrap_or(Category::Small),
            seed: now.mono_us,
            created_s: now.wall.0 / 1_000_000,
            speed: self.gateway.config.demo_speed,
        };
        let (answer, content_type) = match reply(self.facts, self.body, &settings) {
            Reply::Whole(timed) => {
                if timed.due_us > 0 {
                    by(deadlines.whole, sleep(Duration::from_micros(timed.due_us))).await?;
                }
                (self.whole(timed.bytes)?, "application/json")
            }
            Reply::Stream(schedule) => {
                let source = Source::Demo(Box::new(Simulated::new(schedule)));
                let (reader, first, source) = self.open(source, deadlines.first_byte).await?;
                let silence = Silence::new(caps::STREAM_IDLE, deadlines.whole);
                let opened = Opened { source, reader, first, target: index, credential: 0, in_flight, silence, status: 200 };
                (Answer::Stream(Box::new(opened)), "text/event-stream; charset=utf-8")
            }
        };
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Ok(Dispatched { status: StatusCode::OK, headers, answer, target: index, at: self.gateway.clock.now() })
    }
}
