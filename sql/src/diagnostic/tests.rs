//! Tests of the translation, against the errors that DataFusion really makes.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;

fn context() -> SessionContext {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.collect_spans = true;
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let context = SessionContext::new_with_config(config);
    for table in ["t", "u"] {
        let schema =
            Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("name", DataType::Utf8, true)]);
        context.register_table(table, Arc::new(EmptyTable::new(Arc::new(schema)))).unwrap();
    }
    context
}

async fn error_of(sql: &str) -> SqlError {
    let context = context();
    let planned = match context.sql(sql).await {
        Ok(frame) => frame.collect().await.map(|_| ()),
        Err(error) => Err(error),
    };
    from_datafusion(planned.expect_err(sql), sql, 0)
}

async fn check(sql: &str, sqlstate: &str, position: Option<usize>, message: &str) {
    let error = error_of(sql).await;
    assert_eq!(
        (error.sqlstate, error.position, error.message.as_str()),
        (sqlstate, position, message),
        "{sql}: {error:?}"
    );
}

#[tokio::test]
async fn names_that_do_not_exist() {
    check("SELECT nosuch FROM t", "42703", Some(8), "column \"nosuch\" does not exist").await;
    check("SELECT 1,\n  t.nosuch FROM t", "42703", Some(13), "column t.nosuch does not exist").await;
    check("SELECT x.a FROM t", "42P01", Some(8), "missing FROM-clause entry for table \"x\"").await;
    check("SELECT * FROM nosuch", "42P01", Some(15), "relation \"nosuch\" does not exist").await;
    check("SELECT 'é', nosuch(a) FROM t", "42883", Some(13), "function nosuch(...) does not exist").await;
    check("SELECT a FROM t, u", "42702", Some(8), "column reference \"a\" is ambiguous").await;
}

#[tokio::test]
async fn hint_names_the_similar_column() {
    assert_eq!(
        error_of("SELECT nam FROM t").await.hint.as_deref(),
        Some("perhaps you meant to reference the column \"name\"")
    );
}

#[tokio::test]
async fn types_that_do_not_fit() {
    check("SELECT round(name, a) FROM t", "42883", Some(8), "function round(text, bigint) does not exist").await;
    let error = error_of("SELECT a + name FROM t WHERE a = 1 AND NOT name").await;
    assert!(matches!(error.sqlstate, "42883" | "42804"), "{error:?}");
}

#[tokio::test]
async fn grouping_and_sets() {
    let error = error_of("SELECT name, count(*) FROM t GROUP BY a").await;
    assert_eq!((error.sqlstate, error.position), ("42803", Some(8)), "{error:?}");
    assert!(error.message.ends_with("must appear in the GROUP BY clause or be used in an aggregate function"));
    let error = error_of("SELECT 1 UNION SELECT 1, 2").await;
    assert_eq!(
        (error.sqlstate, error.message.as_str()),
        ("42601", "each UNION query must have the same number of columns")
    );
}

#[tokio::test]
async fn faults_of_the_data() {
    check("SELECT 1 / 0", "22012", None, "division by zero").await;
    check("SELECT CAST('abc' AS INT)", "22P02", None, "invalid input syntax for type integer: \"abc\"").await;
    check("SELECT CAST('99999999999' AS INT)", "22003", None, "value \"99999999999\" is out of range for type integer")
        .await;
    check("SELECT CAST('soon' AS DATE)", "22007", None, "invalid input syntax for type date: \"soon\"").await;
    check("SELECT CAST(300000 AS SMALLINT)", "22003", None, "value \"300000\" is out of range for type smallint").await;
    let error = error_of("SELECT (SELECT * FROM (VALUES (1), (2)) v)").await;
    assert_eq!(error.sqlstate, "21000", "{error:?}");
}

#[test]
fn own_errors_pass_through() {
    let own = SqlError::new("42704", "type \"x\" does not exist");
    let error = DataFusionError::External(Box::new(own.clone())).context("planning");
    assert_eq!(from_datafusion(error, "", 0), own);
    let error = DataFusionError::External(Box::new(own.clone()));
    assert_eq!(from_datafusion(error, "SELECT 1::x", 5).position, Some(16));
}

#[test]
fn memory_and_cancelling() {
    let error = from_datafusion(DataFusionError::ResourcesExhausted("no".to_owned()), "", 0);
    assert_eq!(error.sqlstate, "53200");
}

#[test]
fn position_counts_from_what_the_client_sent() {
    let error = DataFusionError::Plan("Invalid function 'f'".to_owned());
    assert_eq!(from_datafusion(error, "SELECT f()", 100).position, Some(108));
}
