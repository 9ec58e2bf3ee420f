//! Tests: the rewritten queries plan and run in DataFusion.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast::Statement;

use super::*;

/// Table `bids(auction, ts)`: one row at 0, 12, 25 seconds, one without a time.
fn context() -> SessionContext {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let mut context = SessionContext::new_with_config(config);
    crate::function::register_pure(&mut context).unwrap();
    let seconds =
        [Some(0), Some(12), Some(25), None].map(|second: Option<i64>| second.map(|second| second * 1_000_000));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("auction", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
        ("ts", Arc::new(TimestampMicrosecondArray::from(seconds.to_vec()))),
    ];
    context.register_batch("bids", RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    context
}

async fn run(sql: &str) -> String {
    let mut query = match parse_query(sql) {
        Ok(query) => query,
        Err(error) => return format!("{error:?}"),
    };
    if let Err(error) = rewrite_query(&mut query, sql, 0) {
        return format!("{} at {:?}: {}", error.sqlstate, error.position, error.message);
    }
    let context = context();
    let statement = datafusion::sql::parser::Statement::Statement(Box::new(Statement::Query(query)));
    let plan = context.state().statement_to_plan(statement).await.unwrap();
    let batches = context.execute_logical_plan(plan).await.unwrap().collect().await.unwrap();
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(1);
    rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned())
        .collect::<Vec<_>>()
        .join("; ")
}

async fn check(sql: &str, expected: &str) {
    assert_eq!(run(sql).await, expected, "{sql}");
}

#[tokio::test]
async fn tumble_adds_window_columns_and_leaves_out_rows_without_time() {
    let expected = "1 0 10; 2 10 20; 3 20 30";
    let shown = "SELECT auction, date_part('second', window_start)::int, date_part('second', window_end)::int";
    check(&format!("{shown} FROM TUMBLE(bids, ts, INTERVAL '10 seconds') ORDER BY 1"), expected).await;
    check(&format!("{shown} FROM tumble(bids, ts, INTERVAL '10' SECOND) AS b ORDER BY b.auction"), expected).await;
    check(
        &format!("{shown} FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) ORDER BY 1"),
        expected,
    )
    .await;
    let named = "TABLE(TUMBLE(DATA => TABLE bids, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '10' SECOND))";
    check(&format!("{shown} FROM {named} ORDER BY 1"), expected).await;
    check(
        &format!("{shown} FROM TUMBLE((SELECT * FROM bids WHERE auction < 3), ts, INTERVAL '10 s') ORDER BY 1"),
        "1 0 10; 2 10 20",
    )
    .await;
    check(
        &format!("{shown} FROM TUMBLE(bids, ts, INTERVAL '10 s', INTERVAL '5 s') WHERE auction > 1 ORDER BY 1"),
        "2 5 15; 3 25 35",
    )
    .await;
}

#[tokio::test]
async fn columns_are_those_of_the_relation_and_the_window() {
    check("SELECT count(*) FROM (SELECT * FROM TUMBLE(bids, ts, INTERVAL '10 s')) AS x(a, b, c, d)", "3").await;
    check("SELECT count(*) FROM (SELECT * FROM HOP(bids, ts, INTERVAL '5 s', INTERVAL '10 s')) AS x(a, b, c, d)", "6")
        .await;
    check("SELECT bids.auction FROM TUMBLE(bids, ts, INTERVAL '10 s') WHERE bids.auction = 2", "2").await;
}

#[tokio::test]
async fn hop_gives_a_row_per_window() {
    let shown = "SELECT auction, to_unixtime(window_start), to_unixtime(window_end)";
    check(
        &format!("{shown} FROM HOP(bids, ts, INTERVAL '5 s', INTERVAL '10 s') ORDER BY 1, 2"),
        "1 -5 5; 1 0 10; 2 5 15; 2 10 20; 3 20 30; 3 25 35",
    )
    .await;
    check(&format!("{shown} FROM HOP(bids, ts, INTERVAL '20 s', INTERVAL '10 s') ORDER BY 1, 2"), "1 0 10; 3 20 30")
        .await;
}

#[tokio::test]
async fn windows_group() {
    check(
        "SELECT count(*) AS n, to_unixtime(window_end) AS e FROM HOP(bids, ts, INTERVAL '10 s', INTERVAL '20 s') \
         GROUP BY window_start, window_end ORDER BY e",
        "1 10; 2 20; 2 30; 1 40",
    )
    .await;
    check(
        "WITH w AS (SELECT * FROM TUMBLE(bids, ts, INTERVAL '1 minute')) SELECT (SELECT count(*) FROM w) AS n, \
         (SELECT count(*) FROM TUMBLE(bids, ts, INTERVAL '1 minute'))",
        "3 3",
    )
    .await;
}

#[tokio::test]
async fn faults_have_a_place() {
    check("SELECT * FROM TUMBLE(bids, ts, INTERVAL '0 s')", "22023 at Some(41): a window's size must be positive")
        .await;
    check(
        "SELECT * FROM TUMBLE(bids, ts, INTERVAL '1 month')",
        "0A000 at Some(41): a window's size can't be in months or years: they differ in length",
    )
    .await;
    check("SELECT * FROM TUMBLE(bids, ts)", "42883 at Some(15): wrong arguments of a window function").await;
    check(
        "SELECT * FROM TUMBLE(bids, 1 + 1, INTERVAL '1 s')",
        "42601 at Some(28): the second argument must be a column",
    )
    .await;
    check("SELECT 1 FROM SESSION(bids, ts, INTERVAL '1 s')", "0A000 at Some(15): SESSION windows are not supported")
        .await;
    let too_many = run("SELECT 1 FROM HOP(bids, ts, INTERVAL '1 ms', INTERVAL '1 day')").await;
    assert!(too_many.starts_with("54000 at Some(15)"), "{too_many}");
}

#[test]
fn uses_are_told() {
    let mut query = parse_query("SELECT * FROM HOP(bids, ts, INTERVAL '2 s', INTERVAL '10 s')").unwrap();
    let uses = rewrite_query(&mut query, "", 0).unwrap();
    let [window] = uses.as_slice() else { panic!("{uses:?}") };
    assert_eq!((window.kind, window.slide_ns, window.size_ns), (WindowKind::Hop, 2_000_000_000, 10_000_000_000));
    assert_eq!(window.time_column.value, "ts");
}
