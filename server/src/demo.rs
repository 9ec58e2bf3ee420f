//! `monsoon demo`: streams of generated auctions, and views over them.

use std::sync::Arc;

use futures::StreamExt;
use monsoon_sql::database::Database;
use monsoon_sql::error::SqlError;
use monsoon_sql::response::Response;
use monsoon_sql::session::SessionStart;

use crate::start_error::StartError;

/// What creates the demo. Every statement can be run again.
const SQL: &str = include_str!("demo.sql");

/// What to do next.
pub const HINT: &str = "try:  SELECT * FROM bids_per_channel;          -- and again: it has moved
      SELECT * FROM hottest_auctions ORDER BY bids DESC LIMIT 5;
      COPY (SUBSCRIBE TO highest_bids) TO STDOUT;  -- changes as they happen; Ctrl-C ends it
      SHOW MATERIALIZED VIEWS;";

/// Creates what doesn't exist yet.
pub async fn create(database: &Arc<Database>) -> Result<(), StartError> {
    run(database).await.map_err(|error| StartError::Other(format!("creating the demo: {}", error.message)))
}

async fn run(database: &Arc<Database>) -> Result<(), SqlError> {
    let start = SessionStart { user: "monsoon".to_owned(), database: "monsoon".to_owned(), options: Vec::new() };
    let mut session = database.session(start);
    for statement in session.parse(SQL)? {
        let prepared = session.prepare(&statement, &[]).await?;
        if let Response::Rows(mut rows) = session.execute(&prepared, &[]).await? {
            while let Some(batch) = rows.batches.next().await {
                batch?;
            }
        }
    }
    Ok(())
}
