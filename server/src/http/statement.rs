//! Runs one SQL statement: what is done to topologies is done by SQL, so that this door knows nothing of them.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use futures::StreamExt;
use monsoon_sql::SqlError;
use monsoon_sql::database::Database;
use monsoon_sql::response::Response;
use monsoon_sql::session::SessionStart;
use serde_json::{Map, Value};

/// The rows of a statement whose columns are texts, such as SHOW and DESCRIBE have, as JSON objects.
pub(super) async fn run(database: &Arc<Database>, sql: &str) -> Result<Vec<Map<String, Value>>, SqlError> {
    let start = SessionStart { user: "monsoon".to_owned(), database: "monsoon".to_owned(), options: Vec::new() };
    let mut session = database.session(start);
    let mut objects = Vec::new();
    for statement in session.parse(sql)? {
        let prepared = session.prepare(&statement, &[]).await?;
        if let Response::Rows(mut rows) = session.execute(&prepared, &[]).await? {
            while let Some(batch) = rows.batches.next().await {
                let batch = batch?;
                objects.extend((0..batch.num_rows()).map(|row| object(&batch, row)));
            }
        }
    }
    Ok(objects)
}

fn object(batch: &RecordBatch, row: usize) -> Map<String, Value> {
    let schema = batch.schema();
    let cells = schema.fields().iter().zip(batch.columns());
    cells.map(|(field, column)| (field.name().clone(), cell(column.as_ref(), row))).collect()
}

/// A text; what is no text is null.
fn cell(column: &dyn Array, row: usize) -> Value {
    match column.as_string_opt::<i32>() {
        Some(texts) if texts.is_valid(row) => Value::from(texts.value(row)),
        _ => Value::Null,
    }
}
