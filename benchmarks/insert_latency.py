"""Time of a one-row INSERT, from sending it to its acknowledgement, when a view over the table has it too.

Needs psycopg 3 and a running server: python3 benchmarks/insert_latency.py [rows] [psycopg connection string].
Prints one JSON object; times in milliseconds.
"""

import json
import sys
import time

import psycopg


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    address = sys.argv[2] if len(sys.argv) > 2 else "host=127.0.0.1 port=5440 user=monsoon dbname=monsoon"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE TABLE insert_latency (id BIGINT PRIMARY KEY, v INT)")
        connection.execute("CREATE MATERIALIZED VIEW insert_latency_v AS SELECT v, count(*) AS n FROM insert_latency GROUP BY v")
        try:
            print(json.dumps(measure(connection, rows)))
        finally:
            connection.execute("DROP TABLE insert_latency CASCADE")


def measure(connection: psycopg.Connection, rows: int) -> dict:
    inserts, reads = [], []
    for number in range(rows):
        began = time.perf_counter()
        connection.execute("INSERT INTO insert_latency VALUES (%s, 1)", (number,))
        inserted = time.perf_counter()
        seen = connection.execute("SELECT n FROM insert_latency_v WHERE v = 1").fetchone()[0]
        read = time.perf_counter()
        if seen != number + 1:
            raise SystemExit(f"{number + 1} rows are acknowledged, and the view has {seen}")
        inserts.append((inserted - began) * 1e3)
        reads.append((read - began) * 1e3)
    return {"rows": rows, "insert": percentiles(inserts), "insert_and_read_view": percentiles(reads)}


def percentiles(times: list) -> dict:
    times.sort()
    at = lambda part: round(times[min(len(times) - 1, int(len(times) * part))], 3)
    return {"p50": at(0.5), "p99": at(0.99), "max": round(times[-1], 3)}


if __name__ == "__main__":
    main()
