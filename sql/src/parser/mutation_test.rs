//! Mutated statements: whatever is sent, the parser answers and keeps its word about places.
//!
//! A failure prints its seed; `MONSOON_SEED=n cargo test -p monsoon-sql mutated` repeats it.

use super::parse;

const CORPUS: &[&str] = &[
    "CREATE STREAM bids (auction BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '5 seconds') WITH (connector = 'kafka', n = -1)",
    "CREATE TABLE users (id BIGINT PRIMARY KEY, name TEXT NOT NULL DEFAULT 'x', PRIMARY KEY (id))",
    "CREATE MATERIALIZED VIEW hot AS SELECT auction, count(*) n FROM HOP(bids, ts, INTERVAL '2 s', INTERVAL '10 s') GROUP BY 1 EMIT ON WINDOW CLOSE",
    "CREATE SINK s AS SELECT a, b::jsonb -> 'x' FROM t JOIN u USING (id) WHERE a IN (1, 2) WITH (connector = 'file')",
    "SELECT CASE WHEN a > 1 THEN 'ä' ELSE $1 END, sum(x) OVER (PARTITION BY y ORDER BY z) FROM (VALUES (1, 2)) AS v(a, b)",
    "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT * FROM x WHERE EXISTS (SELECT 1) LIMIT 5 OFFSET 2",
    "INSERT INTO t (a, \"B\") VALUES (1, E'\\n'), (NULL, $$x$$) ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING *",
    "COPY t (a, b) FROM STDIN WITH (FORMAT csv, HEADER, DELIMITER ';'); COPY (SUBSCRIBE TO v WITH (progress)) TO STDOUT",
    "DECLARE c CURSOR FOR SUBSCRIBE v; FETCH FORWARD 10 FROM c WITH (timeout = '1s'); CLOSE ALL -- done",
    "PREPARE p (int, numeric(10, 2)[]) AS SELECT $1; EXECUTE p (1, ARRAY[1.5]); EXPLAIN (ANALYZE, VERBOSE) SELECT 1",
    "SET SESSION x.y TO 'a', b; SHOW TRANSACTION ISOLATION LEVEL; BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY; ROLLBACK TO a",
    "SELECT c.oid::pg_catalog.regclass, a.x[1], (r).f, x COLLATE \"C\", x OPERATOR(pg_catalog.~) '^(t)$' FROM pg_catalog.pg_class c /* c */",
    "COMMENT ON COLUMN a.b.c IS 'x'; DROP MATERIALIZED VIEW IF EXISTS a, b CASCADE; TRUNCATE a, b; UNLISTEN *; FLUSH",
    "CREATE OR REPLACE TOPOLOGY t WITH (ackers = 1, message_timeout = '30 s') AS SPOUT s USING STREAM x PARALLELISM 2 TASKS 4 BOLT b USING SQL (SELECT w AS begin FROM input) FIELDS GROUPING (w) ON s, LOCAL OR SHUFFLE GROUPING ON s STREAM y",
    "CREATE TOPOLOGY IF NOT EXISTS t AS SPOUT s USING SHELL ('python3', 's.py') DIRECTORY 'd' OUTPUT (w TEXT) OUTPUT DIRECT STREAM d (x INT) BOLT b USING NATIVE 'n' ('a') CUSTOM GROUPING 'g' ON s BOLT o USING INSERT INTO r GLOBAL GROUPING ON b",
    "CREATE TOPOLOGY t AS BOLT w USING WINDOW (SELECT count(*) FROM input) LENGTH 100 ROWS SLIDE INTERVAL '5' SECOND TIMESTAMP FIELD ts LAG INTERVAL '1 s' LATE STREAM l ALLOWED LATENESS '1 s' IDLE TIMEOUT '1 min' ALL GROUPING ON b",
    "CREATE TOPOLOGY t AS BEGIN CREATE VIEW v AS SELECT 1; SELECT CASE WHEN a THEN b END; END; SELECT 1; SHOW TOPOLOGIES",
    "ALTER TOPOLOGY t REBALANCE WITH (parallelism = 8, wait = '10 s'); KILL TOPOLOGY IF EXISTS t WAIT INTERVAL '10 s'; RESTART TOPOLOGY t",
];

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound.max(1)
    }
}

/// Words of all statements, to be put where they don't belong.
fn words() -> Vec<&'static str> {
    let mut words: Vec<&str> = CORPUS.iter().flat_map(|sql| sql.split(' ')).collect();
    words.extend([
        "(",
        ")",
        "[",
        "]",
        "'",
        "\"",
        "$$",
        "/*",
        "--\n",
        ";",
        ",",
        "::",
        "é",
        "\u{1F600}",
        "\r\n",
        "\0",
        "TABLE",
        "NOT",
        "<",
        ">>",
        "U&'",
        "B'1'",
        "X'0f'",
    ]);
    words
}

fn mutate(random: &mut Random, words: &[&str]) -> String {
    let mut pieces: Vec<String> = CORPUS[random.next(CORPUS.len())].split_inclusive(' ').map(str::to_owned).collect();
    for _ in 0..1 + random.next(4) {
        let at = random.next(pieces.len());
        match random.next(7) {
            0 => drop(pieces.remove(at)),
            1 => pieces.insert(at, format!("{} ", words[random.next(words.len())])),
            2 => pieces[at] = words[random.next(words.len())].to_owned(),
            3 => {
                let other = random.next(pieces.len());
                pieces.swap(at, other);
            }
            4 => pieces.truncate(at + 1),
            5 => {
                let repeated = pieces[at].repeat(1 + random.next(60));
                pieces[at] = repeated;
            }
            _ => {
                let mut characters: Vec<char> = pieces[at].chars().collect();
                if !characters.is_empty() {
                    let place = random.next(characters.len());
                    characters[place] = char::from_u32(random.next(0x250) as u32).unwrap_or('x');
                }
                pieces[at] = characters.into_iter().collect();
            }
        }
        if pieces.is_empty() {
            break;
        }
    }
    pieces.concat()
}

#[test]
fn mutated_statements_never_panic_and_places_are_true() {
    let seed: u64 = std::env::var("MONSOON_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5EED);
    let mut random = Random(seed | 1);
    let words = words();
    for n in 0..50_000 {
        let sql = mutate(&mut random, &words);
        let characters: Vec<char> = sql.chars().collect();
        match std::panic::catch_unwind(|| parse(&sql)) {
            Err(_) => panic!("seed {seed}, statement {n}: {sql:?}"),
            Ok(Err(error)) => {
                let in_text = error.position.is_none_or(|position| (1..=characters.len() + 1).contains(&position));
                assert!(in_text && !error.message.is_empty(), "seed {seed}, statement {n}: {sql:?}: {error:?}");
            }
            Ok(Ok(statements)) => {
                for statement in statements {
                    let length = statement.sql.chars().count();
                    let there: String = characters.iter().skip(statement.offset).take(length).collect();
                    assert_eq!(there, statement.sql, "seed {seed}, statement {n}: {sql:?}");
                }
            }
        }
    }
}
