//! The bytes of a journal: a segment's header, records with their checks, and the numbers in them.
//! It knows files as bytes, and not what a record means.
//!
//! A journal is a folder of segments, `NNNNNNNN.tgj`, numbered upwards without gaps being promised. All numbers are little endian.
//!
//! ```text
//! segment   header (72 bytes), then records until the end of the file
//! header    magic "TIDEGATE" (8) | version (u16) | flags (u16) | zero (u32) | segment's number (u64) | boot id (16)
//!           | steady time (u64, us) | wall time (i64, us since 1970) | recordables in earlier segments (u64) | CRC-32 of all before (u32) | zero (u32)
//! record    length of what follows the check (u32, at least 1) | CRC-32 of it (u32) | kind (u8) | payload
//! ```
//!
//! Flag bit 0: the segment before this one may end in a torn record, which its writer knew and wrote again here.
//! Within payloads: unsigned numbers (and steady times, in microseconds) are varints (LEB128), signed ones (and wall times) zigzag varints;
//! ids are 16 bytes; texts are a varint length and UTF-8; choices are one byte. What the kinds' payloads are is told in `records.rs`.
//! Within a version a payload may get more at its end: a reader passes over what it doesn't know, and takes what is missing for nothing.
//!
//! The first record whose length or check is wrong ends a segment. Room that was reserved and not yet written reads as zeros: where
//! nothing else follows, the segment ends in good order.

use crc32fast::Hasher;

/// The version that this Tidegate writes, and the only one that it reads.
pub(crate) const VERSION: u16 = 1;
/// Bytes of a header.
pub(crate) const HEADER: usize = 72;
/// Bytes before a record's kind: its length and its check.
pub(crate) const FRAME: usize = 8;

const MAGIC: &[u8; 8] = b"TIDEGATE";
const AFTER_TORN: u16 = 1;

/// Identifies one boot of the machine.
pub(crate) type BootId = [u8; 16];

/// What a segment begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) segment: u64,
    pub(crate) boot: BootId,
    /// The steady clock when it was begun, in microseconds.
    pub(crate) mono_us: u64,
    /// The wall clock at the same moment, in microseconds since 1970.
    pub(crate) wall_us: i64,
    /// Usage records and refusals in all segments before.
    pub(crate) recordables: u64,
    /// Whether the segment before may end in a torn record of which this one has a copy.
    pub(crate) after_torn: bool,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Too short, no magic, or the check is wrong.
    Torn,
    /// Sound, and of a version that is not known here.
    Version(u16),
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(if self.after_torn { AFTER_TORN } else { 0 }).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.segment.to_le_bytes());
        bytes.extend_from_slice(&self.boot);
        bytes.extend_from_slice(&self.mono_us.to_le_bytes());
        bytes.extend_from_slice(&self.wall_us.to_le_bytes());
        bytes.extend_from_slice(&self.recordables.to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        let mut header = [0; HEADER];
        header.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
        header
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let mut take = Take::new(bytes.get(..HEADER).ok_or(HeaderFault::Torn)?);
        let read = |take: &mut Take<'_>| -> Option<(u16, Self, u32)> {
            if take.bytes(8)? != MAGIC {
                return None;
            }
            let version = u16::from_le_bytes(take.array()?);
            let flags = u16::from_le_bytes(take.array()?);
            take.bytes(4)?;
            let header = Self {
                segment: u64::from_le_bytes(take.array()?),
                boot: take.array()?,
                mono_us: u64::from_le_bytes(take.array()?),
                wall_us: i64::from_le_bytes(take.array()?),
                recordables: u64::from_le_bytes(take.array()?),
                after_torn: flags & AFTER_TORN != 0,
            };
            Some((version, header, u32::from_le_bytes(take.array()?)))
        };
        let (version, header, check) = read(&mut take).ok_or(HeaderFault::Torn)?;
        if bytes.get(..HEADER - 8).map(crc32fast::hash) != Some(check) {
            return Err(HeaderFault::Torn);
        }
        if version == VERSION { Ok(header) } else { Err(HeaderFault::Version(version)) }
    }
}

/// Appends one record of this kind, whose payload `fill` appends.
pub(crate) fn put_record(into: &mut Vec<u8>, kind: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.extend_from_slice(&[0; FRAME]);
    into.push(kind);
    fill(into);
    let (head, body) = into.split_at_mut(start + FRAME);
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    let check = check(body).to_le_bytes();
    let frame = length.into_iter().chain(check);
    head.iter_mut().skip(start).zip(frame).for_each(|(place, byte)| *place = byte);
}

fn check(body: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(body);
    hasher.finalize()
}

/// One record as it lies in a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Framed<'a> {
    pub(crate) kind: u8,
    pub(crate) payload: &'a [u8],
    /// Where the next begins, from the beginning of what was given.
    pub(crate) end: usize,
}

/// What stands at a place among records.
pub(crate) enum Found<'a> {
    Record(Framed<'a>),
    /// The bytes end with the record before, but for room that was reserved.
    End,
    /// No whole, sound record.
    Bad,
}

