//! Reads a trace row by row from anything that gives bytes, in little memory, and puts neighbours in order of time.
//! It knows no file: whoever opened it tells its size.

use std::collections::VecDeque;
use std::io::Read;

use memchr::memchr;

use crate::caps;
use crate::csv;
use crate::fault::{LineFault, TraceFault};
use crate::json_line::{self, Names};
use crate::row::{Labels, Row};

/// What a trace is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `TIMESTAMP,ContextTokens,GeneratedTokens`
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// A trace that is being read.
///
/// Rows come in order of time. A trace need not be: an export is written as requests end, so a long request stands behind shorter ones
/// that came later. Up to 65,536 rows are looked ahead to put that right.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    buffer: Vec<u8>,
    /// What of the buffer is still to be read.
    start: usize,
    end: usize,
    ended: bool,
    bytes: u64,
    line: u64,
    format: Format,
    names: Names,
    skips_bad_lines: bool,
    bad_lines: u64,
    /// Rows kept back, the earliest first.
    ahead: VecDeque<Row>,
    last_given: Option<Row>,
}

impl<R: Read> Reader<R> {
    /// Looks at the beginning of a trace to tell its format.
    ///
    /// # Errors
    /// It can't be read, or begins like nothing that is known.
    pub fn new(source: R) -> Result<Self, TraceFault> {
        let mut reader = Self {
            source,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            ended: false,
            bytes: 0,
            line: 0,
            format: Format::JsonLines,
            names: Names::default(),
            skips_bad_lines: false,
            bad_lines: 0,
            ahead: VecDeque::new(),
            last_given: None,
        };
        reader.detect()?;
        Ok(reader)
    }

    /// Counts lines that can't be read instead of ending there.
    #[must_use]
    pub fn skipping_bad_lines(mut self) -> Self {
        self.skips_bad_lines = true;
        self
    }

    /// The next request in order of time; none after the last.
    ///
    /// # Errors
    /// A bad line, unless those are skipped; or the trace can't be read on.
    pub fn next_row(&mut self) -> Result<Option<Row>, TraceFault> {
        while !self.ended && self.ahead.len() < caps::REORDERED_ROWS {
            match self.read_row()? {
                Some(row) => self.keep(row),
                None => break,
            }
        }
        let row = self.ahead.pop_front();
        self.last_given = row.or(self.last_given);
        Ok(row)
    }

    /// What it is written in.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Bytes of it that have been read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Lines that were skipped because they couldn't be read.
    pub fn bad_lines(&self) -> u64 {
        self.bad_lines
    }

    /// The models that it has named so far.
    pub fn models(&self) -> &Labels {
        &self.names.models
    }

    /// The organisations that it has named so far.
    pub fn orgs(&self) -> &Labels {
        &self.names.orgs
    }

    fn detect(&mut self) -> Result<(), TraceFault> {
        self.fill()?;
        if self.buffer.get(self.start..self.end).is_some_and(|text| text.starts_with(b"\xEF\xBB\xBF")) {
            self.start += 3;
        }
        loop {
            let Some((start, end)) = self.line().map_err(|_| TraceFault::UnknownFormat)? else { return Err(TraceFault::Empty) };
            let text = self.buffer.get(start..end).unwrap_or(&[]).trim_ascii();
            if text.is_empty() {
                continue;
            }
            if csv::is_header(text) {
                self.format = Format::Csv;
            } else if text.starts_with(b"{") {
                // This line is a row: it is read again.
                self.start = start;
                self.line -= 1;
            } else {
                return Err(TraceFault::UnknownFormat);
            }
            return Ok(());
        }
    }

    /// Puts a row in its place among those kept back: most often the last.
    fn keep(&mut self, row: Row) {
        if self.ahead.back().is_none_or(|last| last.at <= row.at) {
            self.ahead.push_back(row);
        } else {
            let place = self.ahead.partition_point(|other| other.at <= row.at);
            self.ahead.insert(place, row);
        }
    }

    fn read_row(&mut self) -> Result<Option<Row>, TraceFault> {
        loop {
            let line = match self.line() {
                Ok(line) => line,
                Err(TraceFault::Line { line, fault }) => {
                    self.bad(line, fault)?;
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            let Some((start, end)) = line else {
                self.ended = true;
                return Ok(None);
            };
            let text = self.buffer.get(start..end).unwrap_or(&[]);
            if text.is_empty() {
                continue;
            }
            let row = match self.format {
                Format::Csv => csv::parse(text),
                Format::JsonLines => json_line::parse(text, &mut self.names),
            };
            match row {
                Ok(row) if self.last_given.is_some_and(|given| row.at < given.at) => self.bad(self.line, LineFault::OutOfOrder)?,
                Ok(row) => return Ok(Some(row)),
                Err(fault) => self.bad(self.line, fault)?,
            }
        }
    }

    fn bad(&mut self, line: u64, fault: LineFault) -> Result<(), TraceFault> {
        if self.skips_bad_lines {
            self.bad_lines += 1;
            Ok(())
        } else {
            Err(TraceFault::Line { line, fault })
        }
    }

    /// Where the next line stands in the buffer, without its line break; none at the end.
    fn line(&mut self) -> Result<Option<(usize, usize)>, TraceFault> {
        let mut searched = 0;
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or(&[]);
            if let Some(found) = memchr(b'\n', unread.get(searched..).unwrap_or(&[])) {
                let (start, end) = (self.start, self.start + searched + found);
                self.start = end + 1;
                self.line += 1;
                if end - start > caps::LINE_BYTES {
                    return Err(TraceFault::Line { line: self.line, fault: LineFault::TooLong });
                }
                return Ok(Some((start, self.without_return(start, end))));
            }
            searched = unread.len();
            if searched > caps::LINE_BYTES {
                self.line += 1;
                self.pass_over()?;
                return Err(TraceFault::Line { line: self.line, fault: LineFault::TooLong });
            }
            if self.fill()? == 0 {
                let (start, end) = (self.start, self.end);
                self.start = end;
                self.line += u64::from(start < end);
                return Ok((start < end).then(|| (start, self.without_return(start, end))));
            }
        }
    }

    fn without_return(&self, start: usize, end: usize) -> usize {
        if end > start && self.buffer.get(end - 1) == Some(&b'\r') { end - 1 } else { end }
    }

    /// Reads to the end of a line that is too long, keeping nothing of it.
    fn pass_over(&mut self) -> Result<(), TraceFault> {
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or(&[]);
            if let Some(found) = memchr(b'\n', unread) {
                self.start += found + 1;
                return Ok(());
            }
            self.start = self.end;
            if self.fill()? == 0 {
                return Ok(());
            }
        }
    }

    /// Reads on, behind what is still unread; returns how many bytes came.
    fn fill(&mut self) -> Result<usize, TraceFault> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < self.end + caps::READ_BYTES {
            self.buffer.resize(self.end + caps::READ_BYTES, 0);
        }
        let came = loop {
            match self.source.read(self.buffer.get_mut(self.end..).unwrap_or(&mut [])) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                came => break came?,
            }
        };
        self.end += came;
        self.bytes += came as u64;
        Ok(came)
    }
}
