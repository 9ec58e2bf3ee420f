//! `information_schema`: the part of the SQL standard's that clients read.

use arrow::datatypes::Field;

use super::catalog_table::Definition;
use super::relation_tables::definition;
use super::snapshot::{OWNER, RelationInfo, RelationKind};
use super::table_spec::{Row, Value};
use crate::function::SessionFacts;
use crate::pg_type::{PgType, format_type, pg_type};

/// The tables.
pub(super) const TABLES: &[Definition] = &[
    (
        "schemata",
        "catalog_name:name schema_name:name schema_owner:name default_character_set_catalog:name \
         default_character_set_schema:name default_character_set_name:name sql_path:text",
        schemata,
    ),
    (
        "tables",
        "table_catalog:name table_schema:name=public table_name:name table_type:text self_referencing_column_name:name \
         reference_generation:text user_defined_type_catalog:name user_defined_type_schema:name user_defined_type_name:name \
         is_insertable_into:text is_typed:text=NO commit_action:text",
        tables,
    ),
    (
        "columns",
        "table_catalog:name table_schema:name=public table_name:name column_name:name ordinal_position:int4 \
         column_default:text is_nullable:text data_type:text character_maximum_length:int4 character_octet_length:int4 \
         numeric_precision:int4 numeric_precision_radix:int4 numeric_scale:int4 datetime_precision:int4 interval_type:text \
         interval_precision:int4 character_set_catalog:name character_set_schema:name character_set_name:name \
         collation_catalog:name collation_schema:name collation_name:name domain_catalog:name domain_schema:name \
         domain_name:name udt_catalog:name udt_schema:name=pg_catalog udt_name:name scope_catalog:name scope_schema:name \
         scope_name:name maximum_cardinality:int4 dtd_identifier:text is_self_referencing:text=NO is_identity:text=NO \
         identity_generation:text identity_start:text identity_increment:text identity_maximum:text identity_minimum:text \
         identity_cycle:text=NO is_generated:text=NEVER generation_expression:text is_updatable:text",
        columns,
    ),
    (
        "views",
        "table_catalog:name table_schema:name=public table_name:name view_definition:text check_option:text=NONE \
         is_updatable:text=NO is_insertable_into:text=NO is_trigger_updatable:text=NO is_trigger_deletable:text=NO \
         is_trigger_insertable_into:text=NO",
        views,
    ),
    (
        "table_constraints",
        "constraint_catalog:name constraint_schema:name=public constraint_name:name table_catalog:name \
         table_schema:name=public table_name:name constraint_type:text='PRIMARY_KEY' is_deferrable:text=NO \
         initially_deferred:text=NO enforced:text=YES nulls_distinct:text",
        constraints,
    ),
    (
        "key_column_usage",
        "constraint_catalog:name constraint_schema:name=public constraint_name:name table_catalog:name \
         table_schema:name=public table_name:name column_name:name ordinal_position:int4 position_in_unique_constraint:int4",
        key_columns,
    ),
    (
        "constraint_column_usage",
        "table_catalog:name table_schema:name=public table_name:name column_name:name constraint_catalog:name \
         constraint_schema:name=public constraint_name:name",
        constraint_columns,
    ),
    (
        "referential_constraints",
        "constraint_catalog:name constraint_schema:name constraint_name:name unique_constraint_catalog:name \
         unique_constraint_schema:name unique_constraint_name:name match_option:text update_rule:text delete_rule:text",
        nothing,
    ),
    (
        "check_constraints",
        "constraint_catalog:name constraint_schema:name constraint_name:name check_clause:text",
        nothing,
    ),
    (
        "routines",
        "specific_catalog:name specific_schema:name specific_name:name routine_catalog:name routine_schema:name \
         routine_name:name routine_type:text data_type:text routine_definition:text external_language:text",
        nothing,
    ),
    (
        "parameters",
        "specific_catalog:name specific_schema:name specific_name:name ordinal_position:int4 parameter_mode:text \
         parameter_name:name data_type:text",
        nothing,
    ),
    ("sequences", "sequence_catalog:name sequence_schema:name sequence_name:name data_type:text", nothing),
    (
        "triggers",
        "trigger_catalog:name trigger_schema:name trigger_name:name event_manipulation:text event_object_table:name",
        nothing,
    ),
    (
        "table_privileges",
        "grantor:name grantee:name table_catalog:name table_schema:name table_name:name privilege_type:text is_grantable:text",
        nothing,
    ),
    ("character_sets", "character_set_catalog:name character_set_schema:name character_set_name:name", nothing),
    ("enabled_roles", "role_name:name", enabled_roles),
    ("information_schema_catalog_name", "catalog_name:name", catalog_name),
];

fn nothing(_: &dyn SessionFacts) -> Vec<Row> {
    Vec::new()
}

fn schemata(facts: &dyn SessionFacts) -> Vec<Row> {
    ["public", "pg_catalog", "information_schema"]
        .map(|name| {
            vec![
                ("catalog_name", facts.database().into()),
                ("schema_name", name.into()),
                ("schema_owner", OWNER.into()),
            ]
        })
        .to_vec()
}

fn enabled_roles(facts: &dyn SessionFacts) -> Vec<Row> {
    vec![vec![("role_name", facts.user().into())]]
}

fn catalog_name(facts: &dyn SessionFacts) -> Vec<Row> {
    vec![vec![("catalog_name", facts.database().into())]]
}

/// Materialized views are not in the standard, and Postgres leaves them out; BI tools that read only this schema would
/// not see them, so they are shown as views here.
fn listed(facts: &dyn SessionFacts) -> Vec<RelationInfo> {
    let mut relations = facts.relations();
    relations.retain(|relation| relation.kind.relkind().is_some());
    relations.sort_by_key(|relation| relation.oid);
    relations
}

