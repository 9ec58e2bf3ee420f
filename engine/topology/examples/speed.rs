//! `monsoon bench tuple` without the server: shapes, acking, batch, seconds as arguments.
#[path = "../../../benchmarks/src/process.rs"]
mod process;
#[path = "../../../benchmarks/src/tuple/mod.rs"]
mod tuple;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let list = |at: usize| args[at].split(',').map(str::to_owned).collect::<Vec<_>>();
    let options = tuple::Options {
        shapes: list(1).iter().map(|name| tuple::Shape::from_name(name).unwrap()).collect(),
        acking: list(2).iter().map(|on| on == "on").collect(),
        batch_tuples: list(3).iter().map(|n| n.parse().unwrap()).collect(),
        seconds: args[4].parse().unwrap(),
        rate_per_s: args.get(5).map(|rate| rate.parse().unwrap()),
    };
    tuple::run(&options, &mut |report| println!("{}", serde_json::to_string(report).unwrap())).unwrap();
}
