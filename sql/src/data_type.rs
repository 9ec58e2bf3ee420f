//! SQL's types to Arrow's, for columns and for casts.
//!
//! Text is `Utf8`, times are in microseconds as Postgres keeps them, `numeric` without precision is
//! `numeric(38,10)` (Arrow's decimals have a fixed scale). What Arrow can't tell apart is in the field's metadata, see
//! [`crate::pg_type`].

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType as SqlType, ExactNumberInfo, ObjectName, TimezoneInfo,
};

use crate::error::{Result, SqlError};
use crate::pg_type::{TYPE_KEY, TYPMOD_KEY, named_field};
use crate::statement::ColumnDef;

/// Longest precision of `numeric`.
const NUMERIC_PRECISION_MAX: u64 = 76;

/// The schema of a CREATE STREAM or CREATE TABLE.
pub fn schema(columns: &[ColumnDef]) -> Result<Schema> {
    let fields: Result<Vec<Field>> =
        columns.iter().map(|column| field(&column.name.value, &column.data_type, !column.not_null)).collect();
    Ok(Schema::new(fields?))
}

/// The Arrow field of a column. Unknown types are 42704, types we don't have 0A000.
pub fn field(name: &str, sql_type: &SqlType, nullable: bool) -> Result<Field> {
    let field = nullable_field(sql_type)?;
    Ok(field.with_name(name).with_nullable(nullable))
}

fn nullable_field(sql_type: &SqlType) -> Result<Field> {
    match sql_type {
        SqlType::Array(element) => array(element, sql_type),
        SqlType::Numeric(info) | SqlType::Decimal(info) | SqlType::Dec(info) => numeric(info),
        SqlType::Float(info) => float(info),
        SqlType::Varchar(length)
        | SqlType::CharacterVarying(length)
        | SqlType::CharVarying(length)
        | SqlType::Nvarchar(length) => Ok(with_length("varchar", length.as_ref(), None)),
        SqlType::Char(length) | SqlType::Character(length) => Ok(with_length("bpchar", length.as_ref(), Some(1))),
        SqlType::Custom(name, modifiers) => custom(name, modifiers),
        other => simple_name(other).map(|name| named_field("", name)).ok_or_else(|| unsupported(other)),
    }
}

/// The `pg_type` name of a type that needs no parameters.
fn simple_name(sql_type: &SqlType) -> Option<&'static str> {
    let has_zone = |zone: &TimezoneInfo| matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone);
    let name = match sql_type {
        SqlType::Bool | SqlType::Boolean => "bool",
        SqlType::TinyInt(_) | SqlType::SmallInt(_) | SqlType::Int2(_) | SqlType::Int16 => "int2",
        SqlType::Int(_) | SqlType::Integer(_) | SqlType::Int4(_) | SqlType::Int32 => "int4",
        SqlType::BigInt(_) | SqlType::Int8(_) | SqlType::Int64 => "int8",
        SqlType::Real | SqlType::Float4 | SqlType::Float32 => "float4",
        SqlType::Double(_) | SqlType::DoublePrecision | SqlType::Float8 | SqlType::Float64 => "float8",
        SqlType::Text | SqlType::String(_) | SqlType::Clob(_) => "text",
        SqlType::Bytea | SqlType::Bytes(_) | SqlType::Binary(_) | SqlType::Varbinary(_) | SqlType::Blob(_) => "bytea",
        SqlType::Date | SqlType::Date32 => "date",
        SqlType::Time(_, zone) if !has_zone(zone) => "time",
        SqlType::Timestamp(_, zone) if has_zone(zone) => "timestamptz",
        SqlType::Timestamp(..) | SqlType::TimestampNtz(_) | SqlType::Datetime(_) => "timestamp",
        SqlType::Interval { .. } => "interval",
        SqlType::JSON => "json",
        SqlType::JSONB => "jsonb",
        SqlType::Uuid => "uuid",
        SqlType::Regclass => "regclass",
        _ => return None,
    };
    Some(name)
}

fn array(element: &ArrayElemTypeDef, sql_type: &SqlType) -> Result<Field> {
    let element = match element {
        ArrayElemTypeDef::SquareBracket(element, _)
        | ArrayElemTypeDef::AngleBracket(element)
        | ArrayElemTypeDef::Parenthesis(element) => nullable_field(element)?,
        ArrayElemTypeDef::None => return Err(unsupported(sql_type)),
    };
    Ok(Field::new("", DataType::List(Arc::new(element.with_name("item"))), true))
}

