//! The invariant, checked: after every batch a lowered circuit holds what DataFusion gives for the same query over all input
//! so far. Batches are random; a failure tells its seed, and `ORACLE_SEED=n` repeats it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use monsoon_circuit::{Circuit, Delta, RelationId, SingleTask, WeightedBatch};

use super::{EMIT, Relations, cases, lowered};
use crate::parser::parse_query;
use crate::window_function::rewrite_query;

/// The seeds of a plain run; `ORACLE_SEED=n cargo test -p monsoon-sql oracle` runs another one.
const SEEDS: [u64; 3] = [1, 77, 20_260];
const BATCHES: usize = 6;
/// Which rows these pick depends on more than the query says.
const UNDETERMINED: [&str; 2] = ["limit without order", "aggregates that see the order of rows"];

type Row = Vec<ScalarValue>;

/// A small generator of our own, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn text(&mut self, of: &[&str]) -> ScalarValue {
        let place = self.next(of.len() as u64 + 1) as usize;
        ScalarValue::Utf8(of.get(place).map(|text| (*text).to_owned()))
    }

    fn int(&mut self, below: u64) -> ScalarValue {
        let value = self.next(below + 1);
        ScalarValue::Int64((value < below).then_some(value as i64))
    }
}

/// All input so far, and how it grows.
struct World {
    random: Random,
    clock: i64,
    auctions: i64,
    rows: BTreeMap<RelationId, Vec<Row>>,
}

impl World {
    fn new(seed: u64) -> World {
        World { random: Random(seed), clock: 0, auctions: 0, rows: BTreeMap::new() }
    }

    /// A number that never comes twice, in no particular order.
    fn unique(&mut self) -> i64 {
        self.clock += 1;
        self.clock * 7919 % 100_003
    }

    fn moment(&mut self) -> ScalarValue {
        self.clock += 1;
        ScalarValue::TimestampMicrosecond(Some(1_600_000_000_000_000 + self.clock * 377_001), None)
    }

    fn row(&mut self, relation: &str) -> Row {
        let text = |random: &mut Random| random.text(&["ccx", "y", "z"]);
        match relation {
            "person" => {
                let (id, moment) = (self.random.int(30), self.moment());
                let random = &mut self.random;
                let state = random.text(&["OR", "ID", "CA", "NY"]);
                vec![id, text(random), text(random), text(random), text(random), state, moment, text(random)]
            }
            "auction" => {
                // Auctions have ids of their own, or a bid on two of them would be a tie.
                self.auctions += 1;
                let (id, moment) = (ScalarValue::Int64(Some(self.auctions)), self.moment());
                let expires = match &moment {
                    ScalarValue::TimestampMicrosecond(Some(at), zone) => {
                        ScalarValue::TimestampMicrosecond(Some(at + 9_000_000), zone.clone())
                    }
                    other => other.clone(),
                };
                let random = &mut self.random;
                let category = ScalarValue::Int64(Some(9 + random.next(3) as i64));
                vec![
                    id,
                    text(random),
                    text(random),
                    random.int(9),
                    random.int(9),
                    moment,
                    expires,
                    random.int(30),
                    category,
                    text(random),
                ]
            }
            "bid" => {
                let (price, moment) = (self.unique(), self.moment());
                let random = &mut self.random;
                let channel = random.text(&["apple", "Google", "other"]);
                let url = random.text(&["https://a/b/c/d/e?x=1&channel_id=77", "https://a/b", "channel_id=5"]);
                let price = ScalarValue::Int64(Some(price * 37));
                vec![random.int(40), random.int(8), price, channel, url, moment, text(random)]
            }
            "users" => {
                let age = ScalarValue::Int32(Some((self.unique() % 1_000) as i32).filter(|age| age % 9 != 0));
                let random = &mut self.random;
                let tags: Vec<ScalarValue> = (0..random.next(3)).map(|_| random.text(&["a", "b"])).collect();
                let tags = ScalarValue::List(ScalarValue::new_list_nullable(&tags, &DataType::Utf8));
                vec![ScalarValue::Int64(Some(random.next(12) as i64)), random.text(&["ann", "bob"]), age, tags]
            }
            _ => {
                let amount = ScalarValue::Float64(Some((self.unique() % 5_000) as f64));
                vec![self.random.int(12), self.random.text(&["x", "X", "pen"]), amount]
            }
        }
    }

