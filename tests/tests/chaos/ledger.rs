//! What one client knows: what was acknowledged, and the one write whose fate a kill left open.
//!
//! A client has its own ids and keys and one write under way at a time. So after a kill the server must hold, of this
//! client, exactly what was acknowledged, or exactly that plus the whole of the open write.

use std::collections::BTreeMap;

/// Rows of the stream by the statement that wrote them.
pub type StreamRows = BTreeMap<i64, i64>;
/// Rows of the table: (statement that wrote it last, version) by id.
pub type TableRows = BTreeMap<i64, (i64, i64)>;

/// What the server holds of one client, or should hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    pub stream: StreamRows,
    pub table: TableRows,
}

/// A change that is applied as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// So many rows appended to the stream.
    Append(i64),
    /// These ids written with version 1, whatever they had.
    Upsert(Vec<i64>),
    /// The version of these ids, where they exist, goes up by one.
    Update(Vec<i64>),
    /// These ids removed.
    Delete(Vec<i64>),
}

impl Content {
    pub fn apply(&mut self, statement: i64, effect: &Effect) {
        match effect {
            Effect::Append(rows) => {
                self.stream.insert(statement, *rows);
            }
            Effect::Upsert(ids) => self.table.extend(ids.iter().map(|id| (*id, (statement, 1)))),
            Effect::Update(ids) => {
                for id in ids {
                    if let Some((writer, version)) = self.table.get_mut(id) {
                        *writer = statement;
                        *version += 1;
                    }
                }
            }
            Effect::Delete(ids) => self.table.retain(|id, _| !ids.contains(id)),
        }
    }
}

/// The ledger of one client.
#[derive(Debug, Default)]
pub struct Ledger {
    acknowledged: Content,
    open: Option<(i64, Vec<Effect>)>,
    statements: i64,
    /// Writes that were acknowledged.
    pub acknowledgements: u64,
}

impl Ledger {
    /// Notes a write before it is sent; its number is for the rows.
    pub fn open(&mut self, effects: impl FnOnce(i64) -> Vec<Effect>) -> i64 {
        assert!(self.open.is_none(), "one write at a time");
        self.statements += 1;
        self.open = Some((self.statements, effects(self.statements)));
        self.statements
    }

    /// The server has acknowledged the open write.
    pub fn acknowledge(&mut self) {
        self.acknowledged = self.with_open();
        self.open = None;
        self.acknowledgements += 1;
    }

    fn with_open(&self) -> Content {
        let mut content = self.acknowledged.clone();
        if let Some((statement, effects)) = &self.open {
            effects.iter().for_each(|effect| content.apply(*statement, effect));
        }
        content
    }

    /// Compares with what a restarted server holds, and goes on from there. Says whether an open write was applied.
    pub fn settle(&mut self, held: Content) -> Result<bool, String> {
        let applied = held != self.acknowledged;
        if applied && held != self.with_open() {
            return Err(self.difference(&held));
        }
        self.acknowledged = held;
        self.open = None;
        Ok(applied)
    }

    fn difference(&self, held: &Content) -> String {
        let wanted = &self.acknowledged;
        let lost = |n: &i64| held.stream.get(n) != wanted.stream.get(n);
        let stream: Vec<_> = wanted.stream.keys().chain(held.stream.keys()).filter(|n| lost(n)).collect();
        let table: Vec<_> = wanted.table.iter().filter(|(id, row)| held.table.get(id) != Some(row)).collect();
        let more: Vec<_> = held.table.iter().filter(|(id, row)| wanted.table.get(id) != Some(row)).collect();
        format!(
            "statements whose rows differ from the acknowledged ones: {stream:?} (held: {:?}); table rows acknowledged: \
             {table:?}, held: {more:?}; open write: {:?}",
            stream.iter().map(|n| held.stream.get(n)).collect::<Vec<_>>(),
            self.open
        )
    }
}

#[test]
fn a_torn_or_doubled_or_missing_write_is_seen() {
    let mut ledger = Ledger::default();
    ledger.open(|_| vec![Effect::Append(3), Effect::Upsert(vec![1, 2])]);
    ledger.acknowledge();
    ledger.open(|_| vec![Effect::Append(2), Effect::Update(vec![1])]);
    let held = |stream: &[(i64, i64)], table: &[(i64, (i64, i64))]| Content {
        stream: stream.iter().copied().collect(),
        table: table.iter().copied().collect(),
    };
    let before = [(1, (1, 1)), (2, (1, 1))];
    let after = [(1, (2, 2)), (2, (1, 1))];
    for (stream, table) in [
        (&[(1, 3), (2, 1)][..], &after[..]),
        (&[(1, 3), (2, 2)], &before),
        (&[(1, 3)], &after),
        (&[(1, 2)], &before),
        (&[(1, 6)], &before),
        (&[(1, 3), (2, 2)], &[(1, (2, 3)), (2, (1, 1))]),
    ] {
        assert!(ledger.settle(held(stream, table)).is_err(), "{stream:?} {table:?}");
    }
    assert_eq!(ledger.settle(held(&[(1, 3), (2, 2)], &after)), Ok(true));
    assert_eq!(ledger.settle(held(&[(1, 3), (2, 2)], &after)), Ok(false));
}
