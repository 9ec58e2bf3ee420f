import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.Objects;

/** A tour of Monsoon with pgjdbc: java -cp postgresql.jar Tour.java PORT. Checks what it gets; the test of the drivers runs it. */
public final class Tour {
    private static final LocalDateTime TEN = LocalDateTime.of(2026, 1, 1, 10, 0);

    public static void main(String[] arguments) throws SQLException {
        String url = "jdbc:postgresql://127.0.0.1:" + arguments[0] + "/monsoon?user=monsoon";
        try (Connection connection = DriverManager.getConnection(url)) {
            create(connection);
            insert(connection);
            read(connection);
            update(connection);
            transact(connection, url);
            fetchInPortions(connection);
            subscribe(connection, url);
            fail(connection);
            execute(connection, "DROP TABLE accounts CASCADE");
            execute(connection, "DROP STREAM payments");
        }
        System.out.println("ok");
    }

    private static void create(Connection connection) throws SQLException {
        execute(connection, "CREATE TABLE accounts (id BIGINT PRIMARY KEY, owner TEXT, country TEXT)");
        execute(connection, "CREATE STREAM payments (account BIGINT, amount NUMERIC(12,2), at TIMESTAMP,"
            + " WATERMARK FOR at AS at - INTERVAL '5 seconds')");
        execute(connection, "CREATE MATERIALIZED VIEW spent AS"
            + " SELECT a.country, count(*) AS payments, sum(p.amount) AS total, max(p.at) AS latest"
            + " FROM payments p JOIN accounts a ON a.id = p.account GROUP BY a.country");
    }

