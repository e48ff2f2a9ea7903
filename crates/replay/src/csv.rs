//! Rows of `TIMESTAMP,ContextTokens,GeneratedTokens`, as the public traces of Azure's model services have them
//! (<https://github.com/Azure/AzurePublicDataset>). Quotes are not part of that format.

use memchr::memchr;

use crate::caps;
use crate::fault::LineFault;
use crate::row::Row;
use crate::timestamp;

const HEADER: &[u8] = b"TIMESTAMP,ContextTokens,GeneratedTokens";

/// Whether this is the format's first line.
pub(crate) fn is_header(line: &[u8]) -> bool {
    line.eq_ignore_ascii_case(HEADER)
}

/// One row, without its line break.
pub(crate) fn parse(line: &[u8]) -> Result<Row, LineFault> {
    const SHAPE: LineFault = LineFault::Not("TIMESTAMP,ContextTokens,GeneratedTokens");
    let (time, rest) = split(line).ok_or(SHAPE)?;
    let (input, output) = split(rest).ok_or(SHAPE)?;
    let fault = LineFault::Value { what: "TIMESTAMP", expected: "a time such as 2023-11-16 18:17:03.9799600" };
    Ok(Row {
        at: timestamp::parse(time).ok_or(fault)?,
        input: tokens(input).ok_or(LineFault::Value { what: "ContextTokens", expected: TOKENS })?,
        output: tokens(output).ok_or(LineFault::Value { what: "GeneratedTokens", expected: TOKENS })?,
        ..Row::EMPTY
    })
}

const TOKENS: &str = "a whole number of tokens, at most 1073741824";

fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let comma = memchr(b',', text)?;
    Some((text.get(..comma)?, text.get(comma + 1..)?))
}

fn tokens(text: &[u8]) -> Option<u32> {
    let value = number(text.trim_ascii())?;
    (value <= caps::TOKENS).then_some(value as u32)
}

/// A whole number of up to 18 digits.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0, |value: u64, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_request() {
        let row = parse(b"2023-11-16 18:17:03.9799600,4808,10").unwrap();
        assert_eq!((row.at.to_string().as_str(), row.input, row.output), ("2023-11-16T18:17:03.97996Z", 4_808, 10));
        assert_eq!(parse(b"2023-11-16 18:17:03, 7 , 0").map(|row| (row.input, row.output)), Ok((7, 0)));
    }

    #[test]
    fn every_fault_names_its_column() {
        for (line, part) in [
            (&b"2023-11-16 18:17:03.9799600,4808"[..], "is not TIMESTAMP,ContextTokens,GeneratedTokens"),
            (b"", "is not TIMESTAMP"),
            (b"yesterday,1,2", "TIMESTAMP is not a time"),
            (b"2023-11-16 18:17:03,x,2", "ContextTokens is not a whole number"),
            (b"2023-11-16 18:17:03,,2", "ContextTokens is not a whole number"),
            (b"2023-11-16 18:17:03,1,-2", "GeneratedTokens is not a whole number"),
            (b"2023-11-16 18:17:03,1,2,3", "GeneratedTokens is not a whole number"),
            (b"2023-11-16 18:17:03,1,1073741825", "GeneratedTokens is not a whole number"),
        ] {
            let said = parse(line).unwrap_err().to_string();
            assert!(said.starts_with(part), "{said}");
        }
    }
}
