//! The oracle by seed.
//!
//! ```text
//! cargo test --release -p monsoon-tests --test oracle                                          a fixed range of seeds
//! MONSOON_ORACLE_SEEDS=1..2001 cargo test --release -p monsoon-tests --test oracle seeds       others
//! MONSOON_ORACLE_SEED=7 cargo test --release -p monsoon-tests --test oracle replay -- --nocapture   one, with all it did
//! ```

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use monsoon_tests::oracle::{Outcome, Report, run_seed};

/// Without being told otherwise.
const SEEDS: Range<u64> = 1..401;
/// Seeds of the default range that are known to differ, left out of it until they are mended; a named range or a replay shows them.
/// 119: `approx_distinct` over doubles stops the engine. 131, 327, 378: the types of columns differ from DataFusion's.
/// 393: `regr_avgy` under ROLLUP of an empty group.
const OPEN: [u64; 5] = [119, 131, 327, 378, 393];
/// A seed that takes longer hangs.
const SEED_TIME_MAX: Duration = Duration::from_secs(60);
/// Differences after which a run ends.
const DIFFERENCES_MAX: usize = 40;

fn play(seed: u64) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let played = runtime.block_on(async { tokio::time::timeout(SEED_TIME_MAX, run_seed(seed)).await });
    played.unwrap_or_else(|_| panic!("seed {seed} hangs"))
}

fn wanted() -> Range<u64> {
    let Ok(text) = std::env::var("MONSOON_ORACLE_SEEDS") else { return SEEDS };
    let range = text.split_once("..").and_then(|(first, end)| Some(first.parse().ok()?..end.parse().ok()?));
    range.unwrap_or_else(|| panic!("MONSOON_ORACLE_SEEDS={text}: wanted is first..end"))
}

#[test]
fn seeds() {
    let range = wanted();
    let open: &[u64] = if range == SEEDS { &OPEN } else { &[] };
    let next = AtomicU64::new(range.start);
    let reports = Mutex::new(Vec::new());
    let start = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= range.end {
                        return;
                    }
                    if open.contains(&seed) {
                        continue;
                    }
                    let report = play(seed);
                    let mut reports = reports.lock().expect("no panic");
                    reports.push(report);
                    if reports.iter().filter(|report| matches!(report.outcome, Outcome::Different(_))).count() >= DIFFERENCES_MAX {
                        next.store(range.end, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut reports = reports.into_inner().expect("no panic");
    reports.sort_by_key(|report| report.seed);
    let differences = reports.iter().filter(|report| tell(report)).count();
    summarise(&reports, start.elapsed());
    if !open.is_empty() {
        println!("left out, known to differ: seeds {open:?}");
    }
    assert_eq!(differences, 0, "seeds differ; MONSOON_ORACLE_SEED=n replays one");
    assert!(reports.iter().map(|report| report.rows).sum::<usize>() > reports.len(), "hardly anything was compared");
}

fn tell(report: &Report) -> bool {
    let Outcome::Different(difference) = &report.outcome else { return false };
    let cut: String = difference.chars().take(1_500).collect();
    println!("seed {}: {cut}", report.seed);
    true
}

fn summarise(reports: &[Report], took: Duration) {
    let sum = |figure: fn(&Report) -> usize| reports.iter().map(figure).sum::<usize>();
    println!(
        "{} seeds in {:.1} s: {} views, {} rows compared, {} crashes, {} folded chunks loaded, {} refused",
        reports.len(),
        took.as_secs_f64(),
        sum(|report| report.views),
        sum(|report| report.rows),
        sum(|report| report.crashes),
        sum(|report| report.folded),
        sum(|report| report.refused.len()),
    );
    println!("{} seeds without an answer from DataFusion", reports.iter().filter(|report| matches!(report.outcome, Outcome::Unanswered(_))).count());
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    reports.iter().flat_map(|report| &report.refused).for_each(|reason| *reasons.entry(reason).or_default() += 1);
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    reasons.iter().for_each(|(reason, times)| println!("  refused {times} times: {reason}"));
}

#[test]
fn replay() {
    let Some(seed) = std::env::var("MONSOON_ORACLE_SEED").ok().and_then(|seed| seed.parse().ok()) else { return };
    let report = play(seed);
    println!("{}", report.log);
    match report.outcome {
        Outcome::Same => println!("seed {seed}: no difference"),
        Outcome::Unanswered(reason) => println!("seed {seed}: {reason}"),
        Outcome::Different(difference) => panic!("seed {seed}: {difference}"),
    }
}
