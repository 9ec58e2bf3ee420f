use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;
use crate::{Basic, Failure, RunningTopology, StartOptions, TopologyBuilder};

const SOON: Duration = Duration::from_secs(10);

fn exclaim(drpc: &Arc<Drpc>) -> RunningTopology {
    let mut builder = TopologyBuilder::new();
    let (spout, bolt) = (drpc.clone(), drpc.clone());
    builder.config("message_timeout", "1 s");
    builder.set_spout("requests", move || DrpcSpout::new(spout.clone(), "exclaim"));
    builder
        .set_bolt_fn("exclaim", ["id", "result"], || {
            |tuple, out| match tuple.text("args")? {
                "bad" => Err(Failure::new("a bad request")),
                "none" => Ok(()),
                args => out.emit((tuple.int("id")?, format!("{args}!!!"))).map(drop),
            }
        })
        .shuffle_grouping("requests");
    builder.set_bolt("answers", move || Basic(ReturnResult::new(bolt.clone()))).shuffle_grouping("exclaim");
    RunningTopology::start(&builder.build("drpc").unwrap(), StartOptions::default()).unwrap()
}

/// Asks as soon as somebody serves.
fn ask(drpc: &Drpc, args: &str) -> Receiver<Result<String, DrpcError>> {
    let deadline = std::time::Instant::now() + SOON;
    loop {
        let (sender, receiver) = channel();
        match drpc.ask("exclaim", args, Box::new(move |answer| drop(sender.send(answer)))) {
            Ok(_) => return receiver,
            Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
        }
        std::thread::yield_now();
    }
}

#[test]
fn d03_a_request_gets_its_result() {
    let drpc = Arc::new(Drpc::default());
    let _running = exclaim(&drpc);
    assert_eq!(ask(&drpc, "aaa").recv_timeout(SOON).unwrap(), Ok("aaa!!!".into()));
}

#[test]
fn d01_a_request_that_fails_or_has_no_result_is_told() {
    let drpc = Arc::new(Drpc::default());
    let _running = exclaim(&drpc);
    assert!(matches!(ask(&drpc, "bad").recv_timeout(SOON).unwrap(), Err(DrpcError::Failed(_))));
    assert!(matches!(ask(&drpc, "none").recv_timeout(SOON).unwrap(), Err(DrpcError::Failed(_))));
}

#[test]
fn d02_a_function_that_nobody_serves_is_refused() {
    let drpc = Drpc::default();
    let refused = drpc.ask("nothing", "", Box::new(|_| ()));
    assert_eq!(refused, Err(DrpcError::NoFunction("nothing".into())));
}

#[test]
fn what_waits_fails_when_the_last_server_goes() {
    let drpc = Arc::new(Drpc::default());
    let served = PolledFunction::serve(drpc.clone(), "exclaim");
    let waiting = ask(&drpc, "later");
    drop(served);
    assert!(matches!(waiting.recv_timeout(SOON).unwrap(), Err(DrpcError::Failed(_))));
}

#[test]
fn nobody_serves_a_function_while_its_topology_is_inactive() {
    let drpc = Arc::new(Drpc::default());
    let running = exclaim(&drpc);
    ask(&drpc, "aaa").recv_timeout(SOON).unwrap().unwrap();
    running.deactivate().unwrap();
    let deadline = std::time::Instant::now() + SOON;
    while drpc.ask("exclaim", "bbb", Box::new(|_| ())).is_ok() {
        assert!(std::time::Instant::now() < deadline, "the spout goes on taking requests");
    }
    running.activate().unwrap();
    assert_eq!(ask(&drpc, "ccc").recv_timeout(SOON).unwrap(), Ok("ccc!!!".into()));
}

#[test]
fn d01_what_was_given_up_is_not_worked_on() {
    let drpc = Arc::new(Drpc::default());
    let _served = PolledFunction::serve(drpc.clone(), "exclaim");
    let id = drpc.ask("exclaim", "x", Box::new(|_| ())).unwrap();
    drpc.give_up(id);
    assert_eq!(drpc.next("exclaim"), None);
}

#[test]
fn only_so_many_requests_wait() {
    let drpc = Arc::new(Drpc::default());
    let _served = PolledFunction::serve(drpc.clone(), "exclaim");
    let taken = (0..).take_while(|_| drpc.ask("exclaim", "x", Box::new(|_| ())).is_ok()).count();
    assert_eq!(taken, WAITING_MAX);
    let refused = drpc.ask("exclaim", "x", Box::new(|_| ()));
    assert_eq!(refused, Err(DrpcError::Busy("exclaim".into())));
}

#[test]
fn a_function_can_be_served_by_polling() {
    let drpc = Arc::new(Drpc::default());
    let served = PolledFunction::serve(drpc.clone(), "double");
    let (sender, answer) = channel();
    drpc.ask("double", "2", Box::new(move |answer| drop(sender.send(answer)))).unwrap();
    let request = served.next(SOON).unwrap();
    drpc.answer(request.id, Ok(format!("{0}{0}", request.args)));
    assert_eq!(answer.recv_timeout(SOON).unwrap(), Ok("22".into()));
    assert_eq!(served.next(Duration::from_millis(1)), None);
    drop(served);
    assert_eq!(drpc.ask("double", "", Box::new(|_| ())), Err(DrpcError::NoFunction("double".into())));
}
