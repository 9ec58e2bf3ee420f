//! Tests: what clients send is answered. `psql_queries/` holds what psql really sends.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::config::Dialect;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast::Statement;

use super::*;
use crate::column_name::name_columns;
use crate::data_type::MonsoonTypePlanner;
use crate::diagnostic::from_datafusion;
use crate::error::SqlError;
use crate::function::{SessionFacts, Setting, register};
use crate::parser::parse_query;
use crate::pg_text::value_text;
use crate::pg_type::named_field;

#[derive(Debug)]
struct Facts;

fn relation(oid: u32, name: &str, kind: RelationKind, fields: Vec<Field>) -> RelationInfo {
    let definition =
        matches!(kind, RelationKind::View | RelationKind::MaterializedView).then(|| "SELECT id FROM t".to_owned());
    RelationInfo {
        oid,
        name: name.to_owned(),
        kind,
        columns: Arc::new(Schema::new(fields)),
        key: Vec::new(),
        definition,
        comment: None,
        column_comments: Vec::new(),
    }
}

impl CatalogSnapshot for Facts {
    fn relations(&self) -> Vec<RelationInfo> {
        let id = || Field::new("id", DataType::Int64, false);
        let time = Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), true);
        let mut table = relation(
            16_384,
            "t",
            RelationKind::Table,
            vec![
                id(),
                Field::new("Name", DataType::Utf8, true),
                named_field("data", "jsonb"),
                Field::new("n", DataType::Decimal128(10, 2), true),
            ],
        );
        table.key = vec![0];
        table.comment = Some("the table".to_owned());
        table.column_comments = vec![(1, "its name".to_owned())];
        vec![
            table,
            relation(16_385, "bids", RelationKind::Stream, vec![id(), time]),
            relation(16_386, "v", RelationKind::View, vec![id()]),
            relation(16_387, "hot", RelationKind::MaterializedView, vec![id()]),
            relation(16_388, "out", RelationKind::Sink, vec![id()]),
        ]
    }
}

impl SessionFacts for Facts {
    fn user(&self) -> String {
        "ann".to_owned()
    }

    fn database(&self) -> String {
        "db".to_owned()
    }

    fn backend_pid(&self) -> i32 {
        42
    }

    fn settings(&self) -> Vec<Setting> {
        let setting = |name: &str, value: &str, default: &str| Setting {
            name: name.to_owned(),
            value: value.to_owned(),
            default: default.to_owned(),
            description: String::new(),
        };
        vec![setting("timezone", "CET", "UTC"), setting("application_name", "psql", "psql")]
    }

    fn set_setting(&self, _name: &str, value: &str, _local: bool) -> Result<String, SqlError> {
        Ok(value.to_owned())
    }
}

fn context() -> SessionContext {
    let mut config = SessionConfig::new().with_default_catalog_and_schema("datafusion", "public");
    let options = config.options_mut();
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.dialect = Dialect::PostgreSQL;
    options.sql_parser.collect_spans = true;
    options.execution.skip_physical_aggregate_schema_check = true;
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .with_type_planner(Arc::new(MonsoonTypePlanner))
        .build();
    let mut context = SessionContext::new_with_state(state);
    let facts: Arc<dyn SessionFacts> = Arc::new(Facts);
    register(&mut context, &facts, &std::sync::Arc::default()).unwrap();
    let catalog = context.catalog("datafusion").unwrap();
    catalog.register_schema("pg_catalog", schema_provider(&facts)).unwrap();
    catalog.register_schema("information_schema", information_schema_provider(&facts)).unwrap();
    context
}

async fn rows_in(context: &SessionContext, sql: &str) -> Result<Vec<String>, SqlError> {
    let mut query = parse_query(sql)?;
    rewrite_catalog_query(&mut query);
    name_columns(&mut query);
    let shown = query.to_string();
    let fail = |error| SqlError { detail: Some(shown.clone()), ..from_datafusion(error, sql, 0) };
    let statement = datafusion::sql::parser::Statement::Statement(Box::new(Statement::Query(query)));
    let plan = context.state().statement_to_plan(statement).await.map_err(fail)?;
    let frame = context.execute_logical_plan(plan).await.map_err(fail)?;
    let batches = frame.collect().await.map_err(fail)?;
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let text =
                |n: usize| value_text(batch.column(n), batch.schema().field(n), row).unwrap().unwrap_or_default();
            rows.push((0..batch.num_columns()).map(text).collect::<Vec<_>>().join("|"));
        }
    }
    Ok(rows)
}

