//! The engine over a model store: what is acknowledged, read, told to subscribers, and found again after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use futures::StreamExt;
use monsoon_circuit::{AggregatePlan, CircuitPlan, Node, Operator, RelationId, WeightedBatch};
use monsoon_connectors::{Position, Read, Source};
use monsoon_state::{Error as StateError, ModelStore, StateStore};

use super::*;

const TABLE: RelationId = RelationId(1);
const STREAM: RelationId = RelationId(2);
const SOURCE: RelationId = RelationId(3);
/// After what it reads, as every relation.
const VIEW: RelationId = RelationId(4);

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("v", DataType::Int64, true)]))
}

fn rows(pairs: &[(i64, i64)]) -> RecordBatch {
    let column =
        |value: fn(&(i64, i64)) -> i64| Arc::new(Int64Array::from_iter_values(pairs.iter().map(value))) as ArrayRef;
    RecordBatch::try_new(schema(), vec![column(|pair| pair.0), column(|pair| pair.1)]).expect("two columns")
}

fn insert(relation: RelationId, pairs: &[(i64, i64)]) -> Vec<Change> {
    vec![Change { relation, batches: vec![WeightedBatch::inserted(rows(pairs))] }]
}

fn delete(relation: RelationId, pairs: &[(i64, i64)]) -> Vec<Change> {
    vec![Change { relation, batches: vec![WeightedBatch::constant(rows(pairs), -1)] }]
}

fn table() -> RelationSpec {
    RelationSpec { id: TABLE, name: "t".into(), schema: schema(), kind: RelationKind::Table { key: vec![0] } }
}

fn stream() -> RelationSpec {
    RelationSpec { id: STREAM, name: "s".into(), schema: schema(), kind: RelationKind::Stream { watermark: None } }
}

/// The distinct rows of the stream, or of the source.
fn distinct_of(input: RelationId) -> RelationSpec {
    let column = |place: usize| {
        let name = schema().field(place).name().clone();
        Arc::new(datafusion::physical_expr::expressions::Column::new(&name, place)) as _
    };
    let group = AggregatePlan { group: vec![column(0), column(1)], aggregates: Vec::new(), window: None };
    let read = Operator::Input { relation: input, projection: None };
    let nodes = vec![
        Node { operator: read, inputs: Vec::new(), schema: schema() },
        Node { operator: Operator::Aggregate(group), inputs: vec![0], schema: schema() },
    ];
    let kind = RelationKind::View { plan: CircuitPlan { nodes, key: vec![0, 1] }, ephemeral: false };
    RelationSpec { id: VIEW, name: "v".into(), schema: schema(), kind }
}

/// Gives the numbers from 0 up to a bound, three at a time, and then waits for ever.
struct Numbers {
    next: i64,
    end: i64,
}

impl Source for Numbers {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn position(&self) -> Position {
        Position(self.next.into())
    }

    fn seek(&mut self, position: &Position) -> monsoon_connectors::Result<()> {
        self.next = position.0.as_i64().unwrap_or(0);
        Ok(())
    }

    fn read(&mut self, rows_max: usize) -> monsoon_connectors::Result<Read> {
        if self.next == self.end {
            return Ok(Read::Idle(std::time::Duration::from_millis(1)));
        }
        let end = self.end.min(self.next + 3.min(rows_max as i64));
        let pairs: Vec<(i64, i64)> = (self.next..end).map(|number| (number, 0)).collect();
        self.next = end;
        Ok(Read::Rows { rows: rows(&pairs), next: self.position(), bad: Vec::new() })
    }
}

fn source(end: i64) -> RelationSpec {
    let open = Arc::new(move || Ok(Box::new(Numbers { next: 0, end }) as Box<dyn Source>));
    RelationSpec {
        id: SOURCE,
        name: "n".into(),
        schema: schema(),
        kind: RelationKind::Source { open, watermark: None },
    }
}

fn open(store: &Arc<ModelStore>, tasks: usize) -> Engine {
    let config = EngineConfig { tasks, ..EngineConfig::default() };
    Engine::open(Arc::clone(store) as Arc<dyn StateStore>, config).expect("an engine")
}

async fn content(engine: &Engine, relation: RelationId) -> BTreeMap<i64, Vec<i64>> {
    let snapshot = engine.read(vec![ReadRequest { relation, keys: None }]).await.expect("a snapshot");
    let batches = match &snapshot.relations[&relation] {
        Rows::Batches(batches) => batches.clone(),
        Rows::Log(read) => read().map(|batch| batch.expect("a batch")).collect().await,
    };
    let mut content: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for batch in &batches {
        let [ids, values] = [0, 1].map(|place| batch.column(place).as_primitive::<Int64Type>());
        (0..batch.num_rows()).for_each(|row| content.entry(ids.value(row)).or_default().push(values.value(row)));
    }
    content
}

