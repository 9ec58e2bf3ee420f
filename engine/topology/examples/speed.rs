//! Spout -> bolt at full speed.
use std::time::{Duration, Instant};

use monsoon_topology::*;

struct Constant {
    tracked: bool,
    n: i64,
}
impl Spout for Constant {
    fn declare(&self, s: &mut Streams) {
        s.declare(["n"]);
    }
    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Outcome {
        self.n += 1;
        if self.tracked {
            out.emit_tracked([self.n], self.n)?;
        } else {
            out.emit([self.n])?;
        }
        Ok(())
    }
}
struct Null;
impl Bolt for Null {
    fn execute(&mut self, t: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        out.ack(t);
        Ok(())
    }
}
struct Identity;
impl Bolt for Identity {
    fn declare(&self, s: &mut Streams) {
        s.declare(["n"]);
    }
    fn execute(&mut self, t: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        out.emit(t, *t)?;
        out.ack(t);
        Ok(())
    }
}
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn main() {
    for shape in ["null", "identity"] {
        for acking in [false, true] {
            for batch in [1, 100, 1000] {
                let mut b = TopologyBuilder::new();
                b.config("batch_tuples", batch).config("ackers", if acking { 1 } else { 0 });
                b.set_spout("spout", move || Constant { tracked: acking, n: 0 });
                let mut from = "spout";
                if shape == "identity" {
                    b.set_bolt("identity", || Identity).shuffle_grouping("spout");
                    from = "identity";
                }
                b.set_bolt("null", || Null).shuffle_grouping(from);
                let t = b.build("speed").unwrap();
                let r = RunningTopology::start(&t, StartOptions::default()).unwrap();
                std::thread::sleep(Duration::from_millis(300));
                let (c0, n0, t0) = (cpu(), r.counts("null").executed, Instant::now());
                std::thread::sleep(Duration::from_secs(2));
                let (c1, n1) = (cpu(), r.counts("null").executed);
                let rate = (n1 - n0) as f64 / t0.elapsed().as_secs_f64();
                if std::env::var("V").is_ok() {
                    for t in r.task_counts() {
                        println!("{t:?}");
                    }
                    for e in r.errors() {
                        println!("{e:?}");
                    }
                }
                println!(
                    "{shape} acking={acking} batch={batch}: {:.2} M/s, {:.2} M/cpu-s, failed {}",
                    rate / 1e6,
                    (n1 - n0) as f64 / (c1 - c0) / 1e6,
                    r.counts("spout").failed
                );
            }
        }
    }
}
