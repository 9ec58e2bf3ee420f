//! Postgres's types: their numbers and names, and how Arrow fields stand for them.
//!
//! An Arrow type says most of it; what it can't say (json, uuid, varchar(10), oid) is in the field's metadata under
//! [`TYPE_KEY`] and [`TYPMOD_KEY`].

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

/// Field metadata: the name of the Postgres type, where the Arrow type doesn't imply it.
pub const TYPE_KEY: &str = "monsoon.type";
/// Field metadata: the type modifier, as `atttypmod` has it (the length of `varchar(n)` plus 4).
pub const TYPMOD_KEY: &str = "monsoon.typmod";
/// What the static catalog tables call a column that holds object ids.
const OID_ALIAS_KEY: &str = "pg.oid_alias";

/// Precision and scale of `numeric` without any: wide enough for money, and 28 digits before the point.
pub const NUMERIC_DEFAULT: (u8, i8) = (38, 10);

/// What the wire says about a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PgType {
    /// Number in `pg_type`.
    pub oid: u32,
    /// Name in `pg_type`.
    pub name: &'static str,
    /// Bytes, or -1 for those of no fixed length.
    pub size: i16,
    /// Type modifier, or -1.
    pub typmod: i32,
    /// For an array: the element's type.
    pub array_element: Option<u32>,
}

/// A row of the table of types.
struct Known {
    name: &'static str,
    oid: u32,
    array_name: &'static str,
    array_oid: u32,
    size: i16,
}

const fn known(name: &'static str, oid: u32, array_name: &'static str, array_oid: u32, size: i16) -> Known {
    Known { name, oid, array_name, array_oid, size }
}

/// The types we speak of, by `pg_type.dat`.
const TYPES: &[Known] = &[
    known("bool", 16, "_bool", 1000, 1),
    known("bytea", 17, "_bytea", 1001, -1),
    known("char", 18, "_char", 1002, 1),
    known("name", 19, "_name", 1003, 64),
    known("int8", 20, "_int8", 1016, 8),
    known("int2", 21, "_int2", 1005, 2),
    known("int2vector", 22, "_int2vector", 1006, -1),
    known("int4", 23, "_int4", 1007, 4),
    known("regproc", 24, "_regproc", 1008, 4),
    known("text", 25, "_text", 1009, -1),
    known("oid", 26, "_oid", 1028, 4),
    known("tid", 27, "_tid", 1010, 6),
    known("xid", 28, "_xid", 1011, 4),
    known("cid", 29, "_cid", 1012, 4),
    known("oidvector", 30, "_oidvector", 1013, -1),
    known("json", 114, "_json", 199, -1),
    known("pg_node_tree", 194, "_text", 1009, -1),
    known("float4", 700, "_float4", 1021, 4),
    known("float8", 701, "_float8", 1022, 8),
    known("unknown", 705, "_text", 1009, -2),
    known("aclitem", 1033, "_aclitem", 1034, 12),
    known("bpchar", 1042, "_bpchar", 1014, -1),
    known("varchar", 1043, "_varchar", 1015, -1),
    known("date", 1082, "_date", 1182, 4),
    known("time", 1083, "_time", 1183, 8),
    known("timestamp", 1114, "_timestamp", 1115, 8),
    known("timestamptz", 1184, "_timestamptz", 1185, 8),
    known("interval", 1186, "_interval", 1187, 16),
    known("numeric", 1700, "_numeric", 1231, -1),
    known("regprocedure", 2202, "_regprocedure", 2207, 4),
    known("regoper", 2203, "_regoper", 2208, 4),
    known("regoperator", 2204, "_regoperator", 2209, 4),
    known("regclass", 2205, "_regclass", 2210, 4),
    known("regtype", 2206, "_regtype", 2211, 4),
    known("record", 2249, "_record", 2287, -1),
    known("uuid", 2950, "_uuid", 2951, 16),
    known("regconfig", 3734, "_regconfig", 3735, 4),
    known("jsonb", 3802, "_jsonb", 3807, -1),
    known("regnamespace", 4089, "_regnamespace", 4090, 4),
    known("regrole", 4096, "_regrole", 4097, 4),
    known("regcollation", 4191, "_regcollation", 4192, 4),
];

fn by_name(name: &str) -> Option<&'static Known> {
    TYPES.iter().find(|known| known.name == name)
}

/// The Postgres type of a column.
pub fn pg_type(field: &Field) -> PgType {
    let (name, typmod) = scalar_name(field);
    if let Some(element) = element_field(field.data_type()) {
        return array_type(element, field);
    }
    scalar(name, typmod)
}

fn scalar(name: &str, typmod: i32) -> PgType {
    match by_name(name).or_else(|| by_name("text")) {
        Some(known) => PgType { oid: known.oid, name: known.name, size: known.size, typmod, array_element: None },
        None => PgType { oid: 25, name: "text", size: -1, typmod: -1, array_element: None },
    }
}

