//! Storm's cases J-1 and J-2, keys, errors, and random rows against nested loops.

use super::rows::{Pair, pairs};
use super::*;
use crate::anchor::EdgeIds;
use crate::{Fields, Value};

/// A stream: its name, fields and rows. Its component has the same name.
type Stream<'a> = (&'a str, &'a [&'a str], Vec<Vec<Value>>);

fn infos(streams: &[Stream<'_>]) -> Vec<Arc<StreamInfo>> {
    let info = |(name, fields, _): &Stream<'_>| {
        let fields = Fields::new(*fields).unwrap();
        Arc::new(StreamInfo { component: (*name).into(), stream: (*name).into(), fields, direct: false })
    };
    streams.iter().map(info).collect()
}

/// The names of the fields, and the rows of a window with all rows of the streams.
fn joined(bolt: &JoinBolt, streams: &[Stream<'_>]) -> (Vec<SmolStr>, Vec<Vec<Value>>) {
    let infos = infos(streams);
    let plan = Plan::new(bolt, &infos).unwrap();
    let mut rows = vec![Vec::new(); plan.streams()];
    for (info, (.., content)) in infos.iter().zip(streams) {
        rows[plan.place(info).unwrap()].extend(content.iter().map(Vec::as_slice));
    }
    (plan.names().cloned().collect(), plan.join(&rows).iter().map(|row| plan.project(row)).collect())
}

fn rows(bolt: &JoinBolt, streams: &[Stream<'_>]) -> Vec<Vec<Value>> {
    joined(bolt, streams).1
}

fn failure(bolt: &JoinBolt, streams: &[Stream<'_>]) -> String {
    Plan::new(bolt, &infos(streams)).unwrap_err().0
}

fn nulls(rows: &[Vec<Value>]) -> usize {
    rows.iter().flatten().filter(|value| value.is_null()).count()
}

const USER_FIELDS: [&str; 3] = ["id", "name", "city"];

/// Ten: five in the cities of four stores and, two of them, of the fifth; Sunnyvale, Palo Alto, Mumbai and Seattle have no store.
fn users() -> Stream<'static> {
    let cities = ["san jose", "santa clara", "dublin", "san mateo", "sunnyvale", "palo alto"];
    let cities = cities.into_iter().chain(["bengaluru", "mumbai", "bengaluru", "seattle"]);
    let row = |(id, city): (i64, &str)| vec![Value::Int(id), format!("user {id}").into(), city.into()];
    ("users", &USER_FIELDS, (1..).zip(cities).map(row).collect())
}

/// Nine, of the users 2 to 8.
fn orders() -> Stream<'static> {
    let users = [2_i64, 2, 3, 4, 5, 6, 6, 7, 8];
    let row = |(order, user): (i64, i64)| vec![Value::Int(order), user.into(), (order + 10).into()];
    ("orders", &["order_id", "user_id", "price"], (11..).zip(users).map(row).collect())
}

fn stores() -> Stream<'static> {
    let cities = ["san jose", "santa clara", "dublin", "san mateo", "bengaluru"];
    let row = |(id, city): (i64, &str)| vec![Value::Int(id), format!("store {id}").into(), city.into()];
    ("stores", &["store_id", "store_name", "city"], (1..).zip(cities).map(row).collect())
}

/// Nine: those of the users without Seattle, and Chennai.
fn cities() -> Stream<'static> {
    let us = ["san jose", "santa clara", "dublin", "san mateo", "sunnyvale", "palo alto"].map(|city| (city, "US"));
    let india = ["bengaluru", "mumbai", "chennai"].map(|city| (city, "India"));
    let row = |(city, country): (&str, &str)| vec![Value::from(city), country.into()];
    ("cities", &["city_name", "country"], us.into_iter().chain(india).map(row).collect())
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(key, value)| (SmolStr::new(key), value.clone())).collect())
}

