//! Oids of Postgres's built-in types (from its `pg_type.dat`), as far as the wire treats them differently.

/// bool
pub const BOOL: u32 = 16;
/// bytea
pub const BYTEA: u32 = 17;
/// "char"
pub const CHAR: u32 = 18;
/// name
pub const NAME: u32 = 19;
/// int8
pub const INT8: u32 = 20;
/// int2
pub const INT2: u32 = 21;
/// int2vector
pub const INT2VECTOR: u32 = 22;
/// int4
pub const INT4: u32 = 23;
/// text
pub const TEXT: u32 = 25;
/// oid
pub const OID: u32 = 26;
/// oidvector
pub const OIDVECTOR: u32 = 30;
/// json
pub const JSON: u32 = 114;
/// float4
pub const FLOAT4: u32 = 700;
/// float8
pub const FLOAT8: u32 = 701;
/// date
pub const DATE: u32 = 1082;
/// time
pub const TIME: u32 = 1083;
/// timestamp
pub const TIMESTAMP: u32 = 1114;
/// timestamptz
pub const TIMESTAMPTZ: u32 = 1184;
/// interval
pub const INTERVAL: u32 = 1186;
/// numeric
pub const NUMERIC: u32 = 1700;
/// uuid
pub const UUID: u32 = 2950;
/// jsonb
pub const JSONB: u32 = 3802;

/// Types whose values are four-byte object numbers: regproc, oid, tid's neighbours xid and cid, and the reg* aliases.
const OBJECT_NUMBERS: [u32; 15] = [24, 26, 28, 29, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191, 5038];

/// The value is a four-byte object number.
pub fn is_object_number(oid: u32) -> bool {
    OBJECT_NUMBERS.contains(&oid)
}

/// Array types of the built-in types, with their element types.
const ARRAYS: [(u32, u32); 24] = [
    (1000, BOOL),
    (1001, BYTEA),
    (1002, CHAR),
    (1003, NAME),
    (1016, INT8),
    (1005, INT2),
    (1007, INT4),
    (1009, TEXT),
    (1028, OID),
    (199, JSON),
    (1021, FLOAT4),
    (1022, FLOAT8),
    (1182, DATE),
    (1183, TIME),
    (1115, TIMESTAMP),
    (1185, TIMESTAMPTZ),
    (1187, INTERVAL),
    (1231, NUMERIC),
    (2951, UUID),
    (3807, JSONB),
    (1015, VARCHAR),
    (1014, BPCHAR),
    (2210, 2205),
    (2211, 2206),
];

/// varchar
pub const VARCHAR: u32 = 1043;
/// bpchar: char(n)
pub const BPCHAR: u32 = 1042;

/// The element type of an array type.
pub fn array_element(oid: u32) -> Option<u32> {
    ARRAYS.iter().find(|(array, _)| *array == oid).map(|(_, element)| *element)
}