fn numeric(info: &ExactNumberInfo) -> Result<Field> {
    let (precision, scale) = match *info {
        ExactNumberInfo::None => return Ok(named_field("", "numeric")),
        ExactNumberInfo::Precision(precision) => (precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    let invalid = |message: String| SqlError::new("22023", message);
    let narrow = u8::try_from(precision).ok().filter(|_| (1..=NUMERIC_PRECISION_MAX).contains(&precision));
    let Some(narrow) = narrow else {
        return Err(invalid(format!("NUMERIC precision {precision} must be between 1 and {NUMERIC_PRECISION_MAX}")));
    };
    let scale = i8::try_from(scale).ok().filter(|scale| (0..=precision as i64).contains(&i64::from(*scale)));
    let Some(scale) = scale else {
        return Err(invalid(format!("NUMERIC scale must be between 0 and precision {precision}")));
    };
    let data_type =
        if narrow <= 38 { DataType::Decimal128(narrow, scale) } else { DataType::Decimal256(narrow, scale) };
    Ok(Field::new("", data_type, true))
}

/// `float(p)`: p counts bits.
fn float(info: &ExactNumberInfo) -> Result<Field> {
    match *info {
        ExactNumberInfo::None => Ok(named_field("", "float8")),
        ExactNumberInfo::Precision(1..=24) => Ok(named_field("", "float4")),
        ExactNumberInfo::Precision(25..=53) => Ok(named_field("", "float8")),
        _ => Err(SqlError::new("22023", "precision for type float must be between 1 and 53")),
    }
}

fn with_length(type_name: &str, length: Option<&CharacterLength>, default: Option<u64>) -> Field {
    let length = match length {
        Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
        Some(CharacterLength::Max) => None,
        None => default,
    };
    let mut metadata = HashMap::from([(TYPE_KEY.to_owned(), type_name.to_owned())]);
    if let Some(length) = length {
        metadata.insert(TYPMOD_KEY.to_owned(), length.saturating_add(4).to_string());
    }
    Field::new("", DataType::Utf8, true).with_metadata(metadata)
}

/// Names that sqlparser has no word for, and names qualified with `pg_catalog`.
fn custom(name: &ObjectName, modifiers: &[String]) -> Result<Field> {
    let parts: Vec<String> =
        name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.to_lowercase()).collect();
    let last = match parts.as_slice() {
        [schema, last] if schema == "pg_catalog" => last.as_str(),
        [last] => last.as_str(),
        _ => return Err(unknown(&parts.join("."))),
    };
    let modifier = |n: usize| modifiers.get(n).and_then(|modifier| modifier.trim().parse().ok());
    match last {
        "serial" | "bigserial" | "smallserial" | "serial4" | "serial8" => {
            Err(SqlError::unsupported(format!("type {last} is not supported"))
                .with_hint("use bigint and supply the values"))
        }
        "numeric" | "decimal" => numeric(&match (modifier(0), modifier(1)) {
            (Some(precision), Some(scale)) => {
                ExactNumberInfo::PrecisionAndScale(precision, i64::try_from(scale).unwrap_or(i64::MAX))
            }
            (Some(precision), None) => ExactNumberInfo::Precision(precision),
            _ => ExactNumberInfo::None,
        }),
        "varchar" | "bpchar" => {
            let length = modifier(0).map(|length| CharacterLength::IntegerLength { length, unit: None });
            Ok(with_length(last, length.as_ref(), None))
        }
        "boolean" => Ok(named_field("", "bool")),
        "smallint" => Ok(named_field("", "int2")),
        "int" | "integer" => Ok(named_field("", "int4")),
        "bigint" => Ok(named_field("", "int8")),
        "real" => Ok(named_field("", "float4")),
        "string" => Ok(named_field("", "text")),
        "timestamp_ltz" => Ok(named_field("", "timestamptz")),
        "_text" | "_int4" | "_int8" | "_int2" | "_oid" | "_name" | "_bool" | "_float8" | "_varchar" => {
            let element = named_field("item", &last[1..]);
            Ok(Field::new("", DataType::List(Arc::new(element)), true))
        }
        last if is_pg_type(last) => Ok(named_field("", last)),
        last if NOT_SUPPORTED.contains(&last) => Err(SqlError::unsupported(format!("type {last} is not supported"))),
        last => Err(unknown(last)),
    }
}

/// Types of Postgres that may be named in a cast or a column by their `pg_type` name.
fn is_pg_type(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "bool",
        "bytea",
        "char",
        "cid",
        "date",
        "float4",
        "float8",
        "int2",
        "int2vector",
        "int4",
        "int8",
        "interval",
        "json",
        "jsonb",
        "name",
        "oid",
        "oidvector",
        "pg_node_tree",
        "regclass",
        "regcollation",
        "regconfig",
        "regnamespace",
        "regoper",
        "regoperator",
        "regproc",
        "regprocedure",
        "regrole",
        "regtype",
        "text",
        "tid",
        "time",
        "timestamp",
        "timestamptz",
        "unknown",
        "uuid",
        "xid",
        "aclitem",
    ];
    NAMES.contains(&name)
}

