//! Arrow's type names in DataFusion's messages, as Postgres calls them.

/// `Int32` -> `integer`; what isn't known stays as it is.
pub(super) fn sql_type_name(arrow: &str) -> String {
    let arrow = arrow.trim();
    let name = match arrow {
        "Boolean" => "boolean",
        "Int8" | "Int16" | "UInt8" => "smallint",
        "Int32" | "UInt16" => "integer",
        "Int64" | "UInt32" => "bigint",
        "UInt64" => "numeric",
        "Float16" | "Float32" => "real",
        "Float64" => "double precision",
        "Utf8" | "LargeUtf8" | "Utf8View" | "String" => "text",
        "Binary" | "LargeBinary" | "BinaryView" => "bytea",
        "Date32" | "Date64" => "date",
        "Null" => "unknown",
        _ if arrow.starts_with("Decimal") => "numeric",
        _ if arrow.starts_with("Time32") || arrow.starts_with("Time64") => "time without time zone",
        _ if arrow.starts_with("Timestamp") && (arrow.contains("Some") || arrow.contains('"')) => {
            "timestamp with time zone"
        }
        _ if arrow.starts_with("Timestamp") => "timestamp without time zone",
        _ if arrow.starts_with("Interval") || arrow.starts_with("Duration") => "interval",
        other => other,
    };
    name.to_owned()
}

/// Every type of a list `Int64, Timestamp(ns, "UTC")`.
pub(super) fn sql_type_names(list: &str) -> String {
    split_top_level(list).into_iter().map(sql_type_name).collect::<Vec<_>>().join(", ")
}

/// Splits at commas that are not in parentheses.
fn split_top_level(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0usize, 0);
    for (at, character) in list.char_indices() {
        match character {
            '(' | '<' => depth += 1,
            ')' | '>' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !list.trim().is_empty() {
        parts.push(&list[start..]);
    }
    parts
}
