//! Functions that answer from the catalog: what psql, drivers and ORMs ask `pg_catalog` for.

use super::cell::Cell;
use super::cell::Kind::{Any, Bool, Int, Int4, IntOrText, Text};
use super::pg_function::{Call, Spec, stable};
use super::text_function::quote_identifier;
use crate::error::SqlError;
use crate::pg_catalog::{
    NAMESPACE_INFORMATION_SCHEMA, NAMESPACE_PG_CATALOG, NAMESPACE_PUBLIC, OWNER, OWNER_OID, RelationInfo,
    oid_of_type_name, system_relation_name, system_relation_oid,
};
use crate::pg_type::format_type;

type Answer = Result<Cell, SqlError>;

/// The functions.
pub(super) const FUNCTIONS: &[Spec] =
    &[
        stable("format_type", &[Int, Int], 1, Text, |_, args| {
            let Some(oid) = args[0].int().and_then(|oid| u32::try_from(oid).ok()) else { return Ok(Cell::Null) };
            let typmod = args[1].int().and_then(|typmod| i32::try_from(typmod).ok()).unwrap_or(-1);
            Ok(if oid == 0 { Cell::from("-") } else { Cell::Text(format_type(oid, typmod)) })
        }),
        stable("pg_get_userbyid", &[Int], 1, Text, |_, args| Ok(user_name(&args[0]))),
        stable("pg_table_is_visible", &[Int], 1, Bool, yes),
        stable("pg_type_is_visible", &[Int], 1, Bool, yes),
        stable("pg_function_is_visible", &[Int], 1, Bool, yes),
        stable("pg_operator_is_visible", &[Int], 1, Bool, yes),
        stable("pg_opclass_is_visible", &[Int], 1, Bool, yes),
        stable("pg_opfamily_is_visible", &[Int], 1, Bool, yes),
        stable("pg_collation_is_visible", &[Int], 1, Bool, yes),
        stable("pg_conversion_is_visible", &[Int], 1, Bool, yes),
        stable("pg_statistics_obj_is_visible", &[Int], 1, Bool, yes),
        stable("pg_ts_config_is_visible", &[Int], 1, Bool, yes),
        stable("pg_ts_dict_is_visible", &[Int], 1, Bool, yes),
        stable("pg_ts_parser_is_visible", &[Int], 1, Bool, yes),
        stable("pg_ts_template_is_visible", &[Int], 1, Bool, yes),
        stable("has_table_privilege", &[Any, Any, Any], 2, Bool, yes),
        stable("has_schema_privilege", &[Any, Any, Any], 2, Bool, yes),
        stable("has_database_privilege", &[Any, Any, Any], 2, Bool, yes),
        stable("has_column_privilege", &[Any, Any, Any, Any], 3, Bool, yes),
        stable("has_any_column_privilege", &[Any, Any, Any], 2, Bool, yes),
        stable("has_function_privilege", &[Any, Any, Any], 2, Bool, yes),
        stable("has_sequence_privilege", &[Any, Any, Any], 2, Bool, yes),
        stable("has_type_privilege", &[Any, Any, Any], 2, Bool, yes),
        stable("has_tablespace_privilege", &[Any, Any, Any], 2, Bool, yes),
        stable("pg_has_role", &[Any, Any, Any], 2, Bool, yes),
        stable("obj_description", &[Int, Text], 1, Text, |call, args| {
            Ok(relation(call, &args[0]).and_then(|relation| relation.comment.clone()).into())
        }),
        stable("col_description", &[Int, Int], 2, Text, |call, args| {
            let column = args[1].int().and_then(|number| usize::try_from(number - 1).ok());
            let comments =
                relation(call, &args[0]).map(|relation| relation.column_comments.as_slice()).unwrap_or_default();
            Ok(comments.iter().find(|(place, _)| Some(*place) == column).map(|(_, text)| text.clone()).into())
        }),
        stable("shobj_description", &[Int, Text], 2, Text, none),
        stable("pg_get_expr", &[Any, Int, Bool], 2, Text, |_, args| Ok(args[0].clone())),
        stable("pg_get_viewdef", &[IntOrText, Any], 1, Text, |call, args| {
            Ok(relation(call, &args[0])
                .and_then(|relation| relation.definition.as_ref())
                .map(|sql| format!(" {sql};"))
                .into())
        }),
        stable("pg_get_constraintdef", &[Int, Bool], 1, Text, |call, args| {
            let oid = args[0].int();
            let owner = call.relations().iter().find(|relation| Some(i64::from(relation.constraint_oid())) == oid);
            Ok(owner.map(|relation| format!("PRIMARY KEY ({})", quoted_key(relation))).into())
        }),
        stable("pg_get_indexdef", &[Int, Int, Bool], 1, Text, index_definition),
        stable("pg_get_ruledef", &[Int, Bool], 1, Text, none),
        stable("pg_get_triggerdef", &[Int, Bool], 1, Text, none),
        stable("pg_get_functiondef", &[Int], 1, Text, none),
        stable("pg_get_function_result", &[Int], 1, Text, none),
        stable("pg_get_function_arguments", &[Int], 1, Text, none),
        stable("pg_get_function_identity_arguments", &[Int], 1, Text, none),
        stable("pg_get_function_sqlbody", &[Int], 1, Text, none),
        stable("pg_get_statisticsobjdef_columns", &[Int], 1, Text, none),
        stable("pg_get_partkeydef", &[Int], 1, Text, none),
        stable("pg_get_serial_sequence", &[Text, Text], 2, Text, none),
        stable("pg_tablespace_location", &[Int], 1, Text, |_, _| Ok(Cell::from(""))),
        stable("pg_relation_is_publishable", &[IntOrText], 1, Bool, |_, _| Ok(Cell::Bool(false))),
        stable("pg_relation_is_updatable", &[Int, Bool], 1, Int4, |_, _| Ok(Cell::Int(0))),
        stable("pg_relation_size", &[IntOrText, Text], 1, Int, zero),
        stable("pg_table_size", &[IntOrText], 1, Int, zero),
        stable("pg_indexes_size", &[IntOrText], 1, Int, zero),
        stable("pg_total_relation_size", &[IntOrText], 1, Int, zero),
        stable("pg_database_size", &[IntOrText], 1, Int, zero),
        stable("pg_tablespace_size", &[IntOrText], 1, Int, zero),
        stable("pg_stat_get_numscans", &[Int], 1, Int, zero),
        stable("to_regclass", &[Text], 1, Int4, |call, args| {
            Ok(relation_oid(call, &args[0]).map_or(Cell::Null, Cell::Int))
        }),
        stable("to_regtype", &[Text], 1, Int4, |_, args| {
            let oid = args[0].text().and_then(oid_of_type_name);
            Ok(oid.map_or(Cell::Null, |oid| Cell::Int(i64::from(oid))))
        }),
        stable("to_regnamespace", &[Text], 1, Int4, |_, args| {
            Ok(args[0].text().and_then(namespace_oid).map_or(Cell::Null, |oid| Cell::Int(i64::from(oid))))
        }),
        stable("to_regrole", &[Text], 1, Int4, |_, args| {
            Ok(if args[0].text() == Some(OWNER) { Cell::Int(i64::from(OWNER_OID)) } else { Cell::Null })
        }),
        stable("to_regproc", &[Text], 1, Int4, none),
        stable("monsoon_regclass", &[IntOrText], 1, Int4, |call, args| {
            let missing = || {
                SqlError::new("42P01", format!("relation \"{}\" does not exist", args[0].text().unwrap_or_default()))
            };
            relation_oid(call, &args[0]).map(Cell::Int).ok_or_else(missing)
        }),
        stable("monsoon_regclass_name", &[IntOrText], 1, Text, |call, args| Ok(relation_name(call, &args[0]))),
        stable("monsoon_regtype", &[IntOrText], 1, Int4, |_, args| match &args[0] {
            Cell::Text(name) => oid_of_type_name(name)
                .map(|oid| Cell::Int(i64::from(oid)))
                .ok_or_else(|| SqlError::new("42704", format!("type \"{name}\" does not exist"))),
            other => Ok(other.clone()),
        }),
        stable("monsoon_regnamespace", &[IntOrText], 1, Int4, |_, args| match &args[0] {
            Cell::Text(name) => namespace_oid(name)
                .map(|oid| Cell::Int(i64::from(oid)))
                .ok_or_else(|| SqlError::new("3F000", format!("schema \"{name}\" does not exist"))),
            other => Ok(other.clone()),
        }),
        stable("monsoon_regnamespace_name", &[IntOrText], 1, Text, |_, args| {
            let name = match args[0].int() {
                Some(oid) if oid == i64::from(NAMESPACE_PUBLIC) => "public",
                Some(oid) if oid == i64::from(NAMESPACE_PG_CATALOG) => "pg_catalog",
                Some(oid) if oid == i64::from(NAMESPACE_INFORMATION_SCHEMA) => "information_schema",
                _ => return Ok(args[0].clone()),
            };
            Ok(Cell::from(name))
        }),
    ];

