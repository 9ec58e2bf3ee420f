//! Projection, filter, DISTINCT, and set operations.

use super::{Generator, Item, Kind, Named, Query, Source};

/// EXCEPT ALL and INTERSECT ALL are kept as DataFusion has them: rows without, or with, an equal row on the other side.
const OPERATIONS: [&str; 8] =
    ["UNION ALL", "UNION ALL", "UNION", "UNION", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL"];

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

    /// The items of an array as rows.
    pub(super) fn unnested(&mut self, depth: usize) -> Query {
        let source = self.source(depth);
        let mut items = self.items(&source.scope);
        let column = self.column(&source.scope);
        let items_of_array = match self.random.below(3) {
            0 => "make_array()".to_owned(),
            1 => format!("array_remove_all(make_array({0}, {0}), {0})", self.expression(&source.scope, column.kind, 1)),
            _ => format!("make_array({}, {})", column.text, self.expression(&source.scope, column.kind, 1)),
        };
        let array = format!(
            "CASE WHEN {} THEN make_array({}) ELSE {items_of_array} END",
            self.condition(&source.scope, 1),
            column.text
        );
        items.push(Item { text: format!("unnest({array})"), kind: column.kind });
        let filter = self.maybe_where(&source.scope);
        self.selected(items, &source, &filter)
    }

    /// Two to three queries with columns of the same kinds.
    pub(super) fn set_operation(&mut self, depth: usize) -> Query {
        let first = self.source(depth);
        let items: Vec<Item> = (0..=self.random.below(3)).map(|_| self.any_expression(&first.scope, 1)).collect();
        let kinds: Vec<Kind> = items.iter().map(|item| item.kind).collect();
        let filter = self.maybe_where(&first.scope);
        let mut query = self.selected(items, &first, &filter);
        for place in 0..=self.random.below(2) {
            let source = self.source(depth.saturating_sub(1));
            let items =
                kinds.iter().map(|&kind| Item { text: self.expression(&source.scope, kind, 1), kind }).collect();
            let filter = self.maybe_where(&source.scope);
            let other = self.selected(items, &source, &filter);
            let operation = *self.random.pick(&OPERATIONS);
            query.text = match self.random.below(4) {
                0 => format!("({}) {operation} ({})", query.text, other.text),
                1 if place == 0 => format!("{} {operation} ({} UNION {})", query.text, other.text, other.text),
                _ => format!("{} {operation} {}", query.text, other.text),
            };
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
        if self.random.one_in(2) {
            items.push(self.shown_call(scope));
        }
        items
    }
}
