//! Expressions, each in a SELECT and as a column of a view over the stream.

use crate::client::Client;
use crate::{FOO, refused, start, view};

/// Each expression has its value, for the row of `foo` with id 1.
async fn values(client: &Client, cases: &[(&str, &str)]) {
    let column = |(n, (expression, _)): (usize, &(&str, &str))| format!("{expression} AS e{n}");
    let columns: Vec<String> = cases.iter().enumerate().map(column).collect();
    let query = format!("SELECT {} FROM foo WHERE id > 0 AND id < 2", columns.join(", "));
    for rows in [client.rows(&query).await, view(client, &query, "e0").await] {
        assert_eq!(rows.len(), 1, "{rows:?}");
        let found: Vec<(&str, &str)> =
            cases.iter().map(|(expression, _)| *expression).zip(rows[0].split('|')).collect();
        assert_eq!(found, cases);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q05_plans() {
    let (_server, client) = start("storm-sql-q05-plans", FOO).await;
    assert_eq!(view(&client, "SELECT id FROM foo WHERE id > 2", "id").await, ["3", "4"]);
    assert_eq!(view(&client, "SELECT id + 3 AS plus FROM foo WHERE id = 2", "plus").await, ["5"]);

    client
        .run(
            "CREATE STREAM source (id BIGINT, name TEXT, addr TEXT);
             INSERT INTO source VALUES (0, 'a', 'y'), (1, 'ab', 'y'), (2, 'abc', 'y'), (3, 'abcd', 'y'), (4, 'abcde', 'y');
             CREATE TABLE bar (id BIGINT PRIMARY KEY, name TEXT, addr TEXT);
             CREATE TOPOLOGY source_to_bar WITH (checkpoint_interval = '100 ms') AS
               SPOUT source USING STREAM source
               BOLT  last   USING SQL (SELECT id, name, addr FROM input WHERE id > 3) SHUFFLE GROUPING ON source
               BOLT  bar    USING INSERT INTO bar GLOBAL GROUPING ON last",
        )
        .await;
    client.wait_for("SELECT * FROM bar", &["4|abcde|y"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn q05_binary_strings_dates_and_times() {
    let (_server, client) = start("storm-sql-q05-functions", FOO).await;
    values(
        &client,
        &[
            ("x'45F0AB' || x'45F0AB'", "\\x45f0ab45f0ab"),
            ("DATE '1970-05-15' - DATE '1970-01-01'", "134"),
            ("TIME '00:00:00'", "00:00:00"),
            ("TIMESTAMP '2016-01-01 00:00:00'", "2016-01-01 00:00:00"),
            ("EXTRACT(MONTH FROM TIMESTAMP '2010-01-23 12:34:56')", "1"),
            // FLOOR(DATE '2016-01-23' TO MONTH) in Postgres' words. StormSQL's answer is 1970-01-01.
            ("date_trunc('month', TIMESTAMP '2016-01-23 00:00:00')", "2016-01-01 00:00:00"),
            // CEIL(TIME '12:34:56' TO MINUTE), of whole seconds.
            ("date_trunc('minute', TIMESTAMP '2016-01-01 12:34:56' + INTERVAL '59 seconds')", "2016-01-01 12:35:00"),
            ("EXTRACT(QUARTER FROM DATE '2016-10-07')", "4"),
            ("TIMESTAMP '2016-10-07 00:00:00' + INTERVAL '15 minutes'", "2016-10-07 00:15:00"),
            ("EXTRACT(EPOCH FROM TIMESTAMP '2016-10-07 00:00:00' - TIMESTAMP '2016-10-06 00:00:00')", "86400"),
            // INTERVAL '1-5' YEAR TO MONTH is 17 months.
            ("TIMESTAMP '2016-01-15 00:00:00' + INTERVAL '1 year 5 months'", "2017-06-15 00:00:00"),
            ("TIMESTAMP '2016-01-15 00:00:00' + INTERVAL '17 months'", "2017-06-15 00:00:00"),
            ("DATE '1970-01-15' - DATE '1970-01-01'", "14"),
        ],
    )
    .await;
    // The clock is read by each query; StormSQL's stood still for the life of a topology.
    let clock = "SELECT CURRENT_DATE = CAST(now() AS DATE), CURRENT_TIMESTAMP = now() FROM foo WHERE id = 1";
    assert_eq!(client.rows(clock).await, ["t|t"]);
    refused(
        &client,
        &[
            ("SELECT FLOOR(DATE '2016-01-23' TO MONTH)", "0A000"),
            ("SELECT CEIL(TIME '12:34:56' TO MINUTE)", "0A000"),
            ("SELECT INTERVAL '1-5' YEAR TO MONTH", "0A000"),
            ("SELECT (DATE '1970-01-01', DATE '1970-01-15')", "0A000"),
            ("SELECT {fn QUARTER(DATE '2016-10-07')}", "42883"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn q07_three_valued_logic() {
    let (_server, client) = start("storm-sql-q07-logic", FOO).await;
    values(
        &client,
        &[
            ("id > 0 OR id < 1", "t"),
            ("id > 0 AND id < 1", "f"),
            ("NOT (id > 0 AND id < 1)", "t"),
            ("TRUE IS TRUE", "t"),
            ("TRUE IS NOT TRUE", "f"),
            ("NULL::BOOLEAN IS TRUE", "f"),
            ("NULL::BOOLEAN IS NOT TRUE", "t"),
            ("TRUE IS FALSE", "f"),
            ("NULL::BOOLEAN IS UNKNOWN", "t"),
            ("NULL::BOOLEAN IS NULL", "t"),
            ("NULL::BOOLEAN IS NOT NULL", "f"),
            ("NOT TRUE", "f"),
            ("NOT FALSE", "t"),
            ("NOT NULL::BOOLEAN", "null"),
            ("NULL::BOOLEAN AND TRUE", "null"),
            ("NULL::BOOLEAN AND FALSE", "f"),
            ("NULL::BOOLEAN AND NULL::BOOLEAN", "null"),
            ("TRUE AND TRUE", "t"),
            ("TRUE AND FALSE", "f"),
            ("TRUE AND NULL::BOOLEAN", "null"),
            ("FALSE AND TRUE", "f"),
            ("FALSE AND FALSE", "f"),
            ("FALSE AND NULL::BOOLEAN", "f"),
            ("NULL::BOOLEAN OR TRUE", "t"),
            ("NULL::BOOLEAN OR FALSE", "null"),
            ("NULL::BOOLEAN OR NULL::BOOLEAN", "null"),
            ("TRUE OR TRUE", "t"),
            ("TRUE OR FALSE", "t"),
            ("TRUE OR NULL::BOOLEAN", "t"),
            ("FALSE OR TRUE", "t"),
            ("FALSE OR FALSE", "f"),
            ("FALSE OR NULL::BOOLEAN", "null"),
        ],
    )
    .await;
    // `addr` is null and `name` is x.
    values(
        &client,
        &[
            ("addr = 'a' AND name = 'a'", "f"),
            ("name = 'a' AND addr = 'a'", "f"),
            ("name = 'x' AND addr = 'a'", "null"),
            ("addr = 'a' AND name = 'x'", "null"),
            ("addr = 'a' OR name = 'a'", "null"),
            ("name = 'a' OR addr = 'a'", "null"),
            ("name = 'x' OR addr = 'a'", "t"),
            ("addr = 'a' OR name = 'x'", "t"),
            ("1 = 2", "f"),
            ("NULL = NULL", "null"),
            ("'a' = 'a'", "t"),
            ("'a' = NULL", "null"),
            ("NULL = 'a'", "null"),
            ("'a' = 'b'", "f"),
            ("1 <> 2", "t"),
            ("NULL <> NULL", "null"),
            ("'a' <> 'a'", "f"),
            ("'a' <> NULL", "null"),
            ("NULL <> 'a'", "null"),
            ("'a' <> 'b'", "t"),
            ("1 + NULL::INT", "null"),
            ("NULL::INT + 1", "null"),
            ("NULL::INT + NULL::INT", "null"),
        ],
    )
    .await;
    // As in Postgres, UNKNOWN is a test and not a value.
    refused(&client, &[("SELECT UNKNOWN OR TRUE", "42703")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn q07_conditions_collections_and_numbers() {
    let (_server, client) = start("storm-sql-q07-conditions", FOO).await;
    let case = |text: &str| {
        format!(
            "CASE WHEN '{text}' IN ('a', 'abc', 'abcde') THEN UPPER('a') WHEN UPPER('{text}') = 'AB' THEN 'b'
             ELSE {{fn CONCAT('{text}', '#')}} END"
        )
    };
    values(
        &client,
        &[
            ("TRUE IS DISTINCT FROM TRUE", "f"),
            ("TRUE IS NOT DISTINCT FROM FALSE", "f"),
            ("3 BETWEEN 1 AND 5", "t"),
            ("10 NOT BETWEEN 1 AND 5", "t"),
            ("'hello' LIKE '_e%'", "t"),
            ("'world' NOT LIKE 'wor%'", "f"),
            ("'abc' SIMILAR TO '[a-zA-Z]+[cd]{1}'", "t"),
            ("'abe' NOT SIMILAR TO '[a-zA-Z]+[cd]{1}'", "t"),
            ("'3' IN ('1', '2', '3', '4')", "t"),
            ("2 NOT IN (1, 3, 5)", "t"),
            (&case("abcd"), "abcd#"),
            (&case("ab"), "b"),
            (&case("abc"), "A"),
            ("NULLIF(5, 5)", "null"),
            ("NULLIF(5, 0)", "5"),
            ("COALESCE(NULL, NULL, 5, 4, NULL)", "5"),
            ("COALESCE(1, 5)", "1"),
            ("(ARRAY[3])[1]", "3"),
            ("CARDINALITY(ARRAY[1, 2, 3, 4, 5])", "5"),
            ("1 + 2", "3"),
            ("POWER(3, 2)", "9"),
            ("ABS(-10)", "10"),
            ("10 % 3", "1"),
            ("-10 % 3", "-1"),
            ("CEIL(123.45)", "124"),
            ("FLOOR(123.45)", "123"),
            // Whole parts of 15.9687, 2.7725 and 22026.465794.
            ("FLOOR(SQRT(255))", "15"),
            ("FLOOR(LN(16))", "2"),
            ("FLOOR(EXP(10))", "22026"),
            ("LOG10(10000)", "4"),
        ],
    )
    .await;
    // ELEMENT is not in Postgres.
    refused(&client, &[("SELECT ELEMENT(ARRAY[1, 2, 3])", "42883")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn q07_strings() {
    let (_server, client) = start("storm-sql-q07-strings", FOO).await;
    values(
        &client,
        &[
            ("'ab' || 'cd'", "abcd"),
            ("CHAR_LENGTH('foo')", "3"),
            ("CHARACTER_LENGTH('foo')", "3"),
            ("UPPER('a')", "A"),
            ("LOWER('A')", "a"),
            ("POSITION('bc' IN 'abcd')", "2"),
            ("TRIM(BOTH ' ' FROM '  abcdeabcdeabc  ')", "abcdeabcdeabc"),
            ("TRIM(LEADING ' ' FROM '  abcdeabcdeabc  ')", "abcdeabcdeabc  "),
            ("TRIM(TRAILING ' ' FROM '  abcdeabcdeabc  ')", "  abcdeabcdeabc"),
            ("OVERLAY('abcde' PLACING 'bc' FROM 3)", "abbce"),
            ("SUBSTRING('abcde' FROM 3)", "cde"),
            ("SUBSTRING('abcdeabcde' FROM 3 FOR 4)", "cdea"),
            ("INITCAP('foo')", "Foo"),
            // The escapes of JDBC whose name Postgres has too.
            ("{fn POWER(3, 2)}", "9"),
            ("{fn ABS(-10)}", "10"),
            ("{fn LOG10(10000)}", "4"),
            ("{fn CONCAT('ab', 'cd')}", "abcd"),
            ("{fn LENGTH('AbCdE')}", "5"),
            ("{fn LTRIM('  abcde  ')}", "abcde  "),
            ("{fn RTRIM('  abcde  ')}", "  abcde"),
            ("{fn SUBSTRING('abcdeabcde', 3, 4)}", "cdea"),
            // LOCATE, INSERT, LCASE and UCASE in Postgres' words.
            ("STRPOS('abcdeabcde', 'bc')", "2"),
            ("STRPOS(SUBSTRING('abcdeabcde' FROM 4), 'bc') + 3", "7"),
            ("OVERLAY('abcd' PLACING 'de' FROM 2 FOR 3)", "ade"),
            ("LOWER('AbCdE')", "abcde"),
            ("UPPER('AbCdE')", "ABCDE"),
        ],
    )
    .await;
    refused(
        &client,
        &[
            ("SELECT {fn LOCATE('bc', 'abcdeabcde')}", "42883"),
            ("SELECT {fn LCASE('AbCdE')}", "42883"),
            ("SELECT {fn UCASE('AbCdE')}", "42883"),
        ],
    )
    .await;
}