/// Vectors are lists that Postgres doesn't call arrays; everything else is `_element`.
fn array_type(element: &Field, list: &Field) -> PgType {
    if let Some(vector) = list.metadata().get(TYPE_KEY).filter(|name| name.ends_with("vector")) {
        let element = if vector == "int2vector" { 21 } else { 26 };
        return PgType { array_element: Some(element), ..scalar(vector, -1) };
    }
    let innermost = element_field(element.data_type()).map_or_else(
        || pg_type(element),
        |_| {
            let inner = pg_type(element);
            inner.array_element.and_then(type_of_oid).unwrap_or(inner)
        },
    );
    match by_name(innermost.name) {
        Some(known) => PgType {
            oid: known.array_oid,
            name: known.array_name,
            size: -1,
            typmod: innermost.typmod,
            array_element: Some(known.oid),
        },
        None => scalar("text", -1),
    }
}

fn element_field(data_type: &DataType) -> Option<&Field> {
    match data_type {
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => Some(element),
        _ => None,
    }
}

/// The metadata's name if it fits the Arrow type, else the name that the Arrow type implies.
fn scalar_name(field: &Field) -> (&str, i32) {
    let implied = implied_name(field.data_type());
    let metadata = field.metadata();
    let named = metadata.get(TYPE_KEY).or_else(|| metadata.get(OID_ALIAS_KEY)).map(String::as_str);
    match named {
        Some(name) if fits(name, implied) => {
            let typmod = metadata.get(TYPMOD_KEY).and_then(|typmod| typmod.parse().ok()).unwrap_or(-1);
            (name, typmod)
        }
        _ => (implied, implied_typmod(field.data_type())),
    }
}

/// Metadata survives some casts: a name counts only on the kind of Arrow type it was made for.
fn fits(name: &str, implied: &str) -> bool {
    let is_number = matches!(name, "oid" | "xid" | "cid") || name.starts_with("reg");
    match implied {
        "int2" | "int4" | "int8" => is_number,
        "text" => !is_number && by_name(name).is_some(),
        _ => false,
    }
}

fn implied_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "bool",
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "int2",
        DataType::Int32 | DataType::UInt16 => "int4",
        DataType::Int64 | DataType::UInt32 => "int8",
        DataType::Float16 | DataType::Float32 => "float4",
        DataType::Float64 => "float8",
        DataType::UInt64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => "numeric",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "bytea",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamptz",
        DataType::Interval(_) | DataType::Duration(_) => "interval",
        DataType::Struct(_) | DataType::Map(..) => "json",
        DataType::Dictionary(_, value) => implied_name(value),
        DataType::RunEndEncoded(_, value) => implied_name(value.data_type()),
        _ => "text",
    }
}

fn implied_typmod(data_type: &DataType) -> i32 {
    match data_type {
        DataType::Decimal128(precision, scale) if (*precision, *scale) == NUMERIC_DEFAULT => -1,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => ((i32::from(*precision) << 16) | (i32::from(*scale) & 0x7ff)) + 4,
        _ => -1,
    }
}

/// The type with this number, scalar or array.
pub fn type_of_oid(oid: u32) -> Option<PgType> {
    let scalar_type = TYPES.iter().find(|known| known.oid == oid).map(|known| scalar(known.name, -1));
    scalar_type.or_else(|| {
        let known = TYPES.iter().find(|known| known.array_oid == oid)?;
        Some(PgType { oid, name: known.array_name, size: -1, typmod: -1, array_element: Some(known.oid) })
    })
}

/// The field that a parameter of this type number has; `None` for a number we don't know (0 among them).
pub fn field_of_oid(name: &str, oid: u32) -> Option<Field> {
    let pg_type = type_of_oid(oid)?;
    match pg_type.array_element {
        Some(element) if !pg_type.name.ends_with("vector") => {
            let element = field_of_oid("item", element)?;
            Some(Field::new(name, DataType::List(Arc::new(element)), true))
        }
        _ => Some(named_field(name, pg_type.name)),
    }
}

/// A nullable field of the type with this `pg_type` name.
pub fn named_field(name: &str, type_name: &str) -> Field {
    let (data_type, tagged) = arrow_type(type_name);
    let field = Field::new(name, data_type, true);
    if tagged { tag(field, type_name) } else { field }
}

