//! Maps and arrays within a row. Maps are JSON here.

use crate::{refused, start, view};

const NESTED: &str = r#"
CREATE STREAM nested (id BIGINT, mapfield JSON, nestedmapfield JSON, arrayfield BIGINT[]);
INSERT INTO nested VALUES
  (0, '{"b":0,"c":0}', '{"a":{"b":0,"c":0}}', ARRAY[100, 200, 300]),
  (1, '{"b":1,"c":1}', '{"a":{"b":1,"c":1}}', ARRAY[100, 200, 300]),
  (2, '{"b":2,"c":4}', '{"a":{"b":2,"c":4}}', ARRAY[100, 200, 300]),
  (3, '{"b":3,"c":9}', '{"a":{"b":3,"c":9}}', ARRAY[100, 200, 300]),
  (4, '{"b":4,"c":16}', '{"a":{"b":4,"c":16}}', ARRAY[100, 200, 300])"#;

#[tokio::test(flavor = "multi_thread")]
async fn q02_members_of_maps_and_arrays() {
    let (_server, client) = start("storm-sql-q02", NESTED).await;
    let query = "SELECT id, (mapfield ->> 'c')::BIGINT AS c, nestedmapfield, arrayfield FROM nested
                 WHERE (nestedmapfield -> 'a' ->> 'b')::BIGINT = 2 AND arrayfield[2] = 200";
    assert_eq!(view(&client, query, "id").await, [r#"2|4|{"a":{"b":2,"c":4}}|{100,200,300}"#]);
    // The first element is 1.
    assert_eq!(view(&client, "SELECT arrayfield[1] AS first FROM nested WHERE id = 0", "first").await, ["100"]);
    refused(&client, &[("CREATE STREAM maps (m MAP)", "0A000")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn q03_what_is_not_there_gives_no_rows_and_fails_nothing() {
    let (_server, client) = start("storm-sql-q03", NESTED).await;
    let none: [&str; 0] = [];
    for condition in [
        "(mapfield ->> 'd')::BIGINT = 2",
        "(nestedmapfield -> 'x' ->> 'b')::BIGINT = 2",
        "arrayfield[4] = 200",
        "arrayfield[0] = 100",
    ] {
        assert_eq!(view(&client, &format!("SELECT id FROM nested WHERE {condition}"), "id").await, none, "{condition}");
    }
    // Differs: that 'a' is no index of an array, and that JSON has no index, is told when the view is made.
    let by_text = "CREATE MATERIALIZED VIEW v AS SELECT id FROM nested WHERE arrayfield['a'] = 200";
    let of_json = "CREATE MATERIALIZED VIEW v AS SELECT mapfield['c'] AS c FROM nested";
    refused(&client, &[(by_text, "22000"), (of_json, "22000")]).await;
}
