//! DataFusion's own answers, with its own optimiser, over what the world says the relations hold.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::compare::Multiset;
use super::view::Definition;
use super::world::{Form, World};

/// What a relation should hold.
pub struct Answer {
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub rows: Multiset,
}

/// What every view should hold, by name; each is asked over the answers to those before it.
pub async fn answers(world: &World, views: &[&Definition]) -> Result<HashMap<String, Answer>> {
    let mut config = SessionConfig::new().with_target_partitions(1);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let context = SessionContext::new_with_config(config);
    for base in &world.bases {
        register(&context, &base.name, base.schema.clone(), vec![base.batch()?])?;
    }
    let mut answers = HashMap::new();
    for view in views {
        let sql = view.reference.replace("@WATERMARK", &watermark(world));
        let frame = context.sql(&sql).await.with_context(|| format!("DataFusion plans {sql}"))?;
        let schema: SchemaRef = Arc::new(frame.schema().as_arrow().clone());
        let batches = frame.collect().await.with_context(|| format!("DataFusion runs {sql}"))?;
        // The answer's own types, which the plan's may differ from.
        let schema = batches.first().map_or(schema, RecordBatch::schema);
        let mut rows = Multiset::default();
        rows.add_all(&batches)?;
        register(&context, &view.name, schema.clone(), batches)?;
        answers.insert(view.name.clone(), Answer { schema, rows });
    }
    Ok(answers)
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
