//! Projection, filter, DISTINCT, and set operations.

use super::{Generator, Item, Kind, Named, Query, Source};

impl Generator<'_> {
    /// `SELECT expressions FROM source [WHERE]`.
    pub(super) fn projection(&mut self, depth: usize) -> Query {
        let source = self.source(depth);
        let items = self.items(&source.scope);
        let filter = self.maybe_where(&source.scope);
        self.selected(items, &source, &filter)
    }

    /// `SELECT DISTINCT`.
    pub(super) fn distinct(&mut self, depth: usize) -> Query {
        let source = self.source(depth);
        let items: Vec<Item> = (0..=self.random.below(2)).map(|_| self.any_expression(&source.scope, 1)).collect();
        let filter = self.maybe_where(&source.scope);
        let mut query = self.selected(items, &source, &filter);
        query.text = query.text.replacen("SELECT", "SELECT DISTINCT", 1);
        query
    }

    /// Two to three queries with columns of the same kinds.
    pub(super) fn set_operation(&mut self, depth: usize) -> Query {
        let first = self.source(depth);
        let items: Vec<Item> = (0..=self.random.below(3)).map(|_| self.any_expression(&first.scope, 1)).collect();
        let kinds: Vec<Kind> = items.iter().map(|item| item.kind).collect();
        let filter = self.maybe_where(&first.scope);
        let mut query = self.selected(items, &first, &filter);
        for _ in 0..=self.random.below(2) {
            let source = self.source(depth.saturating_sub(1));
            let items = kinds.iter().map(|&kind| Item { text: self.expression(&source.scope, kind, 1), kind }).collect();
            let filter = self.maybe_where(&source.scope);
            let other = self.selected(items, &source, &filter);
            let operation = *self.random.pick(&["UNION ALL", "UNION ALL", "UNION", "UNION", "EXCEPT", "INTERSECT"]);
            query.text = format!("{} {operation} {}", query.text, other.text);
        }
        query
    }

    /// `SELECT items FROM source filter`.
    pub(super) fn selected(&mut self, items: Vec<Item>, source: &Source, filter: &str) -> Query {
        let (list, columns) = self.select_list(items);
        Query { text: format!("SELECT {list} FROM {}{filter}", source.text), columns }
    }

    /// Columns, among them those to be looked at only, and expressions.
    pub(super) fn items(&mut self, scope: &[Named]) -> Vec<Item> {
        let mut items = Vec::new();
        for named in scope {
            if !self.random.one_in(3) {
                items.push(Item { text: named.text.clone(), kind: named.kind });
            }
        }
        for _ in 0..=self.random.below(2) {
            items.push(self.any_expression(scope, 2));
        }
        items
    }
}