fn pairs(content: &BTreeMap<i64, Vec<i64>>) -> Vec<(i64, i64)> {
    content.iter().flat_map(|(id, values)| values.iter().map(|value| (*id, *value))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_keeps_the_last_row_of_a_key_also_after_a_restart_with_other_tasks() {
    let store = Arc::new(ModelStore::new());
    let engine = open(&store, 2);
    engine.create(table(), Vec::new()).await.expect("created");
    engine.start().await.expect("started");
    engine.write(insert(TABLE, &[(1, 10), (2, 20), (1, 11)])).await.expect("written");
    engine.write(delete(TABLE, &[(2, 0)])).await.expect("deleted by key");
    engine.write(insert(TABLE, &[(3, 30)])).await.expect("written");
    assert_eq!(pairs(&content(&engine, TABLE).await), [(1, 11), (3, 30)]);
    engine.stop().await.expect("stopped");
    for tasks in [1, 3] {
        let engine = open(&Arc::new(ModelStore::restore(&store.snapshot())), tasks);
        engine.restore(table()).await.expect("restored");
        engine.start().await.expect("started");
        assert_eq!(pairs(&content(&engine, TABLE).await), [(1, 11), (3, 30)]);
        engine.stop().await.expect("stopped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_over_rows_that_were_there_and_rows_that_come() {
    let store = Arc::new(ModelStore::new());
    let engine = open(&store, 2);
    engine.create(stream(), Vec::new()).await.expect("created");
    engine.write(insert(STREAM, &[(1, 1), (1, 1), (2, 2)])).await.expect("written");
    engine.create(distinct_of(STREAM), Vec::new()).await.expect("back-filled");
    engine.write(insert(STREAM, &[(2, 2), (3, 3)])).await.expect("written");
    assert_eq!(pairs(&content(&engine, VIEW).await), [(1, 1), (2, 2), (3, 3)]);
    assert_eq!(content(&engine, STREAM).await.values().map(Vec::len).sum::<usize>(), 5);
    let key = ReadRequest { relation: VIEW, keys: Some(vec![vec![2_i64.into(), 2_i64.into()]]) };
    let found = engine.read(vec![key]).await.expect("looked up");
    assert!(
        matches!(&found.relations[&VIEW], Rows::Batches(batches) if batches.iter().map(RecordBatch::num_rows).sum::<usize>() == 1)
    );
    engine.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_writes_are_refused_alone() {
    let engine = open(&Arc::new(ModelStore::new()), 1);
    engine.create(stream(), Vec::new()).await.expect("created");
    assert!(matches!(engine.write(delete(STREAM, &[(1, 1)])).await, Err(Error::Rejected(_))));
    assert!(matches!(engine.write(insert(TABLE, &[(1, 1)])).await, Err(Error::NoRelation(1))));
    engine.write(insert(STREAM, &[(1, 1)])).await.expect("the engine goes on");
    engine.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_goes_on_from_its_committed_position() {
    let store = Arc::new(ModelStore::new());
    let engine = open(&store, 2);
    engine.create(source(100), Vec::new()).await.expect("created");
    engine.create(distinct_of(SOURCE), Vec::new()).await.expect("created");
    engine.start().await.expect("started");
    let some = |engine: Engine, least: usize| async move {
        while content(&engine, VIEW).await.len() < least {
            tokio::task::yield_now().await;
        }
    };
    some(engine.clone(), 10).await;
    // What a crash leaves, at whatever commit it comes.
    let left = store.snapshot();
    engine.stop().await.expect("stopped");
    let engine = open(&Arc::new(ModelStore::restore(&left)), 1);
    engine.restore(source(100)).await.expect("restored");
    engine.restore(distinct_of(SOURCE)).await.expect("restored");
    engine.start().await.expect("started");
    some(engine.clone(), 100).await;
    let (view, all) = (content(&engine, VIEW).await, content(&engine, SOURCE).await);
    assert_eq!(view.len(), 100);
    assert!(all.len() == 100 && all.values().all(|values| values.len() == 1), "each number once: {all:?}");
    engine.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_a_write_waits_and_is_there_once() {
    let store = Arc::new(ModelStore::new());
    let engine = open(&store, 1);
    engine.create(stream(), Vec::new()).await.expect("created");
    store.fail_reopen(2);
    store.fail_next(StateError::DiskFull);
    engine.write(insert(STREAM, &[(1, 1)])).await.expect("acknowledged when there is room");
    store.fail_next_after_landing();
    engine.write(insert(STREAM, &[(2, 2)])).await.expect("acknowledged when there is room");
    assert_eq!(pairs(&content(&engine, STREAM).await), [(1, 1), (2, 2)]);
    engine.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_commit_is_told_and_nothing_is_acknowledged_after_it() {
    let store = Arc::new(ModelStore::new());
    let engine = open(&store, 1);
    engine.create(stream(), Vec::new()).await.expect("created");
    store.fail_next(StateError::Corrupt("a test".into()));
    assert!(matches!(engine.write(insert(STREAM, &[(1, 1)])).await, Err(Error::Stopped(_))));
    assert!(engine.failed().await.to_string().contains("a test"));
    assert!(engine.write(insert(STREAM, &[(2, 2)])).await.is_err());
    engine.stop().await.expect_err("it has failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_gets_a_snapshot_and_then_each_change_once() {
    let engine = open(&Arc::new(ModelStore::new()), 2);
    engine.create(table(), Vec::new()).await.expect("created");
    engine.write(insert(TABLE, &[(1, 1)])).await.expect("written");
    let options = SubscribeOptions { snapshot: true, progress: false, buffer_rows_max: 1_000 };
    let mut subscription = engine.subscribe(TABLE, options).await.expect("subscribed");
    engine.write(insert(TABLE, &[(1, 2)])).await.expect("written");
    let mut sum: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    let mut last = monsoon_state::TxId::default();
    while sum.get(&(1, 2)) != Some(&1) {
        let committed = subscription.changes.next().await.expect("more").expect("a change");
        assert!(committed.txid >= last);
        last = committed.txid;
        for batch in &committed.batches {
            let [ids, values] = [0, 1].map(|place| batch.rows.column(place).as_primitive::<Int64Type>());
            (0..batch.len())
                .for_each(|row| *sum.entry((ids.value(row), values.value(row))).or_default() += batch.weight(row));
        }
    }
    sum.retain(|_, weight| *weight != 0);
    assert_eq!(sum, BTreeMap::from([((1, 2), 1)]));
    engine.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_does_not_read_is_cut_off() {
    let engine = open(&Arc::new(ModelStore::new()), 1);
    engine.create(stream(), Vec::new()).await.expect("created");
    let options = SubscribeOptions { snapshot: false, progress: false, buffer_rows_max: 3 };
    let subscription = engine.subscribe(STREAM, options).await.expect("subscribed");
    for number in 0..10 {
        engine.write(insert(STREAM, &[(number, 0)])).await.expect("the engine doesn't wait for it");
    }
    let told: Vec<_> = subscription.changes.collect().await;
    assert!(matches!(told.last(), Some(Err(Error::SlowSubscriber { rows_max: 3 }))), "{told:?}");
    assert_eq!(told.len(), 4);
    engine.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_of_a_log_misses_nothing_when_its_chunks_are_folded_meanwhile() {
    let engine = open(&Arc::new(ModelStore::new()), 1);
    engine.create(stream(), Vec::new()).await.expect("created");
    for number in 0..20 {
        engine.write(insert(STREAM, &[(number, 0)])).await.expect("written");
    }
    let snapshot = engine.read(vec![ReadRequest { relation: STREAM, keys: None }]).await.expect("a snapshot");
    for number in 20..200 {
        engine.write(insert(STREAM, &[(number, 0)])).await.expect("written");
    }
    let Rows::Log(read) = &snapshot.relations[&STREAM] else { panic!("a stream is read from its log") };
    let batches: Vec<RecordBatch> = read().map(|batch| batch.expect("a batch")).collect().await;
    let mut ids: Vec<i64> =
        batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..20).collect::<Vec<_>>());
    drop(snapshot);
    assert_eq!(content(&engine, STREAM).await.len(), 200);
    engine.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_filled_while_others_go_on_and_has_every_row_once() {
    for tasks in [1, 2, 3] {
        let engine = open(&Arc::new(ModelStore::new()), tasks);
        engine.create(stream(), Vec::new()).await.expect("created");
        let many: Vec<(i64, i64)> = (0..200_000).map(|id| (id, 0)).collect();
        for piece in many.chunks(50_000) {
            engine.write(insert(STREAM, piece)).await.expect("written");
        }
        let filling = tokio::spawn({
            let engine = engine.clone();
            async move { engine.create(distinct_of(STREAM), Vec::new()).await }
        });
        let mut next = 200_000;
        while !filling.is_finished() {
            engine.write(insert(STREAM, &[(next, 0)])).await.expect("written meanwhile");
            next += 1;
        }
        filling.await.expect("no panic").expect("filled");
        engine.write(insert(STREAM, &[(next, 0)])).await.expect("written");
        let view = content(&engine, VIEW).await;
        assert_eq!(view.len() as i64, next + 1, "{tasks} tasks");
        assert!(view.values().all(|values| values.len() == 1));
        engine.stop().await.expect("stopped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_ends_the_filling_from_what_is_dropped() {
    let engine = open(&Arc::new(ModelStore::new()), 2);
    engine.create(stream(), Vec::new()).await.expect("created");
    let many: Vec<(i64, i64)> = (0..500_000).map(|id| (id, 0)).collect();
    engine.write(insert(STREAM, &many)).await.expect("written");
    engine.write(insert(STREAM, &many)).await.expect("written");
    let filling = engine.create(distinct_of(STREAM), Vec::new());
    let dropping = engine.drop_relations(vec![STREAM], Vec::new());
    let (filled, dropped) = futures::join!(filling, dropping);
    dropped.expect("dropped");
    // The drop may come first or last, never half-way.
    assert!(matches!(filled, Ok(_) | Err(Error::NoRelation(_))), "{filled:?}");
    engine.create(table(), Vec::new()).await.expect("the engine goes on");
    engine.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_waits_for_room_can_be_stopped() {
    let store = Arc::new(ModelStore::new());
    let engine = open(&store, 1);
    engine.create(stream(), Vec::new()).await.expect("created");
    store.fail_reopen(usize::MAX);
    store.fail_next(StateError::DiskFull);
    let (written, stopped) = futures::join!(engine.write(insert(STREAM, &[(1, 1)])), engine.stop());
    assert!(matches!(written, Err(Error::Stopped(_))), "not acknowledged: {written:?}");
    assert!(stopped.is_err());
    assert_eq!(store.last_txid(), monsoon_state::TxId(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_memory_limit_writes_are_refused_until_something_is_dropped() {
    let config = EngineConfig { tasks: 2, memory_limit_bytes: 8 << 20, ..EngineConfig::default() };
    let engine = Engine::open(Arc::new(ModelStore::new()), config).expect("an engine");
    engine.create(table(), Vec::new()).await.expect("created");
    let mut first = 0;
    let refused = loop {
        let piece: Vec<(i64, i64)> = (first..first + 2_000).map(|id| (id, id)).collect();
        first += 2_000;
        if let Err(error) = engine.write(insert(TABLE, &piece)).await {
            break error;
        }
        assert!(first < 10_000_000, "nothing is refused");
    };
    assert!(matches!(refused, Error::OutOfMemory { limit_mb: 8 }), "{refused}");
    engine.write(delete(TABLE, &[(0, 0)])).await.expect("rows may go");
    engine.drop_relations(vec![TABLE], Vec::new()).await.expect("dropped");
    engine.create(stream(), Vec::new()).await.expect("created");
    engine.write(insert(STREAM, &[(1, 1)])).await.expect("there is room again");
    engine.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_late_rows_is_read_again_without_them() {
    let store = Arc::new(ModelStore::new());
    let engine = open(&store, 2);
    let backwards = |end| {
        let open = Arc::new(move || Ok(Box::new(Zigzag(Numbers { next: 0, end })) as Box<dyn Source>));
        let column: Arc<dyn datafusion::physical_expr::PhysicalExpr> =
            Arc::new(datafusion::physical_expr::expressions::Column::new("id", 0));
        let watermark = Some(Watermark { column: 0, expression: column });
        RelationSpec { id: SOURCE, name: "z".into(), schema: schema(), kind: RelationKind::Source { open, watermark } }
    };
    engine.create(backwards(300), Vec::new()).await.expect("created");
    engine.create(distinct_of(SOURCE), Vec::new()).await.expect("created");
    engine.start().await.expect("started");
    // The newest row is never late, and by then all others have been looked at.
    while !content(&engine, VIEW).await.contains_key(&299) {
        tokio::task::yield_now().await;
    }
    let late = engine.stats(SOURCE).late;
    let (view, again) = (content(&engine, VIEW).await, content(&engine, SOURCE).await);
    assert!(late > 0, "every tenth number is far behind");
    assert_eq!(view.len() as u64 + late, 300);
    assert_eq!(view, again);
    engine.stop().await.expect("stopped");
}

/// The numbers, every tenth of them 50 less: behind what came before it.
struct Zigzag(Numbers);

impl Source for Zigzag {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn position(&self) -> Position {
        self.0.position()
    }

    fn seek(&mut self, position: &Position) -> monsoon_connectors::Result<()> {
        self.0.seek(position)
    }

    fn read(&mut self, rows_max: usize) -> monsoon_connectors::Result<Read> {
        let Read::Rows { rows: numbers, next, bad } = self.0.read(rows_max)? else {
            return Ok(Read::Idle(std::time::Duration::from_millis(1)));
        };
        let ids = numbers.column(0).as_primitive::<Int64Type>().values().iter();
        let pairs: Vec<(i64, i64)> = ids.map(|&id| (if id % 10 == 5 { id - 50 } else { id }, id)).collect();
        Ok(Read::Rows { rows: rows(&pairs), next, bad })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_reads_a_relation_twice_is_filled_with_all_of_it() {
    for (input, spec) in [(TABLE, table()), (STREAM, stream())] {
        let engine = open(&Arc::new(ModelStore::new()), 2);
        engine.create(spec, Vec::new()).await.expect("created");
        engine.write(insert(input, &[(1, 10), (2, 20)])).await.expect("written");
        engine.create(doubled(input), Vec::new()).await.expect("filled");
        assert_eq!(pairs(&content(&engine, VIEW).await), [(1, 10), (1, 10), (2, 20), (2, 20)]);
        engine.stop().await.expect("stopped");
    }
}

/// What a reader that begins at a row is told until it knows all rows up to `end`.
async fn followed(engine: &Engine, relation: RelationId, first_row: u64, end: u64) -> Vec<i64> {
    let mut subscription = engine.follow(relation, first_row, 1 << 20).await.expect("followed");
    let mut ids = Vec::new();
    while first_row + (ids.len() as u64) < end {
        let committed = subscription.changes.next().await.expect("more").expect("a change");
        for batch in &committed.batches {
            let batch = batch.expanded().expect("rows");
            assert!(batch.num_rows() > 0);
            ids.extend_from_slice(batch.column(0).as_primitive::<Int64Type>().values());
        }
    }
    ids
}

/// The rows of a relation, each twice.
fn doubled(input: RelationId) -> RelationSpec {
    let read = || Node {
        operator: Operator::Input { relation: input, projection: None },
        inputs: Vec::new(),
        schema: schema(),
    };
    let union = Node { operator: Operator::Union, inputs: vec![0, 1], schema: schema() };
    let plan = CircuitPlan { nodes: vec![read(), read(), union], key: Vec::new() };
    let kind = RelationKind::View { plan, ephemeral: false };
    RelationSpec { id: VIEW, name: "twice".into(), schema: schema(), kind }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_only_grow_have_an_order_that_folds_and_restarts_do_not_change() {
    let store = Arc::new(ModelStore::new());
    let engine = open(&store, 3);
    engine.create(stream(), Vec::new()).await.expect("created");
    engine.create(doubled(STREAM), Vec::new()).await.expect("created");
    let live = tokio::spawn({
        let engine = engine.clone();
        async move { tokio::join!(followed(&engine, STREAM, 0, 600), followed(&engine, VIEW, 0, 1_200)) }
    });
    for number in 0..200 {
        let written = [(3 * number, 0), (3 * number + 1, 0), (3 * number + 2, 0)];
        engine.write(insert(STREAM, &written)).await.expect("written");
    }
    let (of_stream, of_view) = live.await.expect("followed");
    engine.stop().await.expect("stopped");

    let engine = open(&store, 2);
    engine.restore(stream()).await.expect("restored");
    engine.restore(doubled(STREAM)).await.expect("restored");
    engine.start().await.expect("started");
    assert_eq!(engine.row_count(STREAM).await.expect("counted"), 600);
    assert_eq!(engine.row_count(VIEW).await.expect("counted"), 1_200);
    for first in [0, 1, 2, 299, 300, 301, 598, 599, 600] {
        assert_eq!(followed(&engine, STREAM, first, 600).await, of_stream[first as usize..], "from row {first}");
        let first = 2 * first;
        assert_eq!(followed(&engine, VIEW, first, 1_200).await, of_view[first as usize..], "from row {first}");
    }
    engine.write(insert(STREAM, &[(600, 0)])).await.expect("written");
    assert_eq!(followed(&engine, STREAM, 599, 601).await, [of_stream[599], 600]);
    engine.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_can_change_have_no_order_to_follow() {
    let engine = open(&Arc::new(ModelStore::new()), 1);
    engine.create(table(), Vec::new()).await.expect("created");
    assert!(matches!(engine.row_count(TABLE).await, Err(Error::Rejected(_))));
    assert!(matches!(engine.follow(TABLE, 0, 10).await.map(drop), Err(Error::Rejected(_))));
    engine.stop().await.expect("stopped");
}