/// The record that begins at `at`.
pub(crate) fn record_at(bytes: &[u8], at: usize) -> Found<'_> {
    let Some(rest) = bytes.get(at..) else { return Found::End };
    // Room that was reserved is zeros; no record begins with them, since its length is one at least.
    if rest.iter().all(|byte| *byte == 0) {
        return Found::End;
    }
    let framed = || {
        let mut take = Take::new(rest);
        let length = u32::from_le_bytes(take.array()?) as usize;
        let expected = u32::from_le_bytes(take.array()?);
        let body = take.bytes(length)?;
        let (kind, payload) = body.split_first()?;
        (check(body) == expected).then_some(Framed { kind: *kind, payload, end: at + FRAME + length })
    };
    framed().map_or(Found::Bad, Found::Record)
}

/// Appends numbers, ids and texts.
pub(crate) trait Put {
    fn number(&mut self, n: u64);
    fn signed(&mut self, n: i64);
    fn id(&mut self, bits: u128);
    fn text(&mut self, text: &str);
}

impl Put for Vec<u8> {
    #[inline]
    fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.push(n as u8);
    }

    fn signed(&mut self, n: i64) {
        self.number(((n << 1) ^ (n >> 63)) as u64);
    }

    fn id(&mut self, bits: u128) {
        self.extend_from_slice(&bits.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.extend_from_slice(text.as_bytes());
    }
}

/// Takes numbers, ids and texts off the front; `None` where there are no such.
#[derive(Clone, Debug)]
pub(crate) struct Take<'a> {
    rest: &'a [u8],
}

impl<'a> Take<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left: a list can't have more elements.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut n = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            n |= bits << shift;
            if byte < 0x80 {
                return Some(n);
            }
        }
        None
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        let n = self.number()?;
        Some((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    pub(crate) fn id(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let len = usize::try_from(self.number()?).ok()?;
        std::str::from_utf8(self.bytes(len)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> Header {
        Header { segment: 7, boot: [9; 16], mono_us: 123, wall_us: -5, recordables: 1 << 40, after_torn: true }
    }

    #[test]
    fn a_header_is_read_back_and_any_changed_byte_is_noticed() {
        let bytes = header().encode();
        assert_eq!(Header::decode(&bytes), Ok(header()));
        assert_eq!(Header::decode(&bytes[..HEADER - 1]), Err(HeaderFault::Torn));
        for place in 0..HEADER - 4 {
            let mut changed = bytes;
            changed[place] ^= 0x10;
            assert_eq!(Header::decode(&changed), Err(HeaderFault::Torn), "byte {place}");
        }
        let mut newer = bytes;
        newer[8] = 2;
        let check = crc32fast::hash(&newer[..HEADER - 8]).to_le_bytes();
        newer[HEADER - 8..HEADER - 4].copy_from_slice(&check);
        assert_eq!(Header::decode(&newer), Err(HeaderFault::Version(2)));
    }

    #[test]
    fn records_follow_each_other_until_the_first_bad_byte() {
        let mut bytes = Vec::new();
        put_record(&mut bytes, 3, |b| b.extend_from_slice(b"first"));
        let first = bytes.len();
        put_record(&mut bytes, 4, |_| {});
        let Found::Record(record) = record_at(&bytes, 0) else { panic!("there is one") };
        assert_eq!((record.kind, record.payload, record.end), (3, b"first".as_slice(), first));
        let Found::Record(record) = record_at(&bytes, first) else { panic!("there is one") };
        assert_eq!((record.kind, record.payload.len(), record.end), (4, 0, bytes.len()));
        assert!(matches!(record_at(&bytes, bytes.len()), Found::End));
        for place in 0..first {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(matches!(record_at(&changed, 0), Found::Bad), "byte {place}");
            assert!(matches!(record_at(&bytes[..place], 0), Found::Bad) == (place > 0));
        }
        assert!(matches!(record_at(&[0; 64], 0), Found::End), "reserved");
        assert!(matches!(record_at(&[0, 0, 0, 0, 0, 0, 0, 0, 1], 0), Found::Bad));
    }

    proptest! {
        #[test]
        fn numbers_and_texts_round_trip(n in any::<u64>(), s in any::<i64>(), id in any::<u128>(), text in ".{0,40}", small in 0_u64..300) {
            let mut bytes = Vec::new();
            bytes.number(n);
            bytes.signed(s);
            bytes.id(id);
            bytes.text(&text);
            bytes.number(small);
            let mut take = Take::new(&bytes);
            let read = (take.number(), take.signed(), take.id(), take.text(), take.number());
            prop_assert_eq!(read, (Some(n), Some(s), Some(id), Some(text.as_str()), Some(small)));
            prop_assert!(take.is_empty() && take.number().is_none());
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut take = Take::new(&bytes);
            while take.number().is_some() && take.text().is_some() {}
            let _read = (Header::decode(&bytes).is_ok(), matches!(record_at(&bytes, 0), Found::Record(_)));
        }
    }
}