/// A stream of one field, `outer`: the map of its fields.
fn nested((name, fields, rows): Stream<'_>) -> Stream<'_> {
    let entries = |row: Vec<Value>| fields.iter().copied().zip(row).collect::<Vec<_>>();
    (name, &["outer"], rows.into_iter().map(|row| vec![map(&entries(row))]).collect())
}

#[test]
fn j01_a_single_stream_is_all_its_rows() {
    let bolt = JoinBolt::new("orders", "order_id").select("order_id,user_id,price");
    assert_eq!(rows(&bolt, &[orders()]), orders().2);
}

#[test]
fn j01_nested_keys_and_fields() {
    let bolt = JoinBolt::new("users", "outer.id").select("outer.name, outer.city");
    let (names, rows) = joined(&bolt, &[nested(users())]);
    assert_eq!(names, ["name", "city"]);
    assert_eq!(rows, users().2.iter().map(|row| row[1..].to_vec()).collect::<Vec<_>>());
    let bolt = JoinBolt::new("users", "outer.id").join("orders", "outer.user_id", "users").select("outer.price");
    assert_eq!(failure(&bolt, &[nested(users()), nested(orders())]).matches("ambiguous").count(), 1);
    let bolt = bolt.select("orders:outer.price");
    let prices: Vec<Vec<Value>> = (21_i64..30).map(|price| vec![price.into()]).collect();
    assert_eq!(self::rows(&bolt, &[nested(users()), nested(orders())]), prices);
}

/// Stores of five cities, two users in one of them: 4 + 2.
#[test]
fn j01_users_and_stores_by_city_are_6_without_nulls() {
    let bolt = JoinBolt::new("users", "city").join("stores", "city", "users");
    let bolt = bolt.select("id,name,store_name,users:city,stores:city");
    let (names, rows) = joined(&bolt, &[stores(), users()]);
    assert_eq!(names, ["id", "name", "store_name", "users:city", "stores:city"]);
    assert_eq!((rows.len(), nulls(&rows)), (6, 0));
    assert!(rows.iter().all(|row| row[3] == row[4]));
    let ids: Vec<_> = rows.iter().map(|row| row[0].as_int().unwrap()).collect();
    assert_eq!(ids, [1, 2, 3, 4, 7, 9]);
}

/// Every order has its user; users 1, 9 and 10 have no order: 9 + 3.
#[test]
fn j01_users_and_orders_are_9_and_left_12() {
    let bolt = JoinBolt::new("users", "id").join("orders", "user_id", "users").select("id,name,price");
    assert_eq!(rows(&bolt, &[orders(), users()]).len(), 9);
    let bolt = JoinBolt::new("users", "id").left_join("orders", "user_id", "users").select("id,name,price");
    let rows = rows(&bolt, &[orders(), users()]);
    assert_eq!((rows.len(), nulls(&rows)), (12, 3));
}

#[test]
fn j01_three_streams_inner_are_6() {
    let bolt = JoinBolt::new("users", "city").join("stores", "city", "users").join("cities", "city_name", "stores");
    let bolt = bolt.select("name,store_name,users:city,country");
    let rows = rows(&bolt, &[users(), stores(), cities()]);
    assert_eq!((rows.len(), nulls(&rows)), (6, 0));
}

/// Users 5, 6, 8 and 10 have no store, and Seattle, user 10's, isn't among the cities: 5 nulls.
#[test]
fn j01_two_left_joins_with_users_are_10() {
    let bolt = JoinBolt::new("users", "city").left_join("stores", "city", "users");
    let bolt = bolt.left_join("cities", "city_name", "users").select("name,store_name,users:city,country");
    let rows = rows(&bolt, &[users(), cities(), stores()]);
    assert_eq!((rows.len(), nulls(&rows)), (10, 5));
}

/// Storm has 6 here: its left join skips the rows whose key is null, so the 4 users without a store are gone. A left join keeps its left side, as in
/// SQL: 10 rows, and those 4 have neither store nor country.
#[test]
fn j01_a_left_join_with_a_side_that_is_null_keeps_its_rows() {
    let bolt = JoinBolt::new("users", "city").left_join("stores", "city", "users");
    let bolt = bolt.left_join("cities", "city_name", "stores").select("id,store_name,country");
    let rows = rows(&bolt, &[users(), cities(), stores()]);
    assert_eq!((rows.len(), nulls(&rows)), (10, 8));
    let without: Vec<_> = rows.iter().filter(|row| row[1].is_null() && row[2].is_null()).map(|row| &row[0]).collect();
    assert_eq!(without, [&Value::Int(5), &Value::Int(6), &Value::Int(8), &Value::Int(10)]);
}

#[test]
fn j01_inner_and_then_left_are_6() {
    let bolt = JoinBolt::new("users", "city").join("stores", "city", "users");
    let bolt = bolt.left_join("cities", "city_name", "users").select("name,store_name,users:city,country");
    let rows = rows(&bolt, &[users(), cities(), stores()]);
    assert_eq!((rows.len(), nulls(&rows)), (6, 0));
}

/// Squares of 2, 5 and 7 and cubes of 1, 2, 5 and 6.
fn powers() -> [Stream<'static>; 2] {
    let row = |(n, power): (i64, i64)| vec![Value::Int(n), power.into()];
    let squares = [(2, 4), (5, 25), (7, 49)].map(row).to_vec();
    let cubes = [(1, 1), (2, 8), (5, 125), (6, 216)].map(row).to_vec();
    [("squares", &["n", "square"], squares), ("cubes", &["n", "cube"], cubes)]
}

/// Key, square and cube, ordered by key.
fn powers_joined(bolt: JoinBolt) -> Vec<(i64, Option<i64>, Option<i64>)> {
    let rows = rows(&bolt.select("squares:n, cubes:n, square, cube"), &powers());
    let key = |row: &[Value]| row[0].as_int().or(row[1].as_int()).unwrap();
    let mut found: Vec<_> = rows.iter().map(|row| (key(row), row[2].as_int(), row[3].as_int())).collect();
    found.sort_unstable();
    found
}

#[test]
fn j02_inner_left_right_and_full() {
    let (two, five) = ((2, Some(4), Some(8)), (5, Some(25), Some(125)));
    let (seven, one, six) = ((7, Some(49), None), (1, None, Some(1)), (6, None, Some(216)));
    let bolt = || JoinBolt::new("squares", "n");
    assert_eq!(powers_joined(bolt().join("cubes", "n", "squares")), [two, five]);
    assert_eq!(powers_joined(bolt().left_join("cubes", "n", "squares")), [two, five, seven]);
    assert_eq!(powers_joined(bolt().right_join("cubes", "n", "squares")), [one, two, five, six]);
    assert_eq!(powers_joined(bolt().full_join("cubes", "n", "squares")), [one, two, five, six, seven]);
}

#[test]
fn without_select_all_fields_come_in_order_of_the_joins() {
    let bolt = JoinBolt::new("squares", "n").join("cubes", "n", "squares");
    let [squares, cubes] = powers();
    let (names, rows) = joined(&bolt, &[cubes, squares]);
    assert_eq!(names, ["squares:n", "square", "cubes:n", "cube"]);
    assert_eq!(rows, [[2, 4, 2, 8], [5, 25, 5, 125]].map(|row| row.map(|value: i64| Value::Int(value)).to_vec()));
}

const KINDS: [Kind; 4] = [Kind::Inner, Kind::Left, Kind::Right, Kind::Full];

#[test]
fn null_keys_match_nothing() {
    let one = Value::Int(1);
    let keys = [&Value::Null, &one];
    let matched: Pair = (Some(1), Some(1));
    let (left, right): (Pair, Pair) = ((Some(0), None), (None, Some(0)));
    let expected = [vec![matched], vec![left, matched], vec![matched, right], vec![left, matched, right]];
    assert_eq!(KINDS.map(|kind| pairs(kind, &keys, &keys)), expected);
}

#[test]
fn keys_are_equal_as_values_are() {
    let equal = |left: Value, right: Value| !pairs(Kind::Inner, &[&left], &[&right]).is_empty();
    assert!(equal(Value::Float(f64::NAN), Value::Float(-f64::NAN)));
    assert!(equal(Value::List([Value::Int(1)].into()), Value::List([Value::Int(1)].into())));
    assert!(!equal(Value::Int(1), Value::Float(1.0)));
    assert!(!equal(Value::Float(0.0), Value::Float(-0.0)));
    assert!(!equal(Value::Int(1), Value::from("1")));
}

/// Values of a field that is mostly a map.
fn maps() -> [Value; 4] {
    let deep = map(&[("b", map(&[("c", Value::Int(1))]))]);
    [deep, map(&[("b", Value::Int(3))]), Value::Null, Value::from("b")]
}

#[test]
fn a_path_finds_null_where_there_is_no_map() {
    let stream = ("s", &["a"][..], maps().map(|a| vec![a]).to_vec());
    let (names, rows) = joined(&JoinBolt::new("s", "a").select("a.b.c, a.x"), &[stream]);
    assert_eq!(names, ["c", "x"]);
    let found = [Value::Int(1), Value::Null, Value::Null, Value::Null];
    assert_eq!(rows, found.map(|c| vec![c, Value::Null]));
}

/// Also where a longer path begins with its name.
#[test]
fn a_field_with_a_dot_in_its_name_goes_before_a_path() {
    let rows = maps().map(|a| vec![a, Value::Int(2)]).to_vec();
    let (names, rows) = joined(&JoinBolt::new("s", "a").select("a.b, a.b.c"), &[("s", &["a", "a.b"], rows)]);
    assert_eq!(names, ["a.b", "c"]);
    assert_eq!(rows, vec![vec![Value::Int(2), Value::Null]; 4]);
}

#[test]
fn what_is_wrong_with_a_join_is_told() {
    let streams = [users(), stores()];
    let check = |bolt: JoinBolt, said: &str| assert_eq!(failure(&bolt, &streams), said);
    let bolt = || JoinBolt::new("users", "city").join("stores", "city", "users");
    check(
        JoinBolt::new("users", "city").join("stores", "city", "cities"),
        r#""stores" is joined with "cities", which isn't joined before it"#,
    );
    check(
        JoinBolt::new("users", "city").join("stores", "city", "stores"),
        r#""stores" is joined with "stores", which isn't joined before it"#,
    );
    check(bolt().join("users", "city", "stores"), r#""users" is joined twice"#);
    check(JoinBolt::new("users", "city"), r#"it reads "stores", which isn't joined"#);
    check(JoinBolt::new("people", "city"), r#""people" is joined, but what it reads is ["users", "stores"]"#);
    check(
        JoinBolt::new("users", "town"),
        r#""users" is joined by "town", but there is no such field among ["id", "name", "city"]"#,
    );
    check(
        bolt().select("name, city"),
        r#"selected field "city" is ambiguous: write one of ["users:city", "stores:city"]"#,
    );
    check(bolt().select("cities:city"), r#"selected field "cities:city" is of "cities", which isn't joined"#);
    let joined = r#"joined are [("users", ["id", "name", "city"]), ("stores", ["store_id", "store_name", "city"])]"#;
    check(bolt().select("age"), &format!(r#"there is no selected field "age"; {joined}"#));
    check(bolt().select("stores:name"), &format!(r#"there is no selected field "stores:name"; {joined}"#));
    check(bolt().select("name,"), &format!(r#"there is no selected field ""; {joined}"#));
}

/// Streams of two components, told apart by their own names; and two of one component, which are one if their fields are the same.
#[test]
fn streams_are_named_by_component_or_by_stream() {
    let info = |component: &str, stream: &str, fields: &[&str]| {
        let (component, stream) = (component.into(), stream.into());
        Arc::new(StreamInfo { component, stream, fields: Fields::new(fields).unwrap(), direct: false })
    };
    let inputs = [info("crm", "users", &["id"]), info("shop", "orders", &["user"]), info("web", "orders", &["user"])];
    let plan = Plan::new(&JoinBolt::new("users", "id").join("orders", "user", "users").by_stream(), &inputs).unwrap();
    assert_eq!(inputs.each_ref().map(|input| plan.place(input)), [Some(0), Some(1), Some(1)]);
    assert!(Plan::new(&JoinBolt::new("users", "id").join("orders", "user", "users"), &inputs).is_err());
    let inputs = [info("crm", "users", &["id"]), info("crm", "late", &["late_tuple"])];
    let said = Plan::new(&JoinBolt::new("crm", "id"), &inputs).unwrap_err().0;
    assert_eq!(said, r#"it reads two streams called "crm" with different fields, ["id"] and ["late_tuple"]"#);
}

/// The definition, without a hash table.
fn nested_loops(kind: Kind, left: &[&Value], right: &[&Value]) -> Vec<Pair> {
    let equal = |l: usize, r: usize| !left[l].is_null() && left[l] == right[r];
    let (lefts, rights) = (0..left.len(), 0..right.len());
    let mut found = Vec::new();
    for l in lefts.clone() {
        let matches: Vec<Pair> = rights.clone().filter(|&r| equal(l, r)).map(|r| (Some(l), Some(r))).collect();
        if matches.is_empty() && matches!(kind, Kind::Left | Kind::Full) {
            found.push((Some(l), None));
        }
        found.extend(matches);
    }
    if matches!(kind, Kind::Right | Kind::Full) {
        found.extend(rights.filter(|&r| !lefts.clone().any(|l| equal(l, r))).map(|r| (None, Some(r))));
    }
    found
}

/// Keys of few values, so that many are equal, and every fifth is null.
fn random_key(random: &mut EdgeIds) -> Value {
    let n = (random.next() % 4) as i64;
    match random.next() % 5 {
        0 => Value::Null,
        1 => Value::Float(n as f64),
        2 => n.to_string().into(),
        _ => Value::Int(n),
    }
}

#[test]
fn random_rows_are_joined_as_by_nested_loops() {
    for seed in 0..2_000 {
        let mut random = EdgeIds::new(seed);
        let side = |random: &mut EdgeIds| (0..random.next() % 12).map(|_| random_key(random)).collect::<Vec<Value>>();
        let (left, right) = (side(&mut random), side(&mut random));
        let (left, right): (Vec<&Value>, Vec<&Value>) = (left.iter().collect(), right.iter().collect());
        for kind in KINDS {
            assert_eq!(
                pairs(kind, &left, &right),
                nested_loops(kind, &left, &right),
                "seed {seed}, {kind:?}, {left:?}, {right:?}"
            );
        }
    }
}

/// Chains of four streams of `key` and `number`, each joined in a random way with a random earlier one, against the definition on whole rows.
#[test]
fn random_chains_are_joined_as_by_nested_loops() {
    const NAMES: [&str; 4] = ["s0", "s1", "s2", "s3"];
    for seed in 0..500 {
        let mut random = EdgeIds::new(seed);
        let row = |number: u64, random: &mut EdgeIds| vec![random_key(random), Value::Int(number as i64)];
        let streams: Vec<Stream<'_>> = NAMES
            .map(|name| (name, &["key", "number"][..], (0..random.next() % 6).map(|n| row(n, &mut random)).collect()))
            .into();
        let mut bolt = JoinBolt::new(NAMES[0], "key");
        let mut expected: Vec<Vec<Value>> = streams[0].2.clone();
        for (place, (name, _, right)) in streams.iter().enumerate().skip(1) {
            let (kind, with) = (KINDS[random.next() as usize % 4], random.next() as usize % place);
            bolt = bolt.joined(kind, name, "key", NAMES[with]);
            let lefts: Vec<&Value> = expected.iter().map(|row| &row[with * 2]).collect();
            let rights: Vec<&Value> = right.iter().map(|row| &row[0]).collect();
            let part = |rows: &[Vec<Value>], row: Option<usize>, width| {
                row.map_or(vec![Value::Null; width], |n| rows[n].clone())
            };
            let rows = nested_loops(kind, &lefts, &rights);
            let rows = rows.iter().map(|(l, r)| [part(&expected, *l, place * 2), part(right, *r, 2)].concat());
            expected = rows.collect();
        }
        assert_eq!(rows(&bolt, &streams), expected, "seed {seed}: {bolt:?}");
    }
}
