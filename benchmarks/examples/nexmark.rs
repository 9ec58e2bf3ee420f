//! The benchmark without the server: `cargo run --release -p monsoon-benchmarks --example nexmark -- q0,q4 1000000 2`.

use std::path::PathBuf;

use monsoon_benchmarks::nexmark::{Options, run};

// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let list = arguments.first().map_or("", String::as_str);
    let queries = list.split(',').filter(|name| !name.is_empty() && *name != "all").map(str::to_owned).collect();
    let events = arguments.get(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let tasks = arguments.get(2).map_or(Ok(2), |text| text.parse())?;
    let data: PathBuf = std::env::temp_dir().join(format!("monsoon-nexmark-{}", std::process::id()));
    let options = Options { queries, events, tasks, data: data.clone() };
    let outcome = run(&options, &mut |report| match serde_json::to_string(report) {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("{error}"),
    })
    .await;
    let _ = std::fs::remove_dir(&data);
    outcome
}
