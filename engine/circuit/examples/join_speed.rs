//! Rows per second of the join and the top-n over rows as long as Nexmark's bids.
//!
//! `cargo run --release -p monsoon-circuit --example join_speed -- [BIDS] [BATCH_ROWS]`: bids in batches, each with its
//! share of the auctions, half of them for a few hot auctions. Prints one line per operator; only the operator's own time counts:
//! CPU time where the system tells it (Linux), so that a busy machine doesn't matter, else wall time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{SortOptions, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::JoinType;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use monsoon_circuit::{Delta, JoinOperator, JoinPlan, Operate, Result, Step, TopNOperator, TopNPlan, WeightedBatch};

/// Bids per auction on average.
const BIDS_PER_AUCTION: usize = 15;

/// A stream of bids and auctions (splitmix64).
struct Source {
    state: u64,
    bids: usize,
    auctions: usize,
}

impl Source {
    fn random(&mut self, bound: usize) -> i64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as i64
    }

    fn auction(&mut self) -> i64 {
        let latest = self.auctions.max(1);
        if self.random(2) == 0 {
            (latest / 100 * 100) as i64
        } else {
            (latest as i64 - self.random(1000.min(latest))).max(0)
        }
    }

    fn bids(&mut self, rows: usize) -> RecordBatch {
        let mut numbers: Vec<Vec<i64>> = vec![Vec::with_capacity(rows); 6];
        for row in 0..rows {
            let values =
                [self.auction(), self.random(200_000), self.random(100_000_000), (self.bids + row) as i64 / 10, 1, 2];
            numbers.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        }
        self.bids += rows;
        let text = |length: usize| -> ArrayRef {
            Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("{row:0length$}"))))
        };
        let mut columns: Vec<ArrayRef> =
            numbers.into_iter().map(|column| Arc::new(Int64Array::from(column)) as ArrayRef).collect();
        columns.extend([text(12), text(50), text(60), text(10)]);
        RecordBatch::try_new(bid_schema(), columns).expect("columns fit the schema")
    }

    fn auctions(&mut self, rows: usize) -> RecordBatch {
        let first = self.auctions as i64;
        self.auctions += rows;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(first..first + rows as i64)),
            Arc::new(Int64Array::from_iter_values((0..rows as i64).map(|row| row % 10))),
            Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("{row:080}")))),
        ];
        RecordBatch::try_new(auction_schema(), columns).expect("columns fit the schema")
    }
}

fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(
        columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect::<Vec<_>>(),
    ))
}

fn bid_schema() -> SchemaRef {
    let numbers = ["auction", "bidder", "price", "date_time", "a", "b"].map(|name| (name, DataType::Int64));
    let texts = ["channel", "url", "extra", "c"].map(|name| (name, DataType::Utf8));
    schema(&[&numbers[..], &texts[..]].concat())
}

fn auction_schema() -> SchemaRef {
    schema(&[("id", DataType::Int64), ("category", DataType::Int64), ("item", DataType::Utf8)])
}

fn column(name: &str, place: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new(name, place))
}

/// Nanoseconds this thread has worked, or that have passed.
fn clock(origin: Instant) -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let worked = told.as_deref().and_then(|told| told.split(' ').next()).and_then(|worked| worked.parse().ok());
    worked.unwrap_or_else(|| origin.elapsed().as_nanos() as u64)
}

/// What an operator reads beside the bids.
#[derive(Clone, Copy, PartialEq)]
enum Auctions {
    None,
    All,
    /// One category in ten (q20).
    Tenth,
}

/// Feeds all bids, and auctions to operators with two inputs.
fn run(name: &str, operator: &mut dyn Operate, kind: Auctions, bids: usize, batch_rows: usize) -> Result<()> {
    let mut source = Source { state: 7, bids: 0, auctions: 0 };
    let watermarks = HashMap::new();
    let (origin, mut spent, mut emitted) = (Instant::now(), 0, 0);
    while source.bids < bids {
        let auctions = source.auctions(batch_rows.div_ceil(BIDS_PER_AUCTION));
        let mut inputs = vec![Delta::of(WeightedBatch::inserted(source.bids(batch_rows)))];
        match kind {
            Auctions::None => {}
            Auctions::All => inputs.push(Delta::of(WeightedBatch::inserted(auctions))),
            Auctions::Tenth => {
                let tenth = eq(auctions.column(1), &Int64Array::new_scalar(3))?;
                inputs.push(Delta::of(WeightedBatch::inserted(filter_record_batch(&auctions, &tenth)?)));
            }
        }
        let mut step = Step { watermarks: &watermarks, owns_keyless: true, changes: Vec::new(), errors: Vec::new() };
        let start = clock(origin);
        let out = operator.step(inputs, &mut step)?;
        spent += clock(origin) - start;
        emitted += out.len();
    }
    let seconds = spent as f64 / 1e9;
    println!(
        "{name}: {bids} bids, {emitted} rows out, {seconds:.2} s, {:.0} bids/s, {:.3} us per bid, {} MB of state",
        bids as f64 / seconds,
        seconds * 1e6 / bids as f64,
        operator.memory() >> 20
    );
    Ok(())
}

fn join(output: &SchemaRef, append_only: bool) -> Result<JoinOperator> {
    let plan = JoinPlan {
        join_type: JoinType::Inner,
        on: vec![(column("auction", 0), column("id", 0))],
        filter: None,
        null_equals_null: false,
        null_aware: false,
        window: None,
    };
    JoinOperator::new(&plan, bid_schema(), auction_schema(), output.clone(), [append_only; 2])
}

fn top(partition: &[usize], order: &[(usize, bool)], limit: usize) -> Result<TopNOperator> {
    let schema = bid_schema();
    let column = |place: usize| column(schema.field(place).name(), place);
    let sort = |&(place, descending): &(usize, bool)| {
        PhysicalSortExpr::new(column(place), SortOptions { descending, nulls_first: descending })
    };
    let plan = TopNPlan {
        partition: partition.iter().map(|&place| column(place)).collect(),
        order: order.iter().map(sort).collect(),
        offset: 0,
        limit,
        with_rank: false,
        window: None,
    };
    TopNOperator::new(&plan, schema.clone(), schema.clone(), true)
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let bids = arguments.next().unwrap_or(10_000_000);
    let batch_rows = arguments.next().unwrap_or(10_000);
    let output: SchemaRef =
        Arc::new(Schema::new([bid_schema().fields().to_vec(), auction_schema().fields().to_vec()].concat()));
    run("inner join, append-only", &mut join(&output, true)?, Auctions::All, bids, batch_rows)?;
    run("inner join, one auction in ten (q20)", &mut join(&output, true)?, Auctions::Tenth, bids, batch_rows)?;
    run("inner join, general", &mut join(&output, false)?, Auctions::All, bids / 10, batch_rows)?;
    run("top 1 by auction (q9)", &mut top(&[0], &[(2, true), (3, false)], 1)?, Auctions::None, bids, batch_rows)?;
    run("top 1 by bidder and auction (q18)", &mut top(&[1, 0], &[(3, true)], 1)?, Auctions::None, bids, batch_rows)?;
    run("top 10 by auction (q19)", &mut top(&[0], &[(2, true)], 10)?, Auctions::None, bids, batch_rows)?;
    Ok(())
}
