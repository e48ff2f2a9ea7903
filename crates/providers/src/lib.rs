//! The languages of upstreams: bytes in, bytes out, for requests, answers, streams and errors.
//! It knows no network, no async runtime and no clock.

mod answer;
pub mod caps;
pub mod demo;
mod input;
mod json;
mod kind;
pub mod openai;
mod request;
mod splice;
mod stream;
mod tokens;
mod upstream_error;
mod verdict;

pub use answer::{AnswerFacts, AnswerFault, count_output, read_answer, with_model};
pub use input::{count_input, input_bound};
pub use kind::{Wire, wire};
pub use request::{RequestFacts, RequestFault, read_request};
pub use splice::upstream_body;
pub use stream::{
    Ending, FirstEvent, InBandError, Pushed, StreamEnd, StreamFault, StreamReader, StreamSettings, first_of_several, stream_error_event,
};
pub use upstream_error::{passed_on_body, scrub};
pub use verdict::{Allowance, Fault, Quota, Retry, Scope, Source, Verdict, When, judge, judge_in_band};