fn is_view(relation: &RelationInfo) -> bool {
    matches!(relation.kind, RelationKind::View | RelationKind::MaterializedView)
}

fn yes_or_no(yes: bool) -> Value {
    if yes { "YES" } else { "NO" }.into()
}

fn tables(facts: &dyn SessionFacts) -> Vec<Row> {
    let database = facts.database();
    let row = |relation: &RelationInfo| -> Row {
        vec![
            ("table_catalog", database.as_str().into()),
            ("table_name", relation.name.as_str().into()),
            ("table_type", if is_view(relation) { "VIEW" } else { "BASE TABLE" }.into()),
            ("is_insertable_into", yes_or_no(!is_view(relation))),
        ]
    };
    listed(facts).iter().map(row).collect()
}

fn views(facts: &dyn SessionFacts) -> Vec<Row> {
    let database = facts.database();
    let row = |relation: &RelationInfo| -> Row {
        vec![
            ("table_catalog", database.as_str().into()),
            ("table_name", relation.name.as_str().into()),
            ("view_definition", definition(relation)),
        ]
    };
    listed(facts).iter().filter(|relation| is_view(relation)).map(row).collect()
}

fn columns(facts: &dyn SessionFacts) -> Vec<Row> {
    let database = facts.database();
    let mut rows = Vec::new();
    for relation in listed(facts) {
        for (place, field) in relation.columns.fields().iter().enumerate() {
            let mut row: Row = vec![
                ("table_catalog", database.as_str().into()),
                ("udt_catalog", database.as_str().into()),
                ("table_name", relation.name.as_str().into()),
                ("column_name", field.name().as_str().into()),
                ("ordinal_position", (place + 1).into()),
                ("dtd_identifier", (place + 1).to_string().into()),
                ("is_nullable", yes_or_no(field.is_nullable())),
                ("is_updatable", yes_or_no(relation.kind == RelationKind::Table)),
            ];
            row.extend(type_columns(field));
            rows.push(row);
        }
    }
    rows
}

fn type_columns(field: &Field) -> Row {
    let pg_type = pg_type(field);
    let data_type = if pg_type.array_element.is_some() { "ARRAY".to_owned() } else { format_type(pg_type.oid, -1) };
    let mut row: Row = vec![("data_type", data_type.into()), ("udt_name", pg_type.name.into())];
    row.extend(size_columns(pg_type));
    row
}

fn size_columns(pg_type: PgType) -> Row {
    let integer = |bits: i32| {
        vec![("numeric_precision", bits.into()), ("numeric_precision_radix", 2.into()), ("numeric_scale", 0.into())]
    };
    let float = |bits: i32| vec![("numeric_precision", bits.into()), ("numeric_precision_radix", 2.into())];
    match pg_type.name {
        "int2" => integer(16),
        "int4" => integer(32),
        "int8" => integer(64),
        "float4" => float(24),
        "float8" => float(53),
        "numeric" if pg_type.typmod >= 4 => {
            let modifier = pg_type.typmod - 4;
            vec![
                ("numeric_precision", (modifier >> 16).into()),
                ("numeric_precision_radix", 10.into()),
                ("numeric_scale", (modifier & 0x7ff).into()),
            ]
        }
        "numeric" => vec![("numeric_precision_radix", 10.into())],
        "varchar" | "bpchar" if pg_type.typmod >= 4 => vec![("character_maximum_length", (pg_type.typmod - 4).into())],
        "text" => vec![("character_octet_length", (1_i32 << 30).into())],
        "date" => vec![("datetime_precision", 0.into())],
        "time" | "timestamp" | "timestamptz" | "interval" => vec![("datetime_precision", 6.into())],
        _ => Vec::new(),
    }
}

fn with_key(facts: &dyn SessionFacts) -> Vec<RelationInfo> {
    let mut relations = listed(facts);
    relations.retain(RelationInfo::has_key);
    relations
}

fn constraints(facts: &dyn SessionFacts) -> Vec<Row> {
    let database = facts.database();
    let row = |relation: &RelationInfo| -> Row {
        vec![
            ("constraint_catalog", database.as_str().into()),
            ("table_catalog", database.as_str().into()),
            ("constraint_name", relation.key_name().into()),
            ("constraint_type", "PRIMARY KEY".into()),
            ("table_name", relation.name.as_str().into()),
        ]
    };
    with_key(facts).iter().map(row).collect()
}

fn key_columns(facts: &dyn SessionFacts) -> Vec<Row> {
    let mut rows = constraint_columns(facts);
    let mut last = (String::new(), 0_usize);
    for row in &mut rows {
        let table = row.iter().find_map(|(name, value)| match value {
            Value::Text(table) if *name == "table_name" => Some(table.clone()),
            _ => None,
        });
        let table = table.unwrap_or_default();
        last = if last.0 == table { (table, last.1 + 1) } else { (table, 1) };
        row.push(("ordinal_position", last.1.into()));
    }
    rows
}

fn constraint_columns(facts: &dyn SessionFacts) -> Vec<Row> {
    let database = facts.database();
    let mut rows = Vec::new();
    for relation in with_key(facts) {
        for column in relation.key_columns() {
            rows.push(vec![
                ("constraint_catalog", database.as_str().into()),
                ("table_catalog", database.as_str().into()),
                ("constraint_name", relation.key_name().into()),
                ("table_name", relation.name.as_str().into()),
                ("column_name", column.into()),
            ]);
        }
    }
    rows
}