fn yes(_: &Call<'_>, _: &[Cell]) -> Answer {
    Ok(Cell::Bool(true))
}

fn none(_: &Call<'_>, _: &[Cell]) -> Answer {
    Ok(Cell::Null)
}

fn zero(_: &Call<'_>, _: &[Cell]) -> Answer {
    Ok(Cell::Int(0))
}

fn user_name(oid: &Cell) -> Cell {
    match oid.int() {
        Some(oid) if oid == i64::from(OWNER_OID) => Cell::from(OWNER),
        Some(oid) => Cell::Text(format!("unknown (OID={oid})")),
        None => Cell::Null,
    }
}

/// The relation with this number or name.
fn relation<'a>(call: &'a Call<'_>, which: &Cell) -> Option<&'a RelationInfo> {
    let oid = relation_oid(call, which)?;
    call.relations().iter().find(|relation| i64::from(relation.oid) == oid)
}

fn relation_oid(call: &Call<'_>, which: &Cell) -> Option<i64> {
    match which {
        Cell::Int(oid) => Some(*oid),
        Cell::Text(name) => oid_of_name(call, name),
        _ => None,
    }
}

/// `'public.t'::regclass`: a number as text, or a name that may be qualified and quoted.
fn oid_of_name(call: &Call<'_>, name: &str) -> Option<i64> {
    if let Ok(oid) = name.trim().parse() {
        return Some(oid);
    }
    let parts = name_parts(name)?;
    let (schema, table) = match parts.as_slice() {
        [table] => (None, table),
        [schema, table] => (Some(schema.as_str()), table),
        _ => return None,
    };
    let own = || call.relations().iter().find(|relation| relation.kind.relkind().is_some() && relation.name == *table);
    let key = || call.relations().iter().find(|relation| relation.has_key() && relation.key_name() == *table);
    if matches!(schema, None | Some("public")) {
        if let Some(relation) = own() {
            return Some(i64::from(relation.oid));
        }
        if let Some(relation) = key() {
            return Some(i64::from(relation.index_oid()));
        }
    }
    match schema {
        None | Some("pg_catalog") => system_relation_oid(table).map(i64::from),
        _ => None,
    }
}

