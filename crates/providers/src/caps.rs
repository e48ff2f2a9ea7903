//! Every bound and every figure of this crate. It says how much, not what happens beyond it.

/// Deepest nesting of arrays and objects in a JSON text.
pub const MAX_DEPTH: u32 = 128;

/// Input tokens that a provider may add to a request: a default system prompt, the preamble to tools, the begin of the answer.
/// OpenAI adds 3; Qwen's and Llama's templates up to 40, GPT-OSS's 70.
pub const REQUEST_OVERHEAD_TOKENS: u64 = 96;
/// Input tokens that a provider may add to a request that declares tools: how to call them. Qwen's and Hermes' templates add up to 250.
pub const TOOLS_OVERHEAD_TOKENS: u64 = 256;
/// Input tokens that a provider may add to a message or text: the role's frame. OpenAI adds 3, ChatML and Llama 5.
pub const MESSAGE_OVERHEAD_TOKENS: u64 = 8;
/// Input tokens that OpenAI adds to a chat request, as its cookbook counts them.
pub const COUNTED_REQUEST_TOKENS: u64 = 3;
/// Input tokens that OpenAI adds to a message, as its cookbook counts them.
pub const COUNTED_MESSAGE_TOKENS: u64 = 3;
/// Input tokens that OpenAI adds for a message's `name`, as its cookbook counts them.
pub const COUNTED_NAME_TOKENS: u64 = 1;

/// An image's figure in input tokens: what a picture of 1,500 by 1,100 pixels has at Qwen's servers, and more than at OpenAI's or Anthropic's.
/// What a provider's usage shows beyond a figure is settled afterwards.
pub const TOKENS_PER_IMAGE: u64 = 2_048;
/// An audio clip's figure in input tokens: five minutes at ten a second.
pub const TOKENS_PER_AUDIO: u64 = 3_000;
/// A video's figure in input tokens: one minute at 256 a second.
pub const TOKENS_PER_VIDEO: u64 = 15_360;
/// A file's figure in input tokens: ten pages of text.
pub const TOKENS_PER_FILE: u64 = 8_192;

/// Most tokens of one request that are believed of a provider's usage.
pub const MAX_BELIEVABLE_TOKENS: u64 = 1 << 30;
/// Longest event of a stream; a longer one breaks the stream.
pub const MAX_EVENT_BYTES: usize = 1 << 20;
/// Most bytes of comments and other trifles before a stream's first event.
pub const MAX_PREAMBLE_BYTES: usize = 64 << 10;
/// Longest word, as tokenizers split a text into words, that is counted as one.
pub const MAX_WORD_BYTES: usize = 4 << 10;
/// A stream's text is counted whenever this much of it has come together.
pub const COUNT_AT_BYTES: usize = 2 << 10;
/// A longer text of one event is counted at once, so that what is charged keeps up with providers that send much at a time.
pub const COARSE_TEXT_BYTES: usize = 64;
/// Text without any place to cut it, such as base64, is cut anywhere at this length; a token more or less is then possible.
pub const COUNT_ANYWHERE_AT_BYTES: usize = 8 << 10;
/// The part of one event's text beyond this is taken to have a token for each four bytes, so that counting never holds up the runtime.
pub const MAX_COUNTED_EVENT_TEXT_BYTES: usize = 64 << 10;
/// Most texts of one stream (choices, reasoning, tool calls) that are counted apart.
pub const MAX_LANES: usize = 64;
/// Longest error message that is passed on.
pub const MAX_ERROR_MESSAGE_BYTES: usize = 4 << 10;
/// Longest error body whose members are read and passed on; of a longer one only the first words are looked at.
pub const MAX_ERROR_BODY_BYTES: usize = 64 << 10;
/// Longest wait that a provider is believed: an hour.
pub const MAX_RETRY_AFTER_MS: u64 = 3_600_000;
/// Longest name of a provider's error that is kept for records.
pub const MAX_ERROR_CODE_BYTES: usize = 64;
/// Most limits that are read of one header.
pub const MAX_LIMITS_IN_HEADER: usize = 16;
/// Longest text that is read as a date.
pub const MAX_TIME_BYTES: usize = 64;
/// Most texts in an answer of the simulated server.
pub const MAX_DEMO_CHOICES: u64 = 128;
/// Longest request body whose tokens the simulated server counts; of longer ones it says a quarter of the bytes.
pub const MAX_DEMO_COUNTED_BYTES: usize = 100_000;
/// Most words of one input that shape its simulated embedding.
pub const MAX_DEMO_EMBEDDED_WORDS: usize = 48;
/// Most embeddings in an answer of the simulated server, as at OpenAI.
pub const MAX_DEMO_EMBEDDINGS: usize = 2_048;
