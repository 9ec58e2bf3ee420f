//! Tests of the functions, through SQL.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;
use crate::data_type::MonsoonTypePlanner;
use crate::error::SqlError;
use crate::pg_catalog::{CatalogSnapshot, RelationInfo};
use crate::pg_text::value_text;

#[derive(Debug)]
struct Facts;

impl CatalogSnapshot for Facts {
    fn relations(&self) -> Vec<RelationInfo> {
        Vec::new()
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
        let text = |text: &str| text.to_owned();
        vec![Setting { name: text("timezone"), value: text("UTC"), default: text("UTC"), description: text("zone") }]
    }

    fn set_setting(&self, name: &str, value: &str, _local: bool) -> Result<String, SqlError> {
        match name {
            "timezone" => Ok(value.to_owned()),
            _ => Err(SqlError::new("42704", "unrecognized")),
        }
    }
}

fn context() -> SessionContext {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    config.options_mut().sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    let state = datafusion::execution::SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .with_type_planner(Arc::new(MonsoonTypePlanner))
        .build();
    let mut context = SessionContext::new_with_state(state);
    let facts: Arc<dyn SessionFacts> = Arc::new(Facts);
    register(&mut context, &facts, &Arc::default()).unwrap();
    context
}

/// The columns of the first row, separated by `|`.
async fn row(sql: &str) -> String {
    let result = match context().sql(sql).await {
        Ok(frame) => frame.collect().await,
        Err(error) => Err(error),
    };
    let batches: Vec<RecordBatch> = match result {
        Ok(batches) => batches,
        Err(error) => return crate::diagnostic::from_datafusion(error, sql, 0).message,
    };
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else { return "no rows".to_owned() };
    let text = |n: usize| value_text(batch.column(n), batch.schema().field(n), 0).unwrap();
    (0..batch.num_columns()).map(|n| text(n).unwrap_or_else(|| "<null>".to_owned())).collect::<Vec<_>>().join("|")
}

async fn check(cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        assert_eq!(row(&format!("SELECT {sql}")).await, *expected, "{sql}");
    }
}

#[tokio::test]
async fn session_functions() {
    check(&[
        ("version()", VERSION),
        ("current_schema()", "public"),
        ("current_schemas(true), current_schemas(false)", "{pg_catalog,public}|{public}"),
        ("current_database(), current_user, session_user, pg_backend_pid()", "db|ann|ann|42"),
        ("current_setting('TimeZone'), current_setting('nosuch', true)", "UTC|<null>"),
        ("current_setting('nosuch')", "unrecognized configuration parameter \"nosuch\""),
        ("set_config('timezone', 'CET', false)", "CET"),
        ("pg_encoding_to_char(6), pg_is_in_recovery()", "UTF8|f"),
    ])
    .await;
}

#[tokio::test]
async fn catalog_functions() {
    check(&[
        (
            "format_type(23, NULL), format_type(1043, 24), format_type(1700, 655366), format_type(0, -1)",
            "integer|character varying(20)|numeric(10,2)|-",
        ),
        ("pg_get_userbyid(10), pg_table_is_visible(1), obj_description(1, 'pg_class')", "monsoon|t|<null>"),
        (
            "to_regtype('integer[]'), to_regtype('nosuch'), to_regclass('nosuch'), to_regclass('pg_class')",
            "1007|<null>|<null>|1259",
        ),
        ("monsoon_regclass('nosuch')", "relation \"nosuch\" does not exist"),
        ("pg_relation_is_publishable('16384'), pg_size_pretty(pg_table_size(1))", "f|0 bytes"),
        ("has_table_privilege('t', 'select'), has_database_privilege('x', 'y', 'z')", "t|t"),
    ])
    .await;
}

#[tokio::test]
async fn text_functions() {
    check(&[
        ("quote_ident('A b'), quote_literal('it''s'), quote_nullable(NULL)", "\"A b\"|'it''s'|NULL"),
        ("array_upper(make_array(1, 2, 3), 1), array_lower(make_array(1), 1)", "3|1"),
        ("count_char('banana', 'a'), split_index('a/b/c', '/', 1), split_index('a', '/', 3)", "3|b|<null>"),
        ("regexp_extract('&channel_id=12&x', '(&|^)channel_id=([^&]*)', 2), regexp_extract('abc', 'b.'), regexp_extract('x', '(y)', 1)", "12|bc|<null>"),
        ("split_part('a-b', '-', 2)", "b"),
    ])
    .await;
}

#[tokio::test]
async fn times_as_text() {
    check(&[
        ("to_char(TIMESTAMP '2024-02-05 15:04:09.5', 'YYYY-MM-DD HH24:MI:SS.MS')", "2024-02-05 15:04:09.500"),
        ("to_char(DATE '2024-02-05', 'DD.MM.YY'), to_char(TIME '15:04:09', 'HH12:MI AM')", "05.02.24|03:04 PM"),
        ("to_char(TIMESTAMP '2024-02-05 15:04:09', '%Y/%m')", "2024/02"),
        ("date_format(TIMESTAMP '2024-02-05 15:04:09', 'yyyy-MM-dd HH:mm:ss')", "2024-02-05 15:04:09"),
        ("to_char(NULL::timestamp, 'YYYY')", "<null>"),
    ])
    .await;
}

#[tokio::test]
async fn json_functions_and_operators() {
    check(&[
        ("'{\"a\": {\"b\": [1, \"x\"]}}'::jsonb -> 'a' -> 'b' ->> 1", "x"),
        ("'{\"a\": {\"b\": [1, 2]}}'::json -> 'a'", "{\"b\": [1, 2]}"),
        ("'{\"a\": {\"b\": [1, 2]}}' #>> '{a,b,0}'", "1"),
        ("'{\"a\": 1}'::jsonb ? 'a'", "t"),
        (
            "json_build_object('a', 1, 'b', 'x', 'c', NULL, 'd', true, 'e', json_build_array(1.5, 'y'))",
            "{\"a\" : 1, \"b\" : \"x\", \"c\" : null, \"d\" : true, \"e\" : [1.5, \"y\"]}",
        ),
        ("to_json('x')", "\"x\""),
    ])
    .await;
}

#[tokio::test]
async fn casts_to_types_of_postgres() {
    check(&[
        ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("'16384'::oid, 'x'::name, 'abc'::varchar(10), '1.50'::numeric(10,1), '2.5'::numeric", "16384|x|abc|1.5|2.5"),
        (
            "timestamptz '2024-01-01 00:00:00+02', timestamp(3) '2024-01-01 00:00:00.123'",
            "2023-12-31 22:00:00+00|2024-01-01 00:00:00.123",
        ),
        ("'x'::nosuch", "type \"nosuch\" does not exist"),
        ("'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380A11}'::uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("'garbage'::uuid", "invalid input syntax for type uuid: \"garbage\""),
        ("'{'::json", "invalid input syntax for type json"),
        ("CAST('[1, 2' AS jsonb)", "invalid input syntax for type jsonb"),
        ("NULL::uuid, 12345::varchar(2), 'äöü'::varchar(2), 'abc'::char(5)", "<null>|12|äö|abc"),
        ("'garbage'::text::varchar, 'abcdef'::varchar(4)::varchar(9)", "garbage|abcd"),
    ])
    .await;
}