/// Types of Postgres and Flink that we know of and don't have.
const NOT_SUPPORTED: &[&str] = &[
    "bit",
    "box",
    "cidr",
    "circle",
    "citext",
    "hstore",
    "inet",
    "line",
    "lseg",
    "macaddr",
    "map",
    "money",
    "path",
    "point",
    "polygon",
    "row",
    "timetz",
    "tsquery",
    "tsvector",
    "varbit",
    "xml",
    "int4range",
    "int8range",
    "tsrange",
    "daterange",
];

fn unsupported(sql_type: &SqlType) -> SqlError {
    SqlError::unsupported(format!("type {} is not supported", sql_type.to_string().to_lowercase()))
}

fn unknown(name: &str) -> SqlError {
    SqlError::new("42704", format!("type \"{name}\" does not exist"))
}

/// Gives DataFusion's planner our types for casts and typed literals.
#[derive(Debug, Default)]
pub struct MonsoonTypePlanner;

impl TypePlanner for MonsoonTypePlanner {
    fn plan_type_field(&self, sql_type: &SqlType) -> datafusion::common::Result<Option<FieldRef>> {
        let field = nullable_field(sql_type).map_err(|error| DataFusionError::External(Box::new(error)))?;
        // A cast to a field without name and metadata keeps the metadata of what it casts: `uuid_column::text`
        // would still be called uuid. A name makes the cast's target count as it is.
        let keeps_source_metadata = field.metadata().is_empty() && field.data_type() == &DataType::Utf8;
        let field = if keeps_source_metadata { field.with_name("text") } else { field };
        Ok(Some(Arc::new(field)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::parse_data_type;
    use crate::pg_type::sql_name;

    fn shown(sql: &str) -> String {
        let field = parse_data_type(sql).and_then(|sql_type| field("x", &sql_type, true));
        match field {
            Ok(field) => format!("{} = {}", field.data_type(), sql_name(&field)),
            Err(error) => format!("{} {}", error.sqlstate, error.message),
        }
    }

    #[test]
    fn types_become_arrow_types() {
        let cases = [
            ("boolean", "Boolean = boolean"),
            ("smallint", "Int16 = smallint"),
            ("INT", "Int32 = integer"),
            ("bigint", "Int64 = bigint"),
            ("real", "Float32 = real"),
            ("float", "Float64 = double precision"),
            ("float(20)", "Float32 = real"),
            ("double precision", "Float64 = double precision"),
            ("numeric", "Decimal128(38, 10) = numeric"),
            ("numeric(10,2)", "Decimal128(10, 2) = numeric(10,2)"),
            ("decimal(50, 3)", "Decimal256(50, 3) = numeric(50,3)"),
            ("numeric(80)", "22023 NUMERIC precision 80 must be between 1 and 76"),
            ("numeric(5,9)", "22023 NUMERIC scale must be between 0 and precision 5"),
            ("text", "Utf8 = text"),
            ("varchar(20)", "Utf8 = character varying(20)"),
            ("character varying", "Utf8 = character varying"),
            ("char", "Utf8 = character(1)"),
            ("pg_catalog.varchar(3)", "Utf8 = character varying(3)"),
            ("\"char\"", "Utf8 = \"char\""),
            ("bytea", "Binary = bytea"),
            ("date", "Date32 = date"),
            ("time", "Time64(µs) = time without time zone"),
            ("timestamp", "Timestamp(µs) = timestamp without time zone"),
            ("timestamp(3)", "Timestamp(µs) = timestamp without time zone"),
            ("timestamptz", "Timestamp(µs, \"+00:00\") = timestamp with time zone"),
            ("timestamp with time zone", "Timestamp(µs, \"+00:00\") = timestamp with time zone"),
            ("interval", "Interval(MonthDayNano) = interval"),
            ("json", "Utf8 = json"),
            ("jsonb", "Utf8 = jsonb"),
            ("uuid", "Utf8 = uuid"),
            ("pg_catalog.oid", "Int32 = oid"),
            ("name", "Utf8 = name"),
            ("serial", "0A000 type serial is not supported"),
            ("inet", "0A000 type inet is not supported"),
            ("nosuch", "42704 type \"nosuch\" does not exist"),
        ];
        for (sql, expected) in cases {
            assert_eq!(shown(sql), expected, "{sql}");
        }
        assert!(shown("int[]").ends_with("= integer[]"), "{}", shown("int[]"));
        assert!(shown("text[][]").ends_with("= text[]"));
    }
}
