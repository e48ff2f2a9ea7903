//! Traces as they come: formats told apart, line breaks of every kind, bad lines, rows out of order, and reads of any size.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::Read;

use proptest::prelude::*;
use replay::{Format, LINE_BYTES, REORDERED_ROWS, Reader, Row, TraceFault};

/// Gives at most so many bytes at once.
struct Slow<'a> {
    text: &'a [u8],
    step: usize,
}

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let len = self.step.min(into.len());
        self.text.read(&mut into[..len])
    }
}

fn rows_of<R: Read>(mut reader: Reader<R>) -> Result<Vec<Row>, TraceFault> {
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row()? {
        rows.push(row);
    }
    Ok(rows)
}

fn rows(text: &str) -> Result<Vec<Row>, TraceFault> {
    rows_of(Reader::new(text.as_bytes())?)
}

fn said(text: &str) -> String {
    rows(text).unwrap_err().to_string()
}

fn shapes(text: &str) -> Vec<(i64, u32, u32)> {
    rows(text).unwrap().iter().map(|row| (row.at.0, row.input, row.output)).collect()
}

const CSV: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3180,8";

#[test]
fn csv_with_and_without_its_last_line_break() {
    let expected = [(1_700_158_623_979_960, 4_808, 10), (1_700_158_624_031_960, 3_180, 8)];
    for text in [CSV.to_owned(), format!("{CSV}\n"), CSV.replace('\n', "\r\n"), format!("\u{feff}{CSV}\r\n\r\n"), format!("\n{CSV}\n\n")] {
        assert_eq!(shapes(&text), expected, "{text:?}");
    }
    assert_eq!(Reader::new(CSV.as_bytes()).unwrap().format(), Format::Csv);
}

#[test]
fn json_lines_of_both_kinds() {
    let mooncake = "{\"timestamp\": 0, \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": [0, 1]}\n\
                    {\"timestamp\": 3000, \"input_length\": 1, \"output_length\": 2, \"hash_ids\": []}";
    assert_eq!(shapes(mooncake), [(0, 6_758, 500), (3_000_000, 1, 2)]);
    let own = "\n{\"at\":\"1970-01-01T00:00:01Z\",\"model\":\"m\",\"input_tokens\":5,\"output_tokens\":6}\n\n";
    assert_eq!(shapes(own), [(1_000_000, 5, 6)]);
    assert_eq!(Reader::new(own.as_bytes()).unwrap().format(), Format::JsonLines);
}

#[test]
fn what_is_no_trace_is_said_to_be_none() {
    for text in ["time,in,out\n1,2,3\n", "[1]\n", "PK\u{3}\u{4}", "<html>"] {
        assert!(matches!(Reader::new(text.as_bytes()), Err(TraceFault::UnknownFormat)), "{text:?}");
    }
    for text in ["", "\n\n"] {
        assert!(matches!(Reader::new(text.as_bytes()), Err(TraceFault::Empty)), "{text:?}");
    }
    let long = "x".repeat(LINE_BYTES + 2);
    assert!(matches!(Reader::new(long.as_bytes()), Err(TraceFault::UnknownFormat)));
}

#[test]
fn a_bad_line_is_named_by_its_number_or_counted() {
    let csv = format!("{CSV}\n\n2023-11-16 18:17:05,x,1\n2023-11-16 18:17:06,1,1");
    assert_eq!(said(&csv), "line 5 ContextTokens is not a whole number of tokens, at most 1073741824");
    let json = "{\"timestamp\":1,\"input_length\":1}\n{\"timestamp\":2}\n{\"timestamp\":3,\"input_length\":1}\nnonsense";
    assert_eq!(said(json), "line 2 has no input_tokens or input_length");
    let mut reader = Reader::new(json.as_bytes()).unwrap().skipping_bad_lines();
    let times: Vec<_> = std::iter::from_fn(|| reader.next_row().unwrap()).map(|row| row.at.0).collect();
    assert_eq!((times, reader.bad_lines()), (vec![1_000, 3_000], 2));
}

#[test]
fn a_line_without_end_takes_no_memory_and_the_next_is_read() {
    let long =
        format!("{{\"timestamp\":1,\"input_length\":1}}\n{{\"x\":\"{}\"}}\n{{\"timestamp\":2,\"input_length\":1}}", "x".repeat(LINE_BYTES));
    assert_eq!(said(&long), format!("line 2 is longer than {LINE_BYTES} bytes"));
    let mut reader = Reader::new(long.as_bytes()).unwrap().skipping_bad_lines();
    assert_eq!(std::iter::from_fn(|| reader.next_row().unwrap()).count(), 2);
    assert_eq!(reader.bad_lines(), 1);
}

fn line(ms: usize) -> String {
    format!("{{\"timestamp\":{ms},\"input_length\":1}}\n")
}

#[test]
fn rows_come_in_order_of_time() {
    let text: String = [5, 3, 9, 3, 0, 7].map(line).concat();
    let times: Vec<_> = rows(&text).unwrap().iter().map(|row| row.at.0).collect();
    assert_eq!(times, [0, 3_000, 3_000, 5_000, 7_000, 9_000]);
}

#[test]
fn a_row_too_far_from_its_place_is_a_bad_line() {
    let in_order: String = (1..=REORDERED_ROWS + 1).map(line).collect();
    let said = said(&format!("{in_order}{}", line(0)));
    assert!(said.starts_with(&format!("line {} is earlier than", REORDERED_ROWS + 2)), "{said}");
    let one_less: String = (1..REORDERED_ROWS).map(line).collect();
    assert_eq!(rows(&format!("{one_less}{}", line(0))).unwrap()[0].at.0, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_matters_not_how_the_bytes_come(step in 1usize..60, ends_with_break: bool, lengths in prop::collection::vec(0usize..300, 1..40)) {
        let mut text: String = lengths.iter().enumerate().map(|(n, length)| {
            format!("{{\"timestamp\":{n},\"x\":\"{}\",\"input_length\":{length}}}\n", "y".repeat(*length))
        }).collect();
        if !ends_with_break {
            text.pop();
        }
        let found = rows_of(Reader::new(Slow { text: text.as_bytes(), step }).unwrap()).unwrap();
        prop_assert_eq!(found.iter().map(|row| row.input as usize).collect::<Vec<_>>(), lengths);
    }

    #[test]
    fn whatever_the_bytes_are_reading_ends(bytes in prop::collection::vec(any::<u8>(), 0..400), headed: u8) {
        let head: &[u8] = match headed % 3 {
            0 => b"",
            1 => b"TIMESTAMP,ContextTokens,GeneratedTokens\n",
            _ => b"{\"timestamp\":1,\"input_length\":1}\n{",
        };
        let text = [head, &bytes].concat();
        if let Ok(reader) = Reader::new(text.as_slice()) {
            let mut reader = reader.skipping_bad_lines();
            let rows = std::iter::from_fn(|| reader.next_row().unwrap()).count();
            prop_assert!(rows <= text.len());
        }
    }
}
