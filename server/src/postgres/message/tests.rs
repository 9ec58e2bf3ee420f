//! The decoder against an independent encoder (pgwire's), and against frames no client should send.

use bytes::{Bytes, BytesMut};
use pgwire::messages::{copy, extendedquery, simplequery};

use super::*;

/// What pgwire writes, decoded by us.
fn read_back(message: impl pgwire::messages::Message) -> Message {
    let mut buffer = BytesMut::new();
    message.encode(&mut buffer).expect("pgwire encodes");
    let kind = buffer[0];
    decode(kind, buffer.split_off(5).freeze()).expect("decodes")
}

#[test]
fn what_pgwire_writes_is_understood() {
    assert_eq!(read_back(simplequery::Query::new("SELECT 'ä'".into())), Message::Query("SELECT 'ä'".into()));
    assert_eq!(
        read_back(extendedquery::Parse::new(Some("s".into()), "SELECT $1".into(), vec![23, 0])),
        Message::Parse { name: "s".into(), sql: "SELECT $1".into(), parameter_oids: vec![23, 0] }
    );
    let values = vec![Some(Bytes::from_static(b"12")), None, Some(Bytes::new())];
    assert_eq!(
        read_back(extendedquery::Bind::new(Some("p".into()), None, vec![0, 1, 0], values.clone(), vec![1])),
        Message::Bind(Bind {
            portal: "p".into(),
            statement: String::new(),
            parameter_formats: vec![0, 1, 0],
            parameters: values,
            result_formats: vec![1],
        })
    );
    assert_eq!(read_back(extendedquery::Describe::new(b'P', None)), Message::Describe(Target::Portal, String::new()));
    assert_eq!(
        read_back(extendedquery::Execute::new(None, 7)),
        Message::Execute { portal: String::new(), rows_max: 7 }
    );
    assert_eq!(
        read_back(extendedquery::Close::new(b'S', Some("x".into()))),
        Message::Close(Target::Statement, "x".into())
    );
    assert_eq!(read_back(extendedquery::Sync::new()), Message::Sync);
    assert_eq!(read_back(copy::CopyData::new(Bytes::from_static(b"a\tb\n"))), Message::CopyData("a\tb\n".into()));
    assert_eq!(read_back(copy::CopyDone::new()), Message::CopyDone);
    assert_eq!(read_back(copy::CopyFail::new("no".into())), Message::CopyFail("no".into()));
}

#[test]
fn malformed_frames_are_errors() {
    let frames: [(u8, &[u8]); 12] = [
        (b'C', b""),
        (b'C', b"Zx\0"),
        (b'Q', b"no end"),
        (b'Q', b"two\0strings\0"),
        (b'Q', b"\xff\xfe\0"),
        (b'P', b"\0SELECT 1\0\xff\xff"),
        (b'B', b"\0\0\0\0\xff\xff\0\0"),
        (b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"),
        (b'B', b"\0\0\0\x01\0\x07\0\0\0\0"),
        (b'E', b"\0\0\0"),
        (b'S', b"\0"),
        (b'!', b""),
    ];
    for (kind, body) in frames {
        assert!(decode(kind, Bytes::from_static(body)).is_err(), "{} {body:?}", char::from(kind));
    }
}

#[test]
fn random_bodies_never_panic() {
    use rand::{Rng, SeedableRng};
    let mut rng = rand::rngs::StdRng::seed_from_u64(11);
    for _ in 0..200_000 {
        let kind = b"QPBDECHSdcfXFp"[rng.random_range(0..14)];
        let length = rng.random_range(0..40);
        let body: Vec<u8> =
            (0..length).map(|_| if rng.random_bool(0.5) { 0 } else { rng.random_range(0..=255) }).collect();
        let _ = decode(kind, body.into());
    }
}
