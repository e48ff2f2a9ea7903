//! The choice between the two shapes of a 429's body. How they are written is the data plane's matter.

use serde::{Deserialize, Serialize};

/// How a rate-limit refusal's body is shaped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateLimitBody {
    /// `{"error":"<model> model is rate limited until …"}`: the error is a string.
    #[default]
    Text,
    /// OpenAI's object: `{"error":{"message","type","param","code"}}`.
    Openai,
}
