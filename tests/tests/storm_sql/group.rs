//! GROUP BY, which StormSQL dropped because it "doesn't make sense without windowing". A view keeps it right at all times.

use crate::{refused, start, view};

/// Ten rows: i/3, i, (i+1)*0.5, x, i/2.
const SALARIES: &str = "
CREATE STREAM foo (id BIGINT, salary INT, pct DOUBLE PRECISION, name TEXT, empid BIGINT);
INSERT INTO foo VALUES
  (0, 0, 0.5, 'x', 0), (0, 1, 1.0, 'x', 0), (0, 2, 1.5, 'x', 1), (1, 3, 2.0, 'x', 1), (1, 4, 2.5, 'x', 2),
  (1, 5, 3.0, 'x', 2), (2, 6, 3.5, 'x', 3), (2, 7, 4.0, 'x', 3), (2, 8, 4.5, 'x', 4), (3, 9, 5.0, 'x', 4)";

#[tokio::test(flavor = "multi_thread")]
async fn q08_group_by() {
    let (_server, client) = start("storm-sql-q08", SALARIES).await;
    let cases: [(&str, &[&str]); 7] = [
        (
            "SELECT id, COUNT(*) AS n, SUM(salary) AS total, AVG(salary) AS mean FROM foo GROUP BY (id)",
            &["0|3|3|1", "1|3|12|4", "2|3|21|7", "3|1|9|9"],
        ),
        (
            "SELECT id, COUNT(*) AS n, SUM(salary) AS total, AVG(pct) AS mean FROM foo WHERE id = 1 GROUP BY (id)",
            &["1|3|12|2.5"],
        ),
        (
            "SELECT id, COUNT(*) AS n, AVG(salary) AS a, AVG(pct) AS b FROM foo WHERE id = 1 GROUP BY (id)",
            &["1|3|4|2.5"],
        ),
        (
            "SELECT id, COUNT(*) AS n, MIN(salary) AS low, MAX(pct) AS high FROM foo GROUP BY (id)",
            &["0|3|0|1.5", "1|3|3|3", "2|3|6|4.5", "3|1|9|5"],
        ),
        (
            "SELECT id, MIN(salary) AS low FROM foo WHERE id > 0 GROUP BY (id) HAVING id > 2 AND MAX(salary) > 5",
            &["3|9"],
        ),
        (
            "SELECT id, empid, COUNT(*) AS n, MIN(salary) AS low, MAX(pct) AS high FROM foo GROUP BY id, empid",
            &["0|0|2|0|1", "0|1|1|2|1.5", "1|1|1|3|2", "1|2|2|4|3", "2|3|2|6|4", "2|4|1|8|4.5", "3|4|1|9|5"],
        ),
        // Differs, better: STDDEV_POP was unsupported. Of three numbers in a row it is the root of 2/3 = 0.8165.
        (
            "SELECT id, CAST(ROUND(STDDEV_POP(salary) * 10000) AS BIGINT) AS deviation FROM foo GROUP BY id",
            &["0|8165", "1|8165", "2|8165", "3|0"],
        ),
    ];
    for (query, expected) in cases {
        // The first columns are the key of the groups.
        assert_eq!(view(&client, query, "1, 2").await, expected, "{query}");
    }
    // The mean of integers isn't cut to an integer as StormSQL's was: (4 + 5) / 2.
    assert_eq!(view(&client, "SELECT AVG(salary) AS mean FROM foo WHERE empid = 2", "mean").await, ["4.5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn q08_what_functions_of_users_were_for() {
    let (_server, client) = start("storm-sql-q08-functions", SALARIES).await;
    refused(
        &client,
        &[
            ("CREATE FUNCTION topn AS 'org.apache.storm.sql.TestUtils$TopN'", "0A000"),
            ("CREATE MATERIALIZED VIEW v AS SELECT id, topn(2, salary) AS top FROM foo GROUP BY id", "42883"),
        ],
    )
    .await;
    // MYCONCAT(NAME).
    let names = "SELECT id, string_agg(name, '') AS names FROM foo GROUP BY id";
    assert_eq!(view(&client, names, "id").await, ["0|xxx", "1|xxx", "2|xxx", "3|x"]);
    // TOPN(2, SALARY), a row for each.
    let top = "SELECT id, salary FROM
                 (SELECT id, salary, row_number() OVER (PARTITION BY id ORDER BY salary DESC) AS place FROM foo) WHERE place <= 2";
    assert_eq!(view(&client, top, "id, salary DESC").await, ["0|2", "0|1", "1|5", "1|4", "2|8", "2|7", "3|9"]);
}

/// Five rows of one group, ages 5 to 1, scores 0 to 40.
const SCORES: &str = "
CREATE STREAM foo (id BIGINT, grpid BIGINT, name TEXT, addr TEXT, age INT, score INT);
INSERT INTO foo VALUES
  (0, 0, 'x', 'y', 5, 0), (1, 0, 'x', 'y', 4, 10), (2, 0, 'x', 'y', 3, 20), (3, 0, 'x', 'y', 2, 30), (4, 0, 'x', 'y', 1, 40)";

#[tokio::test(flavor = "multi_thread")]
async fn q10_group_by_of_trident() {
    let (_server, client) = start("storm-sql-q10", SCORES).await;
    let all = "SELECT grpid, COUNT(*) AS n, MAX(age) AS high, MIN(age) AS low, AVG(age) AS mean, MAX(age) - MIN(age) AS spread
               FROM foo GROUP BY grpid";
    assert_eq!(view(&client, all, "grpid").await, ["0|5|5|1|3|4"]);
    let of_expression = "SELECT grpid, COUNT(*) AS n, MAX(score - age) AS difference FROM foo GROUP BY grpid";
    assert_eq!(view(&client, of_expression, "grpid").await, ["0|5|39"]);
    // The aggregate of a user that Storm tested was a sum.
    assert_eq!(view(&client, "SELECT grpid, SUM(age) AS total FROM foo GROUP BY grpid", "grpid").await, ["0|15"]);
    // A join of sub-queries, not with the words of Storm's, which aren't at hand: ids 3 and 4 are on both sides.
    let join = "SELECT COUNT(*) AS n FROM (SELECT id FROM foo WHERE id > 2) AS a
                JOIN (SELECT id FROM foo WHERE age < 4) AS b ON a.id = b.id";
    assert_eq!(view(&client, join, "n").await, ["2"]);

    client
        .run(
            "CREATE STREAM names (id BIGINT, name TEXT);
             INSERT INTO names VALUES (0, 'a'), (1, 'ab'), (2, 'abc'), (3, 'abcd'), (4, 'abcde')",
        )
        .await;
    let case = "SELECT id, CASE WHEN name IN ('a', 'abc', 'abcde') THEN UPPER('a') WHEN UPPER(name) = 'AB' THEN 'b'
                ELSE {fn CONCAT(name, '#')} END AS answer FROM names";
    assert_eq!(view(&client, case, "id").await, ["0|A", "1|b", "2|A", "3|abcd#", "4|A"]);
}
