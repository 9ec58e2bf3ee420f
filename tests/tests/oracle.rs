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

use monsoon_tests::oracle::{Outcome, Report, form_names, run_seed};

/// Without being told otherwise.
const SEEDS: Range<u64> = 1..401;
/// Parts of the reasons for which a view may be refused, each with why that is right; any other refusal is a failure.
/// Nothing that is generated has to be refused.
const REFUSALS: &[(&str, &str)] = &[];
/// Seeds of a hundred that DataFusion may fail to answer.
const UNANSWERED_PER_HUNDRED_MAX: usize = 3;
/// A run of at least so many seeds has to keep views of every form.
const SEEDS_FOR_EVERY_FORM: usize = 200;
/// A seed that takes longer hangs.
const SEED_TIME_MAX: Duration = Duration::from_secs(120);
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
                    let report = play(seed);
                    let mut reports = reports.lock().expect("no panic");
                    reports.push(report);
                    if reports.iter().filter(|report| matches!(report.outcome, Outcome::Different(_))).count()
                        >= DIFFERENCES_MAX
                    {
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
    assert_eq!(differences, 0, "seeds differ; MONSOON_ORACLE_SEED=n replays one");
    assert!(reports.iter().map(|report| report.rows).sum::<usize>() > reports.len(), "hardly anything was compared");
    check_refusals(&reports);
    check_unanswered(&reports);
    check_forms(&reports);
}

/// Nothing is refused but what has to be.
fn check_refusals(reports: &[Report]) {
    let allowed = |reason: &str| REFUSALS.iter().any(|(part, _)| reason.contains(part));
    let surprising = reports.iter().flat_map(|report| report.refused.iter().map(|reason| (report.seed, reason)));
    let surprising: Vec<_> = surprising.filter(|(_, reason)| !allowed(reason)).collect();
    assert!(surprising.is_empty(), "views are refused for reasons that are not in REFUSALS: {surprising:?}");
}

/// DataFusion answers nearly everything that is generated.
fn check_unanswered(reports: &[Report]) {
    let unanswered = reports.iter().filter(|report| matches!(report.outcome, Outcome::Unanswered(_))).count();
    let allowed = (reports.len() * UNANSWERED_PER_HUNDRED_MAX).div_ceil(100);
    assert!(unanswered <= allowed, "{unanswered} of {} seeds have no answer, {allowed} may", reports.len());
}

/// Every form of query is kept once in a hundred seeds.
fn check_forms(reports: &[Report]) {
    if reports.len() < SEEDS_FOR_EVERY_FORM {
        return;
    }
    let kept = kept_by_form(reports);
    let rare: Vec<_> = kept.iter().filter(|(_, views)| **views < reports.len() / 100).collect();
    assert!(rare.is_empty(), "forms that are hardly ever kept: {rare:?}");
}

fn kept_by_form(reports: &[Report]) -> BTreeMap<&'static str, usize> {
    let mut kept: BTreeMap<_, _> = form_names().into_iter().map(|form| (form, 0)).collect();
    for (form, views) in reports.iter().flat_map(|report| &report.forms) {
        *kept.entry(*form).or_default() += views;
    }
    kept
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
    for report in reports {
        if let Outcome::Unanswered(reason) = &report.outcome {
            println!("  no answer to seed {}: {}", report.seed, reason.chars().take(1_000).collect::<String>());
        }
    }
    let forms: Vec<String> = kept_by_form(reports).iter().map(|(form, views)| format!("{form} {views}")).collect();
    println!("  views by form: {}", forms.join(", "));
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
