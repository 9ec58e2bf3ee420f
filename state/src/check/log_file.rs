//! A reader of RocksDB's log format that notices every damaged byte.
//!
//! RocksDB reads its logs to recover, and so forgives what a crash may leave. Here the question is whether the file is what
//! was written. The format (RocksDB wiki, *Write Ahead Log File Format*), which the manifest shares:
//!
//! ```text
//! file: blocks of 32 KiB, the last one shorter
//! block: records, then zeros where less than a record header is left
//! record: masked CRC-32C (4 LE) | payload length (2 LE) | type (1) | payload
//! ```
//!
//! The store doesn't recycle logs, compress them or use timestamps, so the only types are the whole record (1) and the
//! first, middle and last part of one (2, 3, 4). The CRC covers type and payload. A record never crosses a block, so one that claims to is damaged, unless the
//! file ends there: then it was cut short, or its length was changed, which the CRC over what is there tells apart.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const BLOCK_BYTES: usize = 32 << 10;
const HEADER_BYTES: usize = 7;
const LAST_PART: u8 = 4;
const CRC_MASK_DELTA: u32 = 0xa282_ead8;

/// Something about a log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// The bytes are not what was written. What follows can't be told apart any more.
    Damaged { offset: u64, what: &'static str },
    /// The file ends within a record.
    CutShort { offset: u64 },
}

/// Reads the file through. At most one finding of damage, since the rest is unreadable then.
pub(super) fn scan(path: &Path) -> io::Result<Option<Finding>> {
    let mut file = File::open(path)?;
    let mut block = vec![0; BLOCK_BYTES];
    let mut offset = 0;
    loop {
        let len = fill(&mut file, &mut block)?;
        if let Some(finding) = scan_block(&block[..len], offset) {
            return Ok(Some(finding));
        }
        if len < BLOCK_BYTES {
            return Ok(None);
        }
        offset += len as u64;
    }
}

/// Reads until the block is full or the file ends.
fn fill(file: &mut File, block: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < block.len() {
        match file.read(&mut block[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(len)
}

fn scan_block(block: &[u8], block_offset: u64) -> Option<Finding> {
    let mut at = 0;
    while at < block.len() {
        match read_record(&block[at..], block.len() < BLOCK_BYTES) {
            Record::Whole(len) => at += len,
            Record::Padding => return None,
            Record::CutShort => return Some(Finding::CutShort { offset: block_offset + at as u64 }),
            Record::Damaged(what) => return Some(Finding::Damaged { offset: block_offset + at as u64, what }),
        }
    }
    None
}

/// What the rest of a block begins with.
#[derive(Debug, PartialEq, Eq)]
enum Record {
    /// A whole record of so many bytes, header included.
    Whole(usize),
    /// Zeros to the end of the block.
    Padding,
    CutShort,
    Damaged(&'static str),
}

fn read_record(rest: &[u8], file_ends: bool) -> Record {
    if rest.len() < HEADER_BYTES {
        return match (rest.iter().all(|byte| *byte == 0), file_ends) {
            (true, _) => Record::Padding,
            (false, true) => Record::CutShort,
            (false, false) => Record::Damaged("the padding of a block is not zero"),
        };
    }
    let stored_crc = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
    let payload_bytes = usize::from(u16::from_le_bytes([rest[4], rest[5]]));
    let kind = rest[6];
    if kind == 0 {
        // Blocks that were allocated and never written, which RocksDB skips.
        let unwritten = rest.iter().all(|byte| *byte == 0);
        return if unwritten { Record::Padding } else { Record::Damaged("a record of type 0") };
    }
    if kind > LAST_PART {
        return Record::Damaged("a record of a type that the store never writes");
    }
    let len = HEADER_BYTES + payload_bytes;
    if len > rest.len() {
        return past_the_end(rest, stored_crc, file_ends);
    }
    if masked(crc32c(&rest[6..len])) != stored_crc {
        return Record::Damaged("a record fails its checksum");
    }
    Record::Whole(len)
}

fn past_the_end(rest: &[u8], stored_crc: u32, file_ends: bool) -> Record {
    if !file_ends {
        return Record::Damaged("a record is longer than its block");
    }
    // A record of any other length that has this CRC: the length was changed, and more records may follow.
    let mut crc = !0;
    for byte in &rest[6..] {
        crc = crc32c_step(crc, *byte);
        if masked(!crc) == stored_crc {
            return Record::Damaged("the length of a record was changed");
        }
    }
    Record::CutShort
}

/// RocksDB stores CRCs rotated and shifted, so that a CRC over data that contains CRCs stays meaningful.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(CRC_MASK_DELTA)
}

/// CRC-32C (Castagnoli), reflected, as in RFC 3720.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| crc32c_step(crc, *byte))
}

fn crc32c_step(crc: u32, byte: u8) -> u32 {
    (crc >> 8) ^ CRC_TABLE[usize::from((crc as u8) ^ byte)]
}

static CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
        let typed = [&[kind], payload].concat();
        let mut bytes = masked(crc32c(&typed)).to_le_bytes().to_vec();
        bytes.extend_from_slice(&(payload.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&typed);
        bytes
    }

    fn scan_bytes(bytes: &[u8]) -> Option<Finding> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        scan(file.path()).unwrap()
    }

    #[test]
    fn crc_is_that_of_rfc_3720() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let mut log = Vec::new();
        log.extend(record(1, &[7; 300]));
        log.extend(record(2, &vec![8; BLOCK_BYTES - log.len() - HEADER_BYTES - 4]));
        log.extend([0; 4]);
        assert_eq!(log.len(), BLOCK_BYTES);
        log.extend(record(4, b"the rest"));
        log.extend(record(1, &[9; 50]));
        assert_eq!(scan_bytes(&log), None);
        for at in
            (0..log.len()).filter(|at| *at < 400 || *at % 37 == 0 || *at + 400 > log.len() || log.len() - at < 200)
        {
            for mask in [0x01, 0x80, 0xff] {
                let mut flipped = log.clone();
                flipped[at] ^= mask;
                let finding = scan_bytes(&flipped);
                assert!(matches!(finding, Some(Finding::Damaged { .. })), "byte {at} mask {mask:#x}: {finding:?}");
            }
        }
    }

    #[test]
    fn torn_end_is_told_from_damage() {
        let log = [record(1, &[7; 300]), record(1, &[8; 300])].concat();
        for len in 308..log.len() {
            assert_eq!(scan_bytes(&log[..len]), Some(Finding::CutShort { offset: 307 }), "{len} bytes");
        }
        assert_eq!(scan_bytes(&log[..307]), None);
        assert_eq!(scan_bytes(&[log.as_slice(), &[0; 100]].concat()), None);
    }
}
