//! The first rows: `row_number()` per partition, ORDER BY with LIMIT or OFFSET, DISTINCT ON.

use super::{Generator, Item, Kind, Named, Query, plain};

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
        let mut items: Vec<Item> =
            scope.iter().map(|named| Item { text: named.text.clone(), kind: named.kind }).collect();
        items.push(Item { text: format!("row_number() OVER ({partition}ORDER BY {order})"), kind: Kind::Opaque });
        let filter = self.maybe_where(&scope);
        let inner = self.selected(items, &source, &filter);
        let number = inner.columns.last().map(|column| column.name.clone()).unwrap_or_default();
        let bound = match self.random.below(6) {
            4 => format!("{number} >= {}", self.random.between(1, 4)),
            5 => "TRUE".to_owned(),
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
        // In a subquery DataFusion forgets the ORDER BY of an OFFSET without LIMIT.
        let without_limit = self.inside == 0 && self.random.one_in(5);
        let limit = if without_limit { "" } else { *self.random.pick(&["LIMIT 1", "LIMIT 3", "LIMIT 8", "LIMIT 40"]) };
        let offset = match self.random.below(3) {
            0 => format!("OFFSET {}", self.random.between(1, 3)),
            // Neither would be an order that nobody can see.
            _ if limit.is_empty() => "OFFSET 5".to_owned(),
            _ => String::new(),
        };
        query.text = format!("{} ORDER BY {order} {limit} {offset}", query.text);
        query
    }

    /// `SELECT DISTINCT ON`: the first row of each group.
    pub(super) fn distinct_on(&mut self, depth: usize) -> Query {
        let source = self.source(depth);
        let scope = plain(&source.scope);
        let by = self.column(&scope).text;
        let others: Vec<Named> = scope.iter().filter(|named| named.text != by).cloned().collect();
        let mut order = vec![self.directed(by.clone())];
        if !others.is_empty() {
            order.push(self.order_of_columns(&others));
        }
        let items = scope.iter().map(|named| Item { text: named.text.clone(), kind: named.kind }).collect();
        let filter = self.maybe_where(&scope);
        let mut query = self.selected(items, &source, &filter);
        query.text = query.text.replacen("SELECT", &format!("SELECT DISTINCT ON ({by})"), 1);
        query.text = format!("{} ORDER BY {}", query.text, order.join(", "));
        query
    }
}
