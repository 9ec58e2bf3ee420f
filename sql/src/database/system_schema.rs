//! The schema `monsoon`: what runs, how far it is, what went wrong.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use monsoon_batch::{Engine, RelationStats};

use super::{Database, topology_tables};
use crate::catalog::{Catalog, Kind, Relation};
use crate::function::SessionFacts;
use crate::topology::Topologies;

const TABLES: [&str; 10] = [
    "relations",
    "streams",
    "sources",
    "sinks",
    "watermarks",
    "errors",
    "settings",
    "topologies",
    "topology_tasks",
    "topology_errors",
];

/// The schema. Its tables are made when a query names them.
#[derive(Clone)]
pub(super) struct SystemSchema {
    engine: Engine,
    catalog: Arc<Catalog>,
    topologies: Arc<Topologies>,
    facts: Arc<dyn SessionFacts>,
}

impl SystemSchema {
    pub(super) fn new(database: &Database, facts: Arc<dyn SessionFacts>) -> SystemSchema {
        SystemSchema {
            engine: database.engine.clone(),
            catalog: Arc::clone(&database.catalog),
            topologies: Arc::clone(&database.topologies),
            facts,
        }
    }

    fn rows(&self, is_shown: impl Fn(&Relation) -> bool) -> Vec<(Arc<Relation>, RelationStats)> {
        let snapshot = self.catalog.snapshot();
        let shown = snapshot.relations().filter(|relation| is_shown(relation));
        let with_stats = |relation: &Arc<Relation>| {
            let stats = if relation.is_run() { self.engine.stats(relation.id) } else { RelationStats::default() };
            (Arc::clone(relation), stats)
        };
        shown.map(with_stats).collect()
    }

    fn batch(&self, name: &str) -> Option<Result<RecordBatch>> {
        Some(match name {
            "relations" => self.relations(),
            "streams" => streams(&self.rows(|relation| relation.kind == Kind::Stream)),
            "sources" => sources(&self.rows(Relation::is_source)),
            "sinks" => sinks(&self.rows(|relation| relation.kind == Kind::Sink)),
            "watermarks" => watermarks(&self.rows(|relation| relation.watermark.is_some())),
            "errors" => self.errors(),
            "settings" => self.settings(),
            "topologies" => topology_tables::topologies(&self.topologies),
            "topology_tasks" => topology_tables::tasks(&self.topologies),
            "topology_errors" => topology_tables::errors(&self.topologies),
            _ => return None,
        })
    }

    fn relations(&self) -> Result<RecordBatch> {
        let rows = self.rows(|_| true);
        table(vec![
            ("id", number(&rows, |relation, _| Some(i64::from(relation.id.0)))),
            ("name", name(&rows)),
            ("kind", text(&rows, |relation, _| Some(relation.kind.word().to_owned()))),
            ("rows_changed", number(&rows, |relation, stats| relation.is_run().then(|| signed(stats.rows)))),
            ("state_bytes", number(&rows, |relation, stats| relation.is_run().then(|| signed(stats.state_bytes)))),
            ("error", text(&rows, |_, stats| stats.error.clone())),
        ])
    }

    fn errors(&self) -> Result<RecordBatch> {
        let errors = self.engine.recent_errors();
        let snapshot = self.catalog.snapshot();
        let strings = |value: &dyn Fn(&monsoon_batch::ErrorRow) -> Option<String>| -> ArrayRef {
            Arc::new(errors.iter().map(value).collect::<StringArray>())
        };
        table(vec![
            ("relation", strings(&|error| snapshot.by_id(error.relation).map(|relation| relation.name.clone()))),
            ("at", Arc::new(errors.iter().map(|error| Some(error.at_us)).collect::<TimestampMicrosecondArray>())),
            ("what", strings(&|error| Some(error.what.clone()))),
            ("reason", strings(&|error| Some(error.reason.clone()))),
            ("row", strings(&|error| Some(error.row.clone()))),
        ])
    }

    fn settings(&self) -> Result<RecordBatch> {
        let settings = self.facts.settings();
        let column = |value: fn(&crate::function::Setting) -> &String| -> ArrayRef {
            Arc::new(settings.iter().map(|setting| Some(value(setting))).collect::<StringArray>())
        };
        table(vec![
            ("name", column(|setting| &setting.name)),
            ("value", column(|setting| &setting.value)),
            ("default_value", column(|setting| &setting.default)),
            ("description", column(|setting| &setting.description)),
        ])
    }
}

type Rows = [(Arc<Relation>, RelationStats)];

fn streams(rows: &Rows) -> Result<RecordBatch> {
    table(vec![
        ("name", name(rows)),
        ("connector", text(rows, |relation, _| option(relation, "connector"))),
        ("rows", number(rows, |_, stats| Some(signed(stats.rows)))),
        ("late_rows", number(rows, |_, stats| Some(signed(stats.late)))),
    ])
}

fn sources(rows: &Rows) -> Result<RecordBatch> {
    table(vec![
        ("name", name(rows)),
        ("connector", text(rows, |relation, _| option(relation, "connector"))),
        ("rows", number(rows, |_, stats| Some(signed(stats.rows)))),
        ("bad_records", number(rows, |_, stats| Some(signed(stats.bad_records)))),
        ("position", text(rows, |_, stats| stats.position.clone())),
        ("error", text(rows, |_, stats| stats.error.clone())),
    ])
}

fn sinks(rows: &Rows) -> Result<RecordBatch> {
    table(vec![
        ("name", name(rows)),
        ("connector", text(rows, |relation, _| option(relation, "connector"))),
        ("rows", number(rows, |_, stats| Some(signed(stats.rows)))),
        ("error", text(rows, |_, stats| stats.error.clone())),
    ])
}

fn watermarks(rows: &Rows) -> Result<RecordBatch> {
    let values: TimestampMicrosecondArray = rows.iter().map(|(_, stats)| stats.watermark_us).collect();
    table(vec![
        ("stream", name(rows)),
        ("watermark", Arc::new(values)),
        ("late_rows", number(rows, |_, stats| Some(signed(stats.late)))),
    ])
}

fn name(rows: &Rows) -> ArrayRef {
    text(rows, |relation, _| Some(relation.name.clone()))
}

fn text(rows: &Rows, value: impl Fn(&Relation, &RelationStats) -> Option<String>) -> ArrayRef {
    Arc::new(rows.iter().map(|(relation, stats)| value(relation, stats)).collect::<StringArray>())
}

fn number(rows: &Rows, value: impl Fn(&Relation, &RelationStats) -> Option<i64>) -> ArrayRef {
    Arc::new(rows.iter().map(|(relation, stats)| value(relation, stats)).collect::<Int64Array>())
}

fn option(relation: &Relation, name: &str) -> Option<String> {
    relation.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn table(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let field = |(name, array): &(&str, ArrayRef)| {
        let data_type = match array.data_type() {
            DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, None),
            other => other.clone(),
        };
        Field::new(*name, data_type, true)
    };
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    Ok(RecordBatch::try_new(Arc::new(schema), arrays)?)
}

impl std::fmt::Debug for SystemSchema {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SystemSchema")
    }
}

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        TABLES.map(str::to_owned).to_vec()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(batch) = self.batch(name) else { return Ok(None) };
        let batch = batch?;
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]])?;
        Ok(Some(Arc::new(table)))
    }

    fn table_exist(&self, name: &str) -> bool {
        TABLES.contains(&name)
    }
}