/// The Arrow type of a `pg_type` name, and whether the name must be kept in the metadata.
fn arrow_type(type_name: &str) -> (DataType, bool) {
    let plain = match type_name {
        "bool" => DataType::Boolean,
        "int2" => DataType::Int16,
        "int4" => DataType::Int32,
        "int8" => DataType::Int64,
        "float4" => DataType::Float32,
        "float8" => DataType::Float64,
        "numeric" => DataType::Decimal128(NUMERIC_DEFAULT.0, NUMERIC_DEFAULT.1),
        "text" | "unknown" => DataType::Utf8,
        "bytea" => DataType::Binary,
        "date" => DataType::Date32,
        "time" => DataType::Time64(TimeUnit::Microsecond),
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        "interval" => DataType::Interval(IntervalUnit::MonthDayNano),
        "int2vector" => return (list_of(DataType::Int16), true),
        "oidvector" => return (list_of(DataType::Int32), true),
        name if fits(name, "int4") => return (DataType::Int32, true),
        _ => return (DataType::Utf8, true),
    };
    (plain, false)
}

fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", element, true)))
}

/// The field with its Postgres type's name in the metadata.
pub fn tag(field: Field, type_name: &str) -> Field {
    field.with_metadata(HashMap::from([(TYPE_KEY.to_owned(), type_name.to_owned())]))
}

/// The type as SQL writes it: `integer`, `numeric(10,2)`, `character varying(5)`, `bigint[]`.
pub fn sql_name(field: &Field) -> String {
    format_type(pg_type(field).oid, pg_type(field).typmod)
}

/// Postgres's `format_type(oid, typmod)`.
pub fn format_type(oid: u32, typmod: i32) -> String {
    let Some(pg_type) = type_of_oid(oid) else {
        return "???".to_owned();
    };
    match pg_type.array_element {
        Some(element) if !pg_type.name.ends_with("vector") => format!("{}[]", format_type(element, typmod)),
        _ => scalar_sql_name(pg_type.name, typmod),
    }
}

fn scalar_sql_name(name: &str, typmod: i32) -> String {
    let has_typmod = typmod >= 4;
    let sql_name = match name {
        "bool" => "boolean",
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "time" => "time without time zone",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        "char" => "\"char\"",
        "varchar" if has_typmod => return format!("character varying({})", typmod - 4),
        "varchar" => "character varying",
        "bpchar" if has_typmod => return format!("character({})", typmod - 4),
        "bpchar" => "character",
        "numeric" if has_typmod => {
            let modifier = typmod - 4;
            return format!("numeric({},{})", modifier >> 16, ((modifier & 0x7ff) ^ 1024) - 1024);
        }
        other => other,
    };
    sql_name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_of(data_type: DataType) -> (u32, String) {
        let field = Field::new("x", data_type, true);
        (pg_type(&field).oid, sql_name(&field))
    }

    fn check(data_type: DataType, oid: u32, name: &str) {
        assert_eq!(type_of(data_type), (oid, name.to_owned()));
    }

    #[test]
    fn arrow_types_imply_postgres_types() {
        check(DataType::Int8, 21, "smallint");
        check(DataType::UInt32, 20, "bigint");
        check(DataType::UInt64, 1700, "numeric");
        check(DataType::Decimal128(38, 10), 1700, "numeric");
        check(DataType::Decimal128(10, 2), 1700, "numeric(10,2)");
        check(DataType::Utf8View, 25, "text");
        check(DataType::Timestamp(TimeUnit::Nanosecond, None), 1114, "timestamp without time zone");
        check(DataType::Timestamp(TimeUnit::Second, Some("UTC".into())), 1184, "timestamp with time zone");
        check(DataType::Duration(TimeUnit::Second), 1186, "interval");
        check(list_of(DataType::Int64), 1016, "bigint[]");
        check(list_of(list_of(DataType::Utf8)), 1009, "text[]");
        check(DataType::Null, 25, "text");
        check(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), 25, "text");
    }

    #[test]
    fn metadata_names_the_type_where_it_fits() {
        assert_eq!(pg_type(&named_field("j", "jsonb")).oid, 3802);
        assert_eq!(pg_type(&named_field("o", "oid")).oid, 26);
        let varchar = tag(Field::new("v", DataType::Utf8, true), "varchar");
        let mut metadata = varchar.metadata().clone();
        metadata.insert(TYPMOD_KEY.to_owned(), "9".to_owned());
        assert_eq!(sql_name(&varchar.with_metadata(metadata)), "character varying(5)");
        assert_eq!(pg_type(&tag(Field::new("t", DataType::Utf8, true), "oid")).name, "text");
        assert_eq!(pg_type(&tag(Field::new("t", DataType::Boolean, true), "json")).name, "bool");
    }

    #[test]
    fn every_type_number_gives_a_field_of_that_type() {
        for known in TYPES.iter().filter(|known| known.name != "unknown") {
            let field = field_of_oid("p", known.oid).expect("a field");
            assert_eq!(pg_type(&field).oid, known.oid, "{}", known.name);
        }
        let array = field_of_oid("p", 1007).expect("a field");
        assert_eq!((pg_type(&array).oid, pg_type(&array).array_element), (1007, Some(23)));
        assert!(field_of_oid("p", 0).is_none());
    }
}