async fn check(sql: &str, expected: &[&str]) {
    match rows_in(&context(), sql).await {
        Ok(rows) => assert_eq!(rows, expected, "{sql}"),
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

/// Command and query.
fn psql_queries() -> Vec<(&'static str, &'static str)> {
    let text = include_str!("psql_queries/psql15.sql");
    text.split("\n--- ")
        .skip(1)
        .filter_map(|block| block.split_once('\n'))
        .map(|(command, sql)| (command, sql.trim().trim_end_matches(';')))
        .collect()
}

#[tokio::test]
async fn everything_psql_sends_is_answered() {
    let context = context();
    let mut failures = Vec::new();
    for (command, sql) in psql_queries() {
        if let Err(error) = rows_in(&context, sql).await {
            failures.push(format!(
                "{command}: {} {}\n    {}",
                error.sqlstate,
                error.message,
                error.detail.unwrap_or_default()
            ));
        }
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

/// The rows of the n-th query of a psql command.
async fn psql(command: &str, n: usize) -> Vec<String> {
    let sql = psql_queries().into_iter().filter(|(other, _)| *other == command).nth(n).unwrap().1;
    rows_in(&context(), sql).await.unwrap()
}

#[tokio::test]
async fn psql_lists_relations() {
    assert_eq!(
        psql("\\d", 0).await,
        [
            "public|bids|table|monsoon",
            "public|hot|materialized view|monsoon",
            "public|t|table|monsoon",
            "public|v|view|monsoon",
        ]
    );
    assert_eq!(psql("\\dt", 0).await, ["public|bids|table|monsoon", "public|t|table|monsoon"]);
    assert_eq!(psql("\\dv", 0).await, ["public|v|view|monsoon"]);
    assert_eq!(psql("\\dm", 0).await, ["public|hot|materialized view|monsoon"]);
    assert_eq!(psql("\\di", 0).await, ["public|t_pkey|index|monsoon|t"]);
    assert_eq!(psql("\\dt+", 0).await[1], "public|t|table|monsoon|permanent|heap|0 bytes|the table");
    assert_eq!(psql("\\dn", 0).await, ["public|monsoon"]);
    assert_eq!(psql("\\l", 0).await, ["db|monsoon|UTF8|C|C||libc|"]);
    assert_eq!(psql("\\du", 0).await.len(), 2);
    assert_eq!(psql("\\dconfig", 0).await, ["timezone|CET"]);
}

#[tokio::test]
async fn psql_describes_a_table() {
    assert_eq!(psql("\\d table", 0).await, ["16384|public|t"]);
    assert_eq!(psql("\\d table", 1).await, ["0|r|t|f|f|f|f|f|f||0||p|d|heap"]);
    assert_eq!(
        psql("\\d table", 2).await,
        ["id|bigint||t|||", "Name|text||f|||", "data|jsonb||f|||", "n|numeric(10,2)||f|||"]
    );
    assert_eq!(
        psql("\\d table", 3).await,
        ["t_pkey|t|t|f|t|CREATE UNIQUE INDEX t_pkey ON public.t USING btree (id)|PRIMARY KEY (id)|p|f|f|f|0"]
    );
}

#[tokio::test]
async fn names_and_numbers_of_relations() {
    check("SELECT 't'::regclass::oid, 'public.bids'::pg_catalog.regclass::oid", &["16384|16385"]).await;
    check("SELECT oid::regclass::text FROM pg_class WHERE relname = 't_pkey'", &["t_pkey"]).await;
    check("SELECT pg_get_viewdef('hot'::regclass)", &[" SELECT id FROM t;"]).await;
    check(
        "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum LIMIT 2",
        &["id", "Name"],
    )
    .await;
    check(
        "SELECT col_description('t'::regclass, 2), obj_description('t'::regclass, 'pg_class')",
        &["its name|the table"],
    )
    .await;
    let error = rows_in(&context(), "SELECT 'nosuch'::regclass").await.unwrap_err();
    assert_eq!((error.sqlstate, error.message.as_str()), ("42P01", "relation \"nosuch\" does not exist"));
}

#[tokio::test]
async fn drivers_and_tools() {
    check("SELECT typname, typlen FROM pg_type WHERE oid = 23", &["int4|4"]).await;
    check(
        "SELECT t.typname FROM pg_catalog.pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = ANY ('{pg_catalog}') AND t.typname LIKE 'int/_%' ESCAPE '/'",
        &[],
    )
    .await;
    check("SELECT distinct nspname FROM pg_namespace ORDER BY 1", &["information_schema", "pg_catalog", "public"])
        .await;
    check("SELECT tablename FROM pg_tables WHERE schemaname ILIKE 'public' ORDER BY 1", &["bids", "t"]).await;
    check("SELECT matviewname FROM pg_matviews", &["hot"]).await;
    check("SELECT setting FROM pg_settings WHERE name = 'max_index_keys'", &["32"]).await;
    check("SELECT rolname FROM pg_roles ORDER BY 1", &["ann", "monsoon"]).await;
    check(
        "SELECT c.relname, c.relacl, c.reloptions FROM pg_class c WHERE c.relkind IN ('r', 'm') ORDER BY 1",
        &["bids||", "hot||", "t||"],
    )
    .await;
    let tab_completion = "SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') \
        AND (c.relname) LIKE 'h%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog') \
        UNION ALL SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'h%' LIMIT 1000";
    check(tab_completion, &["hot|"]).await;
}

#[tokio::test]
async fn information_schema_has_sql_names() {
    check(
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
        &["bids|BASE TABLE", "hot|VIEW", "t|BASE TABLE", "v|VIEW"],
    )
    .await;
    check(
        "SELECT column_name, data_type, is_nullable, numeric_precision, udt_name FROM information_schema.columns WHERE table_name = 't' ORDER BY ordinal_position",
        &["id|bigint|NO|64|int8", "Name|text|YES||text", "data|jsonb|YES||jsonb", "n|numeric|YES|10|numeric"],
    )
    .await;
    check(
        "SELECT tc.constraint_type, kcu.column_name, kcu.ordinal_position FROM information_schema.table_constraints tc \
         JOIN information_schema.key_column_usage kcu ON tc.constraint_name = kcu.constraint_name WHERE tc.table_name = 't'",
        &["PRIMARY KEY|id|1"],
    )
    .await;
}

#[tokio::test]
async fn pgjdbc_primary_keys() {
    let sql = "SELECT result.TABLE_CAT, result.TABLE_SCHEM, result.TABLE_NAME, result.COLUMN_NAME, result.KEY_SEQ, result.PK_NAME FROM \
        (SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS COLUMN_NAME, \
        (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME, \
        information_schema._pg_expandarray(i.indkey) AS KEYS, a.attnum AS A_ATTNUM FROM pg_catalog.pg_class ct \
        JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) \
        JOIN pg_catalog.pg_index i ON ( a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) \
        WHERE true AND n.nspname = 'public' AND ct.relname = 't' AND i.indisprimary ) result \
        where result.A_ATTNUM = (result.KEYS).x ORDER BY result.table_name, result.pk_name, result.key_seq";
    check(sql, &["|public|t|id|1|t_pkey"]).await;
}

#[test]
fn user_queries_are_left_alone() {
    for sql in ["SELECT a COLLATE \"C\" FROM t", "SELECT (SELECT b FROM u WHERE u.a = t.a) FROM t"] {
        let mut query = parse_query(sql).unwrap();
        assert!(!rewrite_catalog_query(&mut query), "{sql}");
        assert_eq!(query.to_string(), sql);
    }
}