    /// One batch of changes of a relation: rows with weights.
    fn change(&mut self, name: &str, id: RelationId, append_only: bool) -> Vec<(Row, i64)> {
        let mut changes = Vec::new();
        for _ in 0..self.random.next(25) {
            let have = self.rows.entry(id).or_default().len() as u64;
            if !append_only && have > 0 && self.random.next(3) == 0 {
                let place = self.random.next(have) as usize;
                let gone = self.rows.entry(id).or_default().swap_remove(place);
                changes.push((gone, -1));
                continue;
            }
            let row = self.row(name);
            let rows = self.rows.entry(id).or_default();
            if name == "users"
                && let Some(place) = rows.iter().position(|old| old[0] == row[0])
            {
                changes.push((rows.swap_remove(place), -1));
            }
            rows.push(row.clone());
            changes.push((row, 1));
        }
        changes
    }
}

fn batch(schema: &SchemaRef, rows: &[Row]) -> RecordBatch {
    if rows.is_empty() {
        return RecordBatch::new_empty(schema.clone());
    }
    let columns = (0..schema.fields().len()).map(|column| {
        let values = rows.iter().map(|row| row[column].clone());
        ScalarValue::iter_to_array(values).expect("values of one type")
    });
    RecordBatch::try_new(schema.clone(), columns.collect()).expect("rows of the schema")
}

/// The rows of a batch as text, types included.
fn texts(rows: &RecordBatch) -> Vec<String> {
    let row = |place: usize| -> String {
        let values = rows.columns().iter().map(|column| ScalarValue::try_from_array(column, place).expect("a value"));
        values.map(|value| format!("{value:?}")).collect::<Vec<_>>().join(" | ")
    };
    (0..rows.num_rows()).map(row).collect()
}

fn add(content: &mut BTreeMap<String, i64>, delta: &Delta) {
    for piece in &delta.batches {
        for (place, row) in texts(&piece.rows).into_iter().enumerate() {
            let count = content.entry(row).or_insert(0);
            *count += piece.weight(place);
        }
    }
    content.retain(|_, count| *count != 0);
}

/// What DataFusion, set up as for any query, gives.
fn expected(relations: &Relations, world: &World, sql: &str) -> BTreeMap<String, i64> {
    let mut config = SessionConfig::new().with_target_partitions(1);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let context = SessionContext::new_with_config(config);
    for (name, info) in &relations.0 {
        let rows = world.rows.get(&info.id).map_or(&[][..], Vec::as_slice);
        let table = MemTable::try_new(info.schema.clone(), vec![vec![batch(&info.schema, rows)]]).expect("a table");
        context.register_table(name.as_str(), Arc::new(table)).expect("a fresh catalog");
    }
    let mut state = context.state();
    crate::function::register_pure(&mut state).expect("a fresh session");
    let mut query = parse_query(sql).expect("a query");
    rewrite_query(&mut query, sql, 0).expect("a query");
    let statement = Statement::Statement(Box::new(ast::Statement::Query(query)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let batches = runtime.block_on(async {
        let plan = state.statement_to_plan(statement).await?;
        DataFrame::new(state, plan).collect().await
    });
    let mut content = BTreeMap::new();
    for rows in batches.expect("an answer") {
        add(&mut content, &Delta::of(WeightedBatch::inserted(rows)));
    }
    content
}

/// One circuit at work.
struct Run<'a> {
    relations: &'a Relations,
    world: World,
    circuit: Circuit,
    content: BTreeMap<String, i64>,
    watermarks: HashMap<RelationId, i64>,
}

impl Run<'_> {
    fn step(&mut self, with_input: bool) {
        let mut deltas: HashMap<RelationId, Delta> = HashMap::new();
        let mut infos: Vec<_> = self.relations.0.iter().collect();
        infos.sort_by_key(|(_, info)| info.id);
        let moments_before = self.world.clock;
        for (name, info) in infos.into_iter().filter(|_| with_input) {
            let (rows, weights): (Vec<Row>, Vec<i64>) =
                self.world.change(name, info.id, info.append_only).into_iter().unzip();
            let weights = (!info.append_only).then(|| Int64Array::from(weights));
            deltas.insert(info.id, Delta::of(WeightedBatch { rows: batch(&info.schema, &rows), weights }));
        }
        let mut input = |id: RelationId| deltas.get(&id).cloned().unwrap_or_default();
        let output = self.circuit.step(&mut input, &mut SingleTask, &self.watermarks).expect("a step");
        assert!(output.errors.is_empty(), "{:?}", output.errors);
        add(&mut self.content, &output.delta);
        // The next batch's moments are all later than those up to here, whose clock stood at most here.
        let passed = 1_600_000_000_000_000 + moments_before * 377_001;
        for id in [1, 2, 3] {
            self.watermarks.insert(RelationId(id), passed);
        }
    }
}

