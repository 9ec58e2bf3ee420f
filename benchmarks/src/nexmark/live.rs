//! The live side: the query as a sink, batch by batch, with commits to RocksDB at default settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use datafusion::common::DFSchema;
use datafusion::prelude::{col, lit};
use datafusion::scalar::ScalarValue;
use monsoon_batch::{Engine, EngineConfig, RelationKind, RelationSpec, Watermark};
use monsoon_circuit::{Operator, RelationId};
use monsoon_connectors::{BlackholeSink, Sink, Source};
use monsoon_state::{RocksOptions, RocksStore};

use super::data::{Events, Preloaded, TABLES};
use super::plan::{TIME_COLUMNS, circuit, relation_id, session};
use super::query::Query;
use super::{Options, Report};
use crate::process::{cpu_s, peak_rss_mb, reset_peak_memory};

/// How far the watermark stays behind the newest event, as in the official definition.
const WATERMARK_DELAY_MS: i64 = 4_000;
/// The sink's number.
const SINK: RelationId = RelationId(100);

/// Runs a query live over all events.
pub(crate) async fn run(query: &Query, data: &Events, options: &Options) -> Result<Report> {
    let directory = options.data.join(query.name);
    std::fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
    let report = run_in(&directory, query, data, options).await;
    remove(&directory).await?;
    report
}

/// Removes a directory whose store is being closed by the engine's last threads.
async fn remove(directory: &std::path::Path) -> Result<()> {
    let mut tries = 0;
    loop {
        match std::fs::remove_dir_all(directory) {
            Ok(()) => return Ok(()),
            Err(_) if tries < 100 => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => return Err(error).with_context(|| format!("removing {}", directory.display())),
        }
        tries += 1;
    }
}

async fn run_in(directory: &std::path::Path, query: &Query, data: &Events, options: &Options) -> Result<Report> {
    let store = Arc::new(RocksStore::open(directory, RocksOptions::default())?);
    let memory_limit_bytes = 16 << 30;
    let config = EngineConfig { tasks: options.tasks, memory_limit_bytes, ..EngineConfig::default() };
    let engine = Engine::open(store, config)?;
    let plan = circuit(data, query).await?;
    let used = plan.nodes.iter().filter_map(|node| match node.operator {
        Operator::Input { relation, .. } => Some(relation),
        _ => None,
    });
    let used: std::collections::BTreeSet<RelationId> = used.collect();
    let ended = Arc::new(AtomicUsize::new(0));
    for place in (0..TABLES.len()).filter(|&place| used.contains(&relation_id(place))) {
        engine.create(source(data, place, &ended)?, Vec::new()).await?;
    }
    let rows = Arc::new(AtomicU64::new(0));
    let schema = plan.nodes.last().map(|node| node.schema.clone()).ok_or_else(|| anyhow!("empty plan"))?;
    let open = {
        let rows = rows.clone();
        Arc::new(move || {
            let sink = BlackholeSink::default();
            Ok(Box::new(Counting { sink, rows: rows.clone() }) as Box<dyn Sink>)
        })
    };
    let kind = RelationKind::Sink { plan, open };
    engine.create(RelationSpec { id: SINK, name: query.name.to_owned(), schema, kind }, Vec::new()).await?;

    reset_peak_memory();
    let (started, cpu_before) = (Instant::now(), cpu_s());
    engine.start().await?;
    while ended.load(Ordering::Acquire) < used.len() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    engine.flush().await?;
    let (wall, cpu) = (started.elapsed().as_secs_f64(), (cpu_s() - cpu_before).max(0.005));
    let mut latencies = engine.latencies_us();
    latencies.sort_unstable();
    let at =
        |share: f64| latencies.get(((latencies.len() as f64 - 1.0) * share) as usize).map(|&us| us as f64 / 1000.0);
    let bytes_written = Some(engine.bytes_written());
    let peak_rss_mb = peak_rss_mb();
    engine.stop().await?;
    let report = Report {
        query: query.name.to_owned(),
        engine: "monsoon",
        events: data.count,
        tasks: options.tasks,
        events_per_s: data.count as f64 / wall,
        events_per_cpu_s: data.count as f64 / cpu,
        cpu_s: cpu,
        ratio_to_datafusion: None,
        batch_p50_ms: at(0.5),
        batch_p99_ms: at(0.99),
        peak_rss_mb,
        bytes_written,
        rows_out: rows.load(Ordering::Relaxed),
    };
    Ok(report)
}

fn source(data: &Events, place: usize, ended: &Arc<AtomicUsize>) -> Result<RelationSpec> {
    let schema = data.schema(place);
    let batches = data.table(place).clone();
    let ended = ended.clone();
    let finished: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
        ended.fetch_add(1, Ordering::Release);
    });
    let open = Arc::new(move || Ok(Box::new(Preloaded::new(batches.clone(), finished.clone())) as Box<dyn Source>));
    let name = TABLES[place].0.to_owned();
    let delay = lit(ScalarValue::new_interval_mdn(0, 0, WATERMARK_DELAY_MS * 1_000_000));
    let behind = col(TIME_COLUMNS[place]) - delay;
    let expression = session(data, 0)?.state().create_physical_expr(behind, &DFSchema::try_from(schema.clone())?)?;
    let watermark = Some(Watermark { column: schema.index_of(TIME_COLUMNS[place])?, expression });
    Ok(RelationSpec { id: relation_id(place), name, schema, kind: RelationKind::Source { open, watermark } })
}

/// A blackhole that counts.
struct Counting {
    sink: BlackholeSink,
    rows: Arc<AtomicU64>,
}

impl Sink for Counting {
    fn guarantee(&self) -> monsoon_connectors::Guarantee {
        self.sink.guarantee()
    }

    fn needs_replay(&self) -> bool {
        self.sink.needs_replay()
    }

    fn publish(&mut self, txid: u64, changes: &[monsoon_connectors::Change]) -> monsoon_connectors::Result<()> {
        self.rows.fetch_add(changes.iter().map(|change| change.rows.num_rows() as u64).sum(), Ordering::Relaxed);
        self.sink.publish(txid, changes)
    }
}
