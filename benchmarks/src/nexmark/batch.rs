//! The batch side: DataFusion over all events at once.

use std::time::Instant;

use anyhow::Result;
use datafusion::physical_plan::execute_stream_partitioned;
use futures::StreamExt;

use super::data::Events;
use super::plan::{logical, session};
use super::query::Query;
use super::{Options, Report};
use crate::process::{cpu_s, peak_rss_mb, reset_peak_memory};

/// Runs a query to its end, dropping the result batch by batch.
pub(crate) async fn run(query: &Query, data: &Events, options: &Options) -> Result<Report> {
    let context = session(data, options.tasks)?;
    reset_peak_memory();
    let (started, cpu_before) = (Instant::now(), cpu_s());
    let plan = logical(&context, query).await?;
    let physical = context.state().create_physical_plan(&plan).await?;
    let streams = execute_stream_partitioned(physical, context.task_ctx())?;
    let readers = streams.into_iter().map(|mut stream| {
        tokio::spawn(async move {
            let mut rows = 0;
            while let Some(batch) = stream.next().await {
                rows += batch?.num_rows() as u64;
            }
            anyhow::Ok(rows)
        })
    });
    let mut rows_out = 0;
    for reader in readers.collect::<Vec<_>>() {
        rows_out += reader.await??;
    }
    let (wall, cpu) = (started.elapsed().as_secs_f64(), (cpu_s() - cpu_before).max(0.005));
    Ok(Report {
        query: query.name.to_owned(),
        engine: "datafusion",
        events: data.count,
        tasks: options.tasks,
        events_per_s: data.count as f64 / wall,
        events_per_cpu_s: data.count as f64 / cpu,
        cpu_s: cpu,
        ratio_to_datafusion: None,
        batch_p50_ms: None,
        batch_p99_ms: None,
        peak_rss_mb: peak_rss_mb(),
        bytes_written: None,
        rows_out,
    })
}