fn seeds() -> Vec<u64> {
    match std::env::var("ORACLE_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => vec![seed],
        None => SEEDS.to_vec(),
    }
}

fn check(file: &str) {
    let relations = Relations::new();
    let mut filled = 0;
    for (title, sql) in cases(file) {
        if UNDETERMINED.contains(&title.as_str()) || lowered(&relations, &sql).is_err() {
            continue;
        }
        filled += seeds().into_iter().filter(|&seed| check_query(&relations, &title, &sql, seed) > 0).count();
    }
    assert!(filled > 10, "hardly any query has an answer: {filled}");
}

/// Compares after every batch; returns how many rows there were at the end.
fn check_query(relations: &Relations, title: &str, sql: &str, seed: u64) -> usize {
    let plan = lowered(relations, sql).expect("it was lowered before").plan;
    let grows = |id: RelationId| relations.label(id).append_only;
    let circuit = Circuit::new(&plan, 1, &grows).unwrap_or_else(|error| panic!("{title}: {error}"));
    let (plain, emits) = sql.strip_suffix(EMIT).map_or((sql, false), |plain| (plain, true));
    let (content, watermarks) = (BTreeMap::new(), HashMap::new());
    let mut run = Run { relations, world: World::new(seed), circuit, content, watermarks };
    for number in 0..BATCHES {
        run.step(true);
        if !emits {
            let expected = expected(relations, &run.world, plain);
            assert_eq!(run.content, expected, "{title}, batch {number}, seed {seed}: circuit and DataFusion differ");
        }
        unique_keys(&plan.key, &run.content, title);
    }
    if emits {
        run.watermarks.values_mut().for_each(|watermark| *watermark = i64::MAX / 2);
        (0..3).for_each(|_| run.close());
        assert_eq!(run.content, expected(relations, &run.world, plain), "{title}, closed, seed {seed}");
    }
    run.content.len()
}

impl Run<'_> {
    /// A batch without input, past the end of time.
    fn close(&mut self) {
        let watermarks = self.watermarks.clone();
        self.step(false);
        self.watermarks = watermarks;
    }
}

fn unique_keys(key: &[usize], content: &BTreeMap<String, i64>, title: &str) {
    assert!(content.values().all(|count| *count > 0), "{title}: a row with a negative count: {content:?}");
    if key.is_empty() {
        return;
    }
    let mut seen = HashMap::new();
    for (row, count) in content {
        let values: Vec<&str> = row.split(" | ").collect();
        let key: Vec<&str> = key.iter().map(|&column| values[column]).collect();
        let before = seen.insert(key.join(" | "), row);
        assert!(*count == 1 && before.is_none(), "{title}: not unique: {row} ({count} times), {before:?}");
    }
}

#[test]
fn clauses_agree_with_datafusion_after_every_batch() {
    check("clauses.plans");
}

#[test]
fn nexmark_queries_agree_with_datafusion_after_every_batch() {
    check("nexmark.plans");
}

#[test]
fn windows_agree_with_datafusion_and_emit_everything_once() {
    check("windows.plans");
}
