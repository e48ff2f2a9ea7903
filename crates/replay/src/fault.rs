//! What can be wrong with a trace, for people. It knows no file name; whoever opened the file does.

use crate::caps;

/// What is wrong with one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// It isn't of the format that the trace began with.
    #[error("is not {0}")]
    Not(&'static str),
    /// A value is missing.
    #[error("has no {0}")]
    Missing(&'static str),
    /// A value is of the wrong kind, or out of bounds.
    #[error("{what} is not {expected}")]
    Value {
        /// Which value.
        what: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// It doesn't end.
    #[error("is longer than {} bytes", caps::LINE_BYTES)]
    TooLong,
    /// It names one organisation or model more than can be told apart.
    #[error("names one more {0} than the {most} that a trace may have", most = caps::LABELS)]
    TooMany(&'static str),
    /// It is so much earlier than what stands before it that it can't be put in its place.
    #[error("is earlier than a request that stands more than {} rows before it: sort the trace by time", caps::REORDERED_ROWS)]
    OutOfOrder,
}

/// Why a trace can't be read on.
#[derive(Debug, thiserror::Error)]
pub enum TraceFault {
    /// One of its lines is wrong.
    #[error("line {line} {fault}")]
    Line {
        /// The first line is 1.
        line: u64,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// It begins like nothing that is known.
    #[error(
        "this is no trace that can be read: expected the header TIMESTAMP,ContextTokens,GeneratedTokens, or one JSON object a line with \
         timestamp, input_length and output_length, or with at, input_tokens and output_tokens"
    )]
    UnknownFormat,
    /// There is no request in it.
    #[error("there is no request in it")]
    Empty,
    /// It couldn't be read.
    #[error("it can't be read: {0}")]
    Read(#[from] std::io::Error),
}
