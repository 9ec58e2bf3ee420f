//! The clients: each writes in its own way until its connection breaks.

use std::fmt::Write;

use anyhow::{Result, bail};
use bytes::Bytes;
use futures::SinkExt;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::ledger::{Effect, Ledger};
use super::process::PATIENCE;

/// How a client writes; also how many clients there are.
#[derive(Debug, Clone, Copy)]
pub enum Style {
    /// INSERT of one row, with parameters.
    SingleRow,
    /// INSERT of up to 100 rows.
    ManyRows,
    /// COPY, now and then larger than a batch of the engine.
    Copy,
    /// INSERT over existing keys, UPDATE, DELETE.
    Table,
    /// Stream and table in one transaction.
    Transaction,
}

pub const STYLES: [Style; 5] = [Style::SingleRow, Style::ManyRows, Style::Copy, Style::Table, Style::Transaction];

/// Table ids of one client: its number times 1000, and up to this.
const IDS: i64 = 150;
/// Of so many COPYs one is larger than a batch.
const LARGE_COPY_ONE_IN: u32 = 300;
const LARGE_COPY_ROWS: i64 = 70_000;

/// One client: what it knows outlives its connections.
pub struct Writer {
    pub number: i64,
    style: Style,
    random: StdRng,
    pub ledger: Ledger,
}

impl Writer {
    pub fn all(seed: u64) -> Vec<Writer> {
        let writer = |(number, style): (usize, &Style)| Writer {
            number: number as i64,
            style: *style,
            random: StdRng::seed_from_u64(seed * 100 + number as u64),
            ledger: Ledger::default(),
        };
        STYLES.iter().enumerate().map(writer).collect()
    }

    /// Writes until the connection is gone. Fails if the server refuses a write, or keeps one waiting.
    pub async fn run(&mut self, client: Client) -> Result<()> {
        while !client.is_closed() {
            let answer = tokio::time::timeout(PATIENCE, self.write(&client)).await;
            match answer {
                Ok(Ok(())) => self.ledger.acknowledge(),
                Ok(Err(error)) if error.as_db_error().is_some() => bail!("client {}: {error:?}", self.number),
                Ok(Err(_)) => return Ok(()),
                Err(_) => bail!("client {}: a write waits for more than {PATIENCE:?}", self.number),
            }
        }
        Ok(())
    }

    async fn write(&mut self, client: &Client) -> Result<(), tokio_postgres::Error> {
        match self.style {
            Style::SingleRow => self.single_row(client).await,
            Style::ManyRows => self.many_rows(client).await,
            Style::Copy => self.copy(client).await,
            Style::Table => self.table(client).await,
            Style::Transaction => self.transaction(client).await,
        }
    }

    async fn single_row(&mut self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let statement = self.ledger.open(|_| vec![Effect::Append(1)]);
        let (id, key, number) = (self.row_id(statement, 0), self.any_key(), self.number as i32);
        let text = "INSERT INTO s VALUES ($1, $2, $3, $4, 'one')";
        client.execute(text, &[&id, &number as &(dyn ToSql + Sync), &statement, &key]).await.map(|_| ())
    }

    async fn many_rows(&mut self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let rows = self.random.random_range(2..=100);
        let statement = self.ledger.open(|_| vec![Effect::Append(rows)]);
        let text = self.append_text(statement, rows);
        client.batch_execute(&text).await
    }

    async fn copy(&mut self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let is_large = self.random.random_ratio(1, LARGE_COPY_ONE_IN);
        let rows = if is_large { LARGE_COPY_ROWS } else { self.random.random_range(1..=500) };
        let statement = self.ledger.open(|_| vec![Effect::Append(rows)]);
        let sink = client.copy_in("COPY s FROM STDIN").await?;
        futures::pin_mut!(sink);
        let mut lines = String::new();
        for row in 0..rows {
            let (id, key) = (self.row_id(statement, row), self.any_key());
            let _ = writeln!(lines, "{id}\t{}\t{statement}\t{key}\tcopied", self.number);
            if lines.len() > 50_000 {
                sink.send(Bytes::from(std::mem::take(&mut lines))).await?;
            }
        }
        sink.send(Bytes::from(lines)).await?;
        sink.finish().await.map(|_| ())
    }

    async fn table(&mut self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let text = self.table_write();
        client.batch_execute(&text).await
    }

    fn table_write(&mut self) -> String {
        let ids = self.some_ids();
        let effect = match self.random.random_range(0..10) {
            0..5 => Effect::Upsert(ids),
            5..9 => Effect::Update(ids),
            _ => Effect::Delete(ids),
        };
        let statement = self.ledger.open(|_| vec![effect.clone()]);
        self.effect_text(statement, &effect)
    }

    async fn transaction(&mut self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let rows = self.random.random_range(1..=20);
        let effects = vec![Effect::Append(rows), Effect::Upsert(self.some_ids()), Effect::Append(rows)];
        // The ledger counts rows by statement: both appends together.
        let noted = vec![Effect::Append(2 * rows), effects[1].clone()];
        let statement = self.ledger.open(|_| noted);
        client.batch_execute("BEGIN").await?;
        client.batch_execute(&self.append_text(statement, rows)).await?;
        let upsert = self.effect_text(statement, &effects[1]);
        client.batch_execute(&upsert).await?;
        let more = self.append_rows(statement, rows..2 * rows);
        client.batch_execute(&more).await?;
        client.batch_execute("COMMIT").await
    }

    fn effect_text(&mut self, statement: i64, effect: &Effect) -> String {
        let list = |ids: &[i64]| ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        match effect {
            Effect::Append(rows) => self.append_text(statement, *rows),
            Effect::Upsert(ids) => {
                let row = |id: &i64| format!("({id}, {}, {statement}, 1)", self.number);
                format!("INSERT INTO t VALUES {}", ids.iter().map(row).collect::<Vec<_>>().join(", "))
            }
            Effect::Update(ids) => {
                format!("UPDATE t SET statement = {statement}, version = version + 1 WHERE id IN ({})", list(ids))
            }
            Effect::Delete(ids) => format!("DELETE FROM t WHERE id IN ({})", list(ids)),
        }
    }

    fn append_text(&mut self, statement: i64, rows: i64) -> String {
        self.append_rows(statement, 0..rows)
    }

    fn append_rows(&mut self, statement: i64, rows: std::ops::Range<i64>) -> String {
        let rows = rows.map(|row| {
            let (id, key) = (self.row_id(statement, row), self.any_key());
            format!("({id}, {}, {statement}, {key}, NULL)", self.number)
        });
        format!("INSERT INTO s VALUES {}", rows.collect::<Vec<_>>().join(", "))
    }

    /// Unique among all rows of all clients.
    fn row_id(&self, statement: i64, row: i64) -> i64 {
        (self.number * 10_000_000 + statement) * 100_000 + row
    }

    /// Now and then a key that one of the clients with table rows may have: were it each time, the join would soon have so
    /// many pairs that the test would measure it and nothing else.
    fn any_key(&mut self) -> i64 {
        if !self.random.random_ratio(1, 50) {
            return self.random.random_range(0..1000);
        }
        self.random.random_range(3..=4) * 1000 + self.random.random_range(0..IDS)
    }

    fn some_ids(&mut self) -> Vec<i64> {
        let count = self.random.random_range(1..=12);
        (0..IDS).map(|id| self.number * 1000 + id).choose_multiple(&mut self.random, count)
    }
}
