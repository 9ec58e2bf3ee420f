//! DataFusion's own answers, with its own optimiser, over what the world says the relations hold.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::FutureExt;

use super::compare::Multiset;
use super::view::Definition;
use super::world::{Form, World};

/// What a relation should hold.
pub struct Answer {
    /// Its columns, as they were planned and as they came: DataFusion itself doesn't always keep to its plan.
    pub schemas: [SchemaRef; 2],
    /// Its rows.
    pub rows: Multiset,
    /// Rows on which one of its expressions fails.
    pub failures: usize,
}

/// What every view should hold, by name; each is asked over the answers to those before it.
pub async fn answers(world: &World, views: &[&Definition]) -> Result<HashMap<String, Answer>> {
    let mut config = SessionConfig::new().with_target_partitions(1);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    // Monsoon's sessions have it too.
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    let context = SessionContext::new_with_config(config);
    for base in &world.bases {
        register(&context, &base.name, base.schema.clone(), vec![base.batch()?])?;
    }
    let mut answers = HashMap::new();
    for view in views {
        let sql = view.reference.replace("@WATERMARK", &watermark(world));
        let (planned, batches) = ask(&context, &sql).await?;
        let schema = batches.first().map_or(Arc::clone(&planned), RecordBatch::schema);
        let mut rows = Multiset::default();
        rows.add_all(&batches)?;
        register(&context, &view.name, schema.clone(), batches)?;
        let mut failures = 0;
        if let Some(sql) = &view.failing {
            let (_, failed) = ask(&context, sql).await?;
            failures = failed.iter().map(RecordBatch::num_rows).sum();
        }
        answers.insert(view.name.clone(), Answer { schemas: [planned, schema], rows, failures });
    }
    Ok(answers)
}

/// DataFusion has no answer.
#[derive(Debug, thiserror::Error)]
#[error("DataFusion can't answer {sql}: {reason}")]
pub struct Unanswered {
    sql: String,
    reason: String,
}

/// Some of DataFusion's own aggregates panic on some inputs; that says nothing about a view.
async fn ask(context: &SessionContext, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let unanswered = |reason: String| Unanswered { sql: sql.to_owned(), reason };
    let asked = async {
        let plan = context.sql(sql).await?.create_physical_plan().await?;
        Ok::<_, DataFusionError>((plan.schema(), collect(plan, context.task_ctx()).await?))
    };
    match AssertUnwindSafe(asked).catch_unwind().await {
        Ok(answer) => Ok(answer.map_err(|error| unanswered(error.strip_backtrace()))?),
        Err(_) => Err(unanswered("it panics".to_owned()).into()),
    }
}

fn register(context: &SessionContext, name: &str, schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<()> {
    context.register_table(name, Arc::new(MemTable::try_new(schema, vec![batches])?))?;
    Ok(())
}

/// The timed stream's watermark as SQL; before there is one nothing is over.
fn watermark(world: &World) -> String {
    let timed = world.bases.iter().find(|base| matches!(base.form, Form::Timed(_)));
    match timed.and_then(|base| base.watermark_us) {
        None => "CAST(NULL AS TIMESTAMP)".to_owned(),
        Some(watermark) => format!("to_timestamp_micros({watermark})"),
    }
}