    /** A batch of parameters is one round trip. */
    private static void insert(Connection connection) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO accounts VALUES (?, ?, ?)")) {
            addAccount(insert, 1, "Ada", "GB");
            addAccount(insert, 2, "Linus", "FI");
            addAccount(insert, 3, "O'Hara", null);
            expect("1, 1, 1", join(insert.executeBatch()));
        }
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO payments VALUES (?, ?, ?)")) {
            pay(insert, 1, "12.50", TEN.plusSeconds(1));
            pay(insert, 2, "99.90", TEN.plusSeconds(2));
            pay(insert, 1, "7.50", TEN.plusSeconds(4).plusNanos(250_000_000));
        }
    }

    private static void addAccount(PreparedStatement insert, long id, String owner, String country) throws SQLException {
        insert.setLong(1, id);
        insert.setString(2, owner);
        if (country == null) {
            insert.setNull(3, Types.VARCHAR);
        } else {
            insert.setString(3, country);
        }
        insert.addBatch();
    }

    private static void pay(PreparedStatement insert, long account, String amount, LocalDateTime at) throws SQLException {
        insert.setLong(1, account);
        insert.setBigDecimal(2, new BigDecimal(amount));
        insert.setObject(3, at);
        expect(1, insert.executeUpdate());
    }

    /** Often enough that pgjdbc prepares the statement on the server and asks for binary values. */
    private static void read(Connection connection) throws SQLException {
        String query = "SELECT country, payments, total, latest FROM spent WHERE payments >= ? ORDER BY country";
        try (PreparedStatement select = connection.prepareStatement(query)) {
            for (int run = 0; run < 10; run++) {
                select.setLong(1, 2);
                try (ResultSet rows = select.executeQuery()) {
                    expect(true, rows.next());
                    expect("GB", rows.getString("country"));
                    expect(2L, rows.getLong("payments"));
                    expect(new BigDecimal("20.00"), rows.getBigDecimal("total"));
                    expect(TEN.plusSeconds(4).plusNanos(250_000_000), rows.getObject("latest", LocalDateTime.class));
                    expect(Types.NUMERIC, rows.getMetaData().getColumnType(3));
                    expect(Types.TIMESTAMP, rows.getMetaData().getColumnType(4));
                    expect(false, rows.next());
                }
            }
        }
        try (Statement statement = connection.createStatement();
             ResultSet rows = statement.executeQuery("SELECT country FROM accounts WHERE id = 3")) {
            expect(true, rows.next());
            expect(null, rows.getString(1));
            expect(true, rows.wasNull());
        }
    }

    private static void update(Connection connection) throws SQLException {
        try (PreparedStatement update = connection.prepareStatement("UPDATE accounts SET country = ? WHERE id >= ?")) {
            update.setString(1, "SE");
            update.setLong(2, 2);
            expect(2, update.executeUpdate());
        }
        expect(new BigDecimal("99.90"), one(connection, "SELECT total FROM spent WHERE country = 'SE'"));
        try (Statement statement = connection.createStatement()) {
            expect(1, statement.executeUpdate("DELETE FROM accounts WHERE id = 3"));
        }
    }

    /** What is rolled back never was; what is committed is there for everyone, in the views too. */
    private static void transact(Connection reader, String url) throws SQLException {
        try (Connection writer = DriverManager.getConnection(url)) {
            writer.setAutoCommit(false);
            execute(writer, "INSERT INTO accounts VALUES (8, 'Barbara', 'US')");
            expect(2L, one(reader, "SELECT count(*) FROM accounts"));
            writer.rollback();
            execute(writer, "INSERT INTO accounts VALUES (9, 'Edsger', 'NL')");
            execute(writer, "INSERT INTO payments VALUES (9, 3.00, '2026-01-01 10:00:05')");
            writer.commit();
            expect(3L, one(reader, "SELECT count(*) FROM accounts"));
            expect(new BigDecimal("3.00"), one(reader, "SELECT total FROM spent WHERE country = 'NL'"));
        }
    }

    /** With a fetch size and no autocommit, pgjdbc asks for the rows in portions. */
    private static void fetchInPortions(Connection connection) throws SQLException {
        execute(connection, "CREATE TABLE numbers (n BIGINT PRIMARY KEY)");
        execute(connection, "INSERT INTO numbers SELECT value FROM generate_series(1, 1000) AS series(value)");
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(64);
            try (ResultSet rows = statement.executeQuery("SELECT n FROM numbers ORDER BY n")) {
                long expected = 0;
                while (rows.next()) {
                    expected++;
                    expect(expected, rows.getLong(1));
                }
                expect(1000L, expected);
            }
        }
        connection.commit();
        connection.setAutoCommit(true);
        execute(connection, "DROP TABLE numbers");
    }

    /** A cursor over changes: first what is there, then each change with its weight, as it is committed. */
    private static void subscribe(Connection writer, String url) throws SQLException {
        try (Connection subscriber = DriverManager.getConnection(url)) {
            subscriber.setAutoCommit(false);
            execute(subscriber, "DECLARE changes CURSOR FOR SUBSCRIBE TO"
                + " (SELECT country, total FROM spent WHERE country = 'GB')");
            expect("1 GB 20.00;", fetch(subscriber));
            execute(writer, "INSERT INTO payments VALUES (1, 5.00, '2026-01-01 10:00:05')");
            expect("-1 GB 20.00;1 GB 25.00;", fetch(subscriber));
            execute(subscriber, "CLOSE changes");
            subscriber.commit();
        }
    }

    /** The changes that are there: weight and row, in the order of their text. */
    private static String fetch(Connection connection) throws SQLException {
        StringBuilder changes = new StringBuilder();
        try (Statement statement = connection.createStatement();
             ResultSet rows = statement.executeQuery("FETCH 100 FROM changes")) {
            while (rows.next()) {
                changes.append(rows.getLong("monsoon_weight")).append(' ').append(rows.getString("country"))
                    .append(' ').append(rows.getBigDecimal("total")).append('\n');
            }
        }
        String[] lines = changes.toString().split("\n");
        Arrays.sort(lines);
        return String.join(";", lines) + ";";
    }

    private static void fail(Connection connection) throws SQLException {
        try {
            one(connection, "SELECT nosuch FROM spent");
        } catch (SQLException error) {
            expect("42703", error.getSQLState());
            expect(1, one(connection, "SELECT 1"));
            return;
        }
        throw new AssertionError("a column that isn't there was selected");
    }

    private static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static Object one(Connection connection, String query) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(query)) {
            expect(true, rows.next());
            return rows.getObject(1);
        }
    }

    private static String join(int[] counts) {
        return Arrays.toString(counts).replace("[", "").replace("]", "");
    }

    private static void expect(Object expected, Object got) {
        if (!Objects.equals(expected, got)) {
            throw new AssertionError("expected " + expected + ", got " + got);
        }
    }
}
