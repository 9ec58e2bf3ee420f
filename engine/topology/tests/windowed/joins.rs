//! Joins of streams within windows.

use std::sync::Arc;
use std::time::Duration;

use monsoon_topology::windowed::{JoinBolt, Window};
use monsoon_topology::{Grouping, ManualClock, StartOptions, TopologyBuilder, Value};

use crate::support::*;

const WINDOW: Duration = Duration::from_millis(10);

fn spout(builder: &mut TopologyBuilder, name: &str, feed: &Feed, fields: [&'static str; 3]) {
    let feed = feed.clone();
    builder.set_spout(name, move || FedSpout { feed: feed.clone(), fields: fields.to_vec() });
}

/// Users and orders by user, spread over three tasks.
fn joining(join: JoinBolt, users: &Feed, orders: &Feed) -> TopologyBuilder {
    let mut builder = TopologyBuilder::new();
    // The join goes before what it reads: the order of declarations doesn't matter.
    builder
        .set_windowed_bolt("join", Window::tumbling(WINDOW), move || join.clone())
        .parallelism(3)
        .fields_grouping("users", ["user"])
        .fields_grouping("orders", ["user"]);
    spout(&mut builder, "users", users, ["id", "user", "city"]);
    spout(&mut builder, "orders", orders, ["id", "user", "amount"]);
    builder
}

/// A clock that the test moves, in the middle of a window.
fn within_a_window() -> (Arc<ManualClock>, StartOptions) {
    let clock = Arc::new(ManualClock::default());
    clock.advance(WINDOW / 2);
    let options = StartOptions { clock: clock.clone(), ..StartOptions::default() };
    (clock, options)
}

fn user(id: i64, user: impl Into<Value>, city: &str) -> Vec<Value> {
    vec![id.into(), user.into(), city.into()]
}

fn order(id: i64, user: impl Into<Value>, amount: i64) -> Vec<Value> {
    vec![id.into(), user.into(), amount.into()]
}

/// What the sink has got, ordered, once there are `rows` of it.
fn rows_of(sink: &Sink, rows: usize) -> Vec<String> {
    eventually(&format!("{rows} rows"), || sink.rows.lock().len() >= rows);
    let mut found: Vec<String> = sink.rows.lock().drain(..).map(|row| format!("{row:?}")).collect();
    found.sort_unstable();
    found
}

#[test]
fn rows_of_a_window_are_joined_by_whichever_task_has_their_key() {
    let (users, orders, sink) = (Feed::default(), Feed::default(), Sink::new(false));
    let join = JoinBolt::new("users", "user").full_join("orders", "user", "users").select("users:user, city, amount");
    let mut builder = joining(join, &users, &orders);
    let rows = sink.clone();
    builder.set_bolt("sink", move || rows.clone()).fields_grouping("join", ["user"]);
    let (clock, options) = within_a_window();
    let running = start(&builder.build("join").unwrap(), options);

    let names = ["ann", "bob", "cid", "dan", "eve", "fay"];
    users.push((1..).zip(names).map(|(id, name)| user(id, name, "rome")));
    users.push([user(7, Value::Null, "oslo")]);
    orders.push([order(1, "bob", 5), order(2, "bob", 6), order(3, "fay", 7), order(4, "ann", 8)]);
    orders.push([order(5, Value::Null, 9)]);
    wait_executed(&running, "join", 12);
    clock.advance(WINDOW);
    let expected = [
        r#"["ann", "rome", 8]"#,
        r#"["bob", "rome", 5]"#,
        r#"["bob", "rome", 6]"#,
        r#"["cid", "rome", null]"#,
        r#"["dan", "rome", null]"#,
        r#"["eve", "rome", null]"#,
        r#"["fay", "rome", 7]"#,
        r#"[null, "oslo", null]"#,
        r#"[null, null, 9]"#,
    ];
    assert_eq!(rows_of(&sink, 9), expected);
    // Tuples leave at the end of the next window. Then no task works by an earlier time any more, so what comes now is in one window.
    clock.advance(WINDOW);
    eventually("all are acked", || users.acked().len() == 7 && orders.acked().len() == 5);

    // The users of the first window are gone.
    users.push([user(8, "bob", "bonn")]);
    orders.push([order(6, "bob", 1), order(7, "ann", 2)]);
    wait_executed(&running, "join", 15);
    clock.advance(WINDOW);
    assert_eq!(rows_of(&sink, 2), [r#"["bob", "bonn", 1]"#, r#"[null, null, 2]"#]);
    clock.advance(WINDOW);
    eventually("all are acked", || users.acked().len() == 8 && orders.acked().len() == 7);
    assert!(users.failed().is_empty() && orders.failed().is_empty());
}

/// A joined row is anchored to the tuples of its window: when it fails, they fail.
#[test]
fn a_joined_row_that_fails_fails_what_it_is_joined_of() {
    let (users, orders, sink) = (Feed::default(), Feed::default(), Sink::new(true));
    let join = JoinBolt::new("users", "user").join("orders", "user", "users").select("city, amount");
    let mut builder = joining(join, &users, &orders);
    builder.set_bolt("sink", move || sink.clone()).shuffle_grouping("join");
    let (clock, options) = within_a_window();
    let running = start(&builder.build("join").unwrap(), options);
    users.push([user(1, "ann", "rome")]);
    orders.push([order(2, "ann", 5)]);
    wait_executed(&running, "join", 2);
    clock.advance(WINDOW);
    eventually("both fail", || users.failed() == [1] && orders.failed() == [2]);
}

/// Fields of the streams read, under names that tell them apart; also of a join that reads a join.
#[test]
fn fields_are_known_when_the_topology_is_built() {
    let (users, orders) = (Feed::default(), Feed::default());
    let mut builder = joining(JoinBolt::new("users", "user").join("orders", "user", "users"), &users, &orders);
    let again = JoinBolt::new("join", "users:user").left_join("users", "user", "join");
    builder
        .set_windowed_bolt("again", Window::tumbling(5), move || again.clone())
        .grouping("join", "default", Grouping::Global)
        .global_grouping("users");
    let topology = builder.build("join").unwrap();
    let fields = |name: &str| topology.info().component(name).unwrap().streams[0].fields.clone();
    let names = |name| fields(name).iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(names("join"), ["users:id", "users:user", "city", "orders:id", "orders:user", "amount"]);
    let joined = ["users:id", "users:user", "join:city", "orders:id", "orders:user", "amount"];
    assert_eq!(names("again"), [&joined[..], &["id", "user", "users:city"]].concat());
}

#[test]
fn what_is_wrong_is_told_when_the_topology_is_built() {
    let told = |join: JoinBolt| {
        let built = joining(join, &Feed::default(), &Feed::default()).build("join");
        built.unwrap_err().to_string()
    };
    let bolt = || JoinBolt::new("users", "user").join("orders", "user", "users");
    let ambiguous =
        r#"invalid topology: "join": selected field "id" is ambiguous: write one of ["users:id", "orders:id"]"#;
    assert_eq!(told(bolt().select("id")), ambiguous);
    let unknown = r#"invalid topology: "join": there is no selected field "town"; joined are "#;
    assert!(told(bolt().select("town")).starts_with(unknown));
    let unjoined = r#"invalid topology: "join": "orders" is joined with "stores", which isn't joined before it"#;
    assert_eq!(told(JoinBolt::new("users", "user").join("orders", "user", "stores")), unjoined);
    let twice = r#"field "users:id" is declared twice"#;
    assert!(told(bolt().select("users:id, users:id")).ends_with(twice));
}

/// Each would make its fields of the other's.
#[test]
fn joins_that_read_each_other_are_refused() {
    let mut builder = TopologyBuilder::new();
    spout(&mut builder, "users", &Feed::default(), ["id", "user", "city"]);
    for (name, other) in [("left", "right"), ("right", "left")] {
        let join = JoinBolt::new("users", "user").join(other, "user", "users");
        let bolt = builder.set_windowed_bolt(name, Window::tumbling(5), move || join.clone());
        bolt.global_grouping("users").global_grouping(other);
    }
    let error = builder.build("join").unwrap_err().to_string();
    let told = r#"invalid topology: "left" reads stream "default" of "right", which it does not declare"#;
    assert_eq!(error, told);
}
