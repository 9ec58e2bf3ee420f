//! Word count in SQL, YAML and Rust: the same counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use monsoon_topology::{RunningTopology, StartOptions, TopologyBuilder, Value};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Mutex;
use std::time::Duration;

use crate::client::Client;
use crate::server_process::ServerProcess;

const SENTENCES: usize = 2_000;
const WORDS: [&str; 10] = ["the", "cow", "jumped", "over", "moon", "man", "went", "to", "store", "bertels人"];

const SQL: &str = "
CREATE TOPOLOGY by_sql AS
  SPOUT lines  USING STREAM sentences PARALLELISM 2
  BOLT  split  USING SQL (SELECT unnest(string_to_array(sentence, ' ')) AS word FROM input)
               PARALLELISM 2 SHUFFLE GROUPING ON lines
  BOLT  counts USING SQL (SELECT word, count(*) AS n FROM input GROUP BY word)
               PARALLELISM 2 FIELDS GROUPING (word) ON split
  BOLT  store  USING INSERT INTO counts_by_sql GLOBAL GROUPING ON counts";

const YAML: &str = r#"
name: by_yaml
config: {topology.state.checkpoint.interval.ms: 100}
spouts:
  - {id: lines, className: stream, constructorArgs: [sentences]}
bolts:
  - {id: split, className: sql, constructorArgs: ["SELECT unnest(string_to_array(sentence, ' ')) AS word FROM input"]}
  - {id: counts, className: sql, parallelism: 2, constructorArgs: ["SELECT word, count(*) AS n FROM input GROUP BY word"]}
  - {id: store, className: insert, constructorArgs: [counts_by_yaml]}
streams:
  - {from: lines, to: split, grouping: {type: SHUFFLE}}
  - {from: split, to: counts, grouping: {type: FIELDS, args: [word]}}
  - {from: counts, to: store, grouping: {type: GLOBAL}}
"#;

fn sentences() -> Vec<String> {
    let mut random = StdRng::seed_from_u64(1);
    let mut word = || WORDS[random.random_range(0..WORDS.len())];
    (0..SENTENCES).map(|n| (0..=n % 7).map(|_| word()).collect::<Vec<_>>().join(" ")).collect()
}

/// Counted by hand.
fn expected(sentences: &[String]) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for word in sentences.iter().flat_map(|sentence| sentence.split(' ')) {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts
}

fn in_rust(sentences: Vec<String>) -> BTreeMap<String, i64> {
    let counts: Arc<Mutex<BTreeMap<String, i64>>> = Arc::default();
    let sentences = Arc::new(sentences);
    let mut builder = TopologyBuilder::new();
    let mut next = 0;
    builder.set_spout_fn("lines", ["sentence"], move || {
        next += 1;
        sentences.get(next - 1).map(|sentence| vec![Value::from(sentence)])
    });
    builder
        .set_bolt_fn("split", ["word"], || {
            |tuple, out| tuple.text("sentence")?.split(' ').try_for_each(|word| out.emit([word]).map(drop))
        })
        .parallelism(2)
        .shuffle_grouping("lines");
    let shared = counts.clone();
    builder
        .set_bolt_fn("counts", [""; 0], move || {
            let counts = shared.clone();
            move |tuple, _| {
                *counts.lock().expect("no counter panics").entry(tuple.text("word")?.to_owned()).or_default() += 1;
                Ok(())
            }
        })
        .parallelism(2)
        .fields_grouping("split", ["word"]);
    let topology = builder.build("by_rust").expect("a topology");
    let running = RunningTopology::start(&topology, StartOptions::default()).expect("it starts");
    let total: u64 = (0..SENTENCES as u64).map(|n| n % 7 + 1).sum();
    let started = std::time::Instant::now();
    while running.counts("counts").executed < total && started.elapsed() < Duration::from_secs(60) {
        std::thread::yield_now();
    }
    running.kill(Duration::from_secs(10)).expect("it ends");
    counts.lock().expect("no counter panics").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_yaml_and_rust_count_the_same() {
    let sentences = sentences();
    let expected = expected(&sentences);
    assert_eq!(in_rust(sentences.clone()), expected);

    let server = ServerProcess::start("word-count");
    let client = Client::connect(&server).await;
    client
        .run(
            "CREATE STREAM sentences (sentence TEXT);
             CREATE TABLE counts_by_sql (word TEXT PRIMARY KEY, n BIGINT);
             CREATE TABLE counts_by_yaml (word TEXT PRIMARY KEY, n BIGINT)",
        )
        .await;
    // Some sentences are there before the topologies, others come after.
    let (before, after) = sentences.split_at(SENTENCES / 2);
    insert(&client, before).await;
    client.run(SQL).await;
    client.run(&format!("CREATE TOPOLOGY by_yaml AS FLUX '{}'", YAML.replace('\'', "''"))).await;
    insert(&client, after).await;
    let expected: Vec<String> = expected.iter().map(|(word, n)| format!("{word}|{n}")).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    for table in ["counts_by_sql", "counts_by_yaml"] {
        client.wait_for(&format!("SELECT word, n FROM {table} ORDER BY word"), &expected).await;
    }
}

async fn insert(client: &Client, sentences: &[String]) {
    for some in sentences.chunks(100) {
        let values: Vec<String> = some.iter().map(|sentence| format!("('{sentence}')")).collect();
        client.run(&format!("INSERT INTO sentences VALUES {}", values.join(", "))).await;
    }
}
