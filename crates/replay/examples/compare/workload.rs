//! A trace in memory, with limits of 0.8 times its mean load, and the assumptions that all limiters share.

use std::error::Error;
use std::fs::File;
use std::path::Path;

use replay::{Labels, Reader, Row};

pub(crate) const WINDOW_US: u64 = 60_000_000;
/// Output comes at 50 tokens a second, relayed once a second.
pub(crate) const US_PER_TOKEN: u64 = 20_000;
pub(crate) const PIECE_US: u64 = 1_000_000;
/// Output that is assumed of a request before anything is known.
pub(crate) const DEFAULT_OUTPUT: u64 = 1_024;

pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) models: Labels,
    /// Limits of requests and of tokens in 60 seconds.
    pub(crate) n: [u64; 2],
    pub(crate) tokens: u64,
    minutes: f64,
}

impl Workload {
    pub(crate) fn read(path: &str) -> Result<Self, Box<dyn Error>> {
        let mut reader = Reader::new(File::open(path)?)?;
        let mut rows = Vec::new();
        while let Some(row) = reader.next_row()? {
            rows.push(row);
        }
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Err("an empty trace".into()) };
        let minutes = (last.at.0 - first.at.0) as f64 / 6e7;
        let tokens = rows.iter().map(|row| u64::from(row.input) + u64::from(row.output)).sum();
        let n = [rows.len() as u64, tokens].map(|load| (0.8 * load as f64 / minutes) as u64);
        let name = Path::new(path).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Self { name, models: reader.models().clone(), rows, n, tokens, minutes })
    }

    pub(crate) fn describe(&self) -> String {
        let [rpm, tpm] = self.n;
        let (requests, tokens, minutes) = (self.rows.len(), self.tokens, self.minutes);
        format!("{requests} requests and {tokens} tokens in {minutes:.1} minutes; limits of {rpm} requests and {tpm} tokens in 60 seconds.")
    }

    /// When a row arrives, in microseconds; the first after 0, at the minute's second that the trace says.
    pub(crate) fn arrival_us(&self, row: &Row) -> u64 {
        let first = self.rows.first().map_or(0, |row| row.at.0);
        (row.at.0 - first + first.rem_euclid(WINDOW_US as i64)) as u64 + WINDOW_US
    }
}