/// The parts of a name, folded unless quoted.
fn name_parts(name: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = name.trim();
    loop {
        let part;
        (part, rest) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"')?;
                (quoted[..end].to_owned(), &quoted[end + 1..])
            }
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                (rest[..end].trim().to_lowercase(), &rest[end..])
            }
        };
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None => return rest.trim().is_empty().then_some(parts),
        }
    }
}

fn relation_name(call: &Call<'_>, which: &Cell) -> Cell {
    let Some(oid) = relation_oid(call, which) else { return which.clone() };
    if oid == 0 {
        return Cell::from("-");
    }
    for relation in call.relations() {
        if i64::from(relation.oid) == oid {
            return Cell::Text(quote_identifier(&relation.name));
        }
        if i64::from(relation.index_oid()) == oid {
            return Cell::Text(quote_identifier(&relation.key_name()));
        }
    }
    match u32::try_from(oid).ok().and_then(system_relation_name) {
        Some(name) => Cell::from(name),
        None => Cell::Text(oid.to_string()),
    }
}

fn quoted_key(relation: &RelationInfo) -> String {
    relation.key_columns().into_iter().map(quote_identifier).collect::<Vec<_>>().join(", ")
}

fn index_definition(call: &Call<'_>, args: &[Cell]) -> Answer {
    let oid = args[0].int();
    let owner =
        call.relations().iter().find(|relation| relation.has_key() && Some(i64::from(relation.index_oid())) == oid);
    let Some(owner) = owner else { return Ok(Cell::Null) };
    let column = args[1].int().unwrap_or(0);
    if let Some(place) = usize::try_from(column - 1).ok() {
        return Ok(owner.key_columns().get(place).map(|name| quote_identifier(name)).into());
    }
    let (name, table) = (quote_identifier(&owner.key_name()), quote_identifier(&owner.name));
    Ok(Cell::Text(format!("CREATE UNIQUE INDEX {name} ON public.{table} USING btree ({})", quoted_key(owner))))
}

fn namespace_oid(name: &str) -> Option<u32> {
    match name.trim() {
        "public" => Some(NAMESPACE_PUBLIC),
        "pg_catalog" => Some(NAMESPACE_PG_CATALOG),
        "information_schema" => Some(NAMESPACE_INFORMATION_SCHEMA),
        other => other.parse().ok(),
    }
}
