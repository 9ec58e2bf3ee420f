//! The first rows: `row_number()` per partition, ORDER BY with LIMIT, DISTINCT ON.

use super::{Generator, Item, Kind, Query, plain};

impl Generator<'_> {
    /// The first rows of each partition.
    pub(super) fn numbered(&mut self, depth: usize) -> Query {
        let source = self.source(depth);
        let scope = plain(&source.scope);
        let order = self.total_order(&scope);
        let partition = match self.random.below(4) {
            0 => String::new(),
            _ => format!("PARTITION BY {} ", self.column(&scope).text),
        };
        let mut items: Vec<Item> = scope.iter().map(|named| Item { text: named.text.clone(), kind: named.kind }).collect();
        items.push(Item { text: format!("row_number() OVER ({partition}ORDER BY {order})"), kind: Kind::Opaque });
        let filter = self.maybe_where(&scope);
        let inner = self.selected(items, &source, &filter);
        let number = inner.columns.last().map(|column| column.name.clone()).unwrap_or_default();
        let bound = match self.random.below(4) {
            0 => format!("{number} = 1"),
            1 => format!("{number} < {}", self.random.between(2, 4)),
            2 => format!("{number} BETWEEN 2 AND {}", self.random.between(2, 5)),
            _ => format!("{number} <= {}", self.random.between(1, 5)),
        };
        let alias = self.name("a");
        let shown = inner.columns.iter().filter(|column| column.name != number || self.random.one_in(2));
        let items = shown.map(|column| Item { text: format!("{alias}.{}", column.name), kind: column.kind }).collect();
        let (list, columns) = self.select_list(items);
        Query { text: format!("SELECT {list} FROM ({}) AS {alias} WHERE {bound}", inner.text), columns }
    }

    /// ORDER BY .. LIMIT [OFFSET].
    pub(super) fn limited(&mut self, depth: usize) -> Query {
        let source = self.source(depth);
        let scope = plain(&source.scope);
        let order = self.total_order(&scope);
        let items = scope.iter().map(|named| Item { text: named.text.clone(), kind: named.kind }).collect();
        let filter = self.maybe_where(&scope);
        let mut query = self.selected(items, &source, &filter);
        let offset = if self.random.one_in(3) { format!(" OFFSET {}", self.random.between(1, 3)) } else { String::new() };
        query.text = format!("{} ORDER BY {order} LIMIT {}{offset}", query.text, self.random.between(1, 8));
        query
    }
}
