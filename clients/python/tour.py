"""A tour of Monsoon with psycopg 3: python3 tour.py PORT. Checks what it gets; the test of the drivers runs it."""

import sys
from datetime import datetime
from decimal import Decimal

import psycopg


def create(connection):
    connection.execute("CREATE TABLE accounts (id BIGINT PRIMARY KEY, owner TEXT, country TEXT)")
    connection.execute(
        "CREATE STREAM payments (account BIGINT, amount NUMERIC(12,2), at TIMESTAMP,"
        " WATERMARK FOR at AS at - INTERVAL '5 seconds')"
    )
    connection.execute(
        "CREATE MATERIALIZED VIEW spent AS"
        " SELECT a.country, count(*) AS payments, sum(p.amount) AS total, max(p.at) AS latest"
        " FROM payments p JOIN accounts a ON a.id = p.account GROUP BY a.country"
    )


def insert(connection):
    """Parameters travel apart from the statement; executemany sends them in one go."""
    with connection.cursor() as cursor:
        accounts = [(1, "Ada", "GB"), (2, "Linus", "FI"), (3, "O'Hara", None)]
        cursor.executemany("INSERT INTO accounts VALUES (%s, %s, %s)", accounts)
        assert cursor.rowcount == 3, cursor.rowcount
    payments = [
        (1, Decimal("12.50"), datetime(2026, 1, 1, 10, 0, 1)),
        (2, Decimal("99.90"), datetime(2026, 1, 1, 10, 0, 2)),
        (1, Decimal("7.50"), datetime(2026, 1, 1, 10, 0, 4, 250_000)),
    ]
    for payment in payments:
        connection.execute("INSERT INTO payments VALUES (%s, %s, %s)", payment)


def read(connection):
    """A row has Python's own types: int, Decimal, datetime, str, None."""
    rows = connection.execute("SELECT * FROM spent ORDER BY country").fetchall()
    assert rows == [
        ("FI", 1, Decimal("99.90"), datetime(2026, 1, 1, 10, 0, 2)),
        ("GB", 2, Decimal("20.00"), datetime(2026, 1, 1, 10, 0, 4, 250_000)),
    ], rows
    row = connection.execute("SELECT owner, country FROM accounts WHERE id = %s", (3,)).fetchone()
    assert row == ("O'Hara", None), row
    with connection.cursor(binary=True) as cursor:
        row = cursor.execute("SELECT total, latest FROM spent WHERE country = %s", ("GB",)).fetchone()
    assert row == (Decimal("20.00"), datetime(2026, 1, 1, 10, 0, 4, 250_000)), row


def update(connection):
    changed = connection.execute("UPDATE accounts SET country = %s WHERE id >= %s", ("SE", 2))
    assert changed.rowcount == 2, changed.rowcount
    rows = connection.execute("SELECT country, total FROM spent ORDER BY country").fetchall()
    assert rows == [("GB", Decimal("20.00")), ("SE", Decimal("99.90"))], rows
    gone = connection.execute("DELETE FROM accounts WHERE id = 3")
    assert gone.rowcount == 1, gone.rowcount


def copy_in(connection):
    with connection.cursor() as cursor, cursor.copy("COPY accounts FROM STDIN") as copy:
        copy.write_row((4, "Tab\tand\\slash", "PT"))
        copy.write_row((5, None, "ES"))
    rows = connection.execute("SELECT id, owner FROM accounts WHERE id >= 4 ORDER BY id").fetchall()
    assert rows == [(4, "Tab\tand\\slash"), (5, None)], rows


def transact(port):
    """What is rolled back never was; what is committed is there for everyone, in the views too."""
    with connect(port, autocommit=False) as writer, connect(port) as reader:
        count = "SELECT count(*) FROM accounts"
        before = reader.execute(count).fetchone()[0]
        writer.execute("INSERT INTO accounts VALUES (8, 'Barbara', 'US')")
        assert reader.execute(count).fetchone()[0] == before
        writer.rollback()
        writer.execute("INSERT INTO accounts VALUES (9, 'Edsger', 'NL')")
        writer.execute("INSERT INTO payments VALUES (9, 3.00, '2026-01-01 10:00:05')")
        writer.commit()
        assert reader.execute(count).fetchone()[0] == before + 1
        ids = [row[0] for row in reader.execute("SELECT id FROM accounts ORDER BY id")]
        assert ids == [1, 2, 4, 5, 9], ids
        total = reader.execute("SELECT total FROM spent WHERE country = 'NL'").fetchone()
        assert total == (Decimal("3.00"),), total


def subscribe(port):
    """A cursor over changes: first what is there, then each change with its weight, as it is committed."""
    with connect(port, autocommit=False) as subscriber, connect(port) as writer:
        subscriber.execute(
            "DECLARE changes CURSOR FOR SUBSCRIBE TO (SELECT country, total FROM spent WHERE country = 'GB')"
        )
        fetch = "FETCH 100 FROM changes"
        snapshot = subscriber.execute(fetch).fetchall()
        assert [row[1:] for row in snapshot] == [(1, "GB", Decimal("20.00"))], snapshot
        writer.execute("INSERT INTO payments VALUES (1, 5.00, '2026-01-01 10:00:05')")
        changes = subscriber.execute(fetch).fetchall()
        weights = {row[3]: row[1] for row in changes}
        assert weights == {Decimal("20.00"): -1, Decimal("25.00"): 1}, changes
        assert changes[0][0] > snapshot[0][0], "a later change has a later transaction"
        subscriber.execute("CLOSE changes")


def stream(port):
    """The same as a stream that goes on until the reader leaves."""
    with connect(port) as subscriber:
        query = "COPY (SUBSCRIBE TO (SELECT country, total FROM spent WHERE country = 'GB')) TO STDOUT"
        with subscriber.cursor() as cursor, cursor.copy(query) as copy:
            first = next(iter(copy.rows()))
            assert first[1:] == ("1", "GB", "25.00"), first
            subscriber.cancel()
            try:
                for _ in copy:
                    pass
            except psycopg.errors.QueryCanceled:
                pass


def fail(connection):
    try:
        connection.execute("SELECT nosuch FROM spent")
    except psycopg.errors.UndefinedColumn as error:
        assert error.sqlstate == "42703", error.sqlstate
        assert error.diag.statement_position == "8", error.diag.statement_position
    else:
        raise AssertionError("a column that isn't there was selected")
    assert connection.execute("SELECT 1").fetchone() == (1,)


def clean_up(connection):
    connection.execute("DROP TABLE accounts CASCADE")
    connection.execute("DROP STREAM payments")


def connect(port, autocommit=True):
    return psycopg.connect(host="127.0.0.1", port=port, user="monsoon", dbname="monsoon", autocommit=autocommit)


def main():
    port = int(sys.argv[1])
    with connect(port) as connection:
        create(connection)
        insert(connection)
        read(connection)
        update(connection)
        copy_in(connection)
        transact(port)
        subscribe(port)
        stream(port)
        fail(connection)
        clean_up(connection)
    print("ok")


if __name__ == "__main__":
    main()
