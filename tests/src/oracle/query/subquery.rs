//! Subqueries: IN, EXISTS and their negations, and scalar ones.

use super::{Generator, Item, Kind, Query, Source, plain};

impl Generator<'_> {
    /// `SELECT .. FROM a WHERE [NOT] EXISTS (..)` or `x [NOT] IN (..)`.
    pub(super) fn semi_join(&mut self, depth: usize) -> Query {
        let outer = self.source(depth);
        let inner = self.source(depth.saturating_sub(1));
        let not = if self.random.one_in(2) { "NOT " } else { "" };
        let condition = if self.random.one_in(6) {
            self.exists_less(&outer, &inner, not)
        } else if self.random.one_in(6) {
            self.correlated_in(&outer, &inner)
        } else if self.random.one_in(2) {
            let mut conditions = self.equalities(&outer.scope, &inner.scope);
            if conditions.is_empty() || self.random.one_in(3) {
                conditions.push(self.condition(&inner.scope, 1));
            }
            format!("{not}EXISTS (SELECT 1 FROM {} WHERE {})", inner.text, conditions.join(" AND "))
        } else {
            let wanted = self.column(&outer.scope);
            let found = self.expression(&inner.scope, wanted.kind, 1);
            let filter = self.maybe_where(&inner.scope);
            format!("{} {not}IN (SELECT {found} FROM {}{filter})", wanted.text, inner.text)
        };
        let more = match self.random.below(4) {
            0 => format!(" AND {}", self.condition(&outer.scope, 1)),
            1 => format!(" OR {}", self.condition(&outer.scope, 0)),
            _ => String::new(),
        };
        let items = self.items(&outer.scope);
        self.selected(items, &outer, &format!(" WHERE {condition}{more}"))
    }

    /// EXISTS whose correlation is an inequality.
    fn exists_less(&mut self, outer: &Source, inner: &Source, not: &str) -> String {
        let wanted = self.column(&outer.scope);
        let other = self.leaf(&inner.scope, wanted.kind);
        let op = if wanted.kind.only_equal() { "<>" } else { *self.random.pick(&["<", ">=", "<>"]) };
        format!("{not}EXISTS (SELECT 1 FROM {} WHERE {} {op} {other})", inner.text, wanted.text)
    }

    /// IN with a correlation. Not NOT IN, which DataFusion has no plan for.
    fn correlated_in(&mut self, outer: &Source, inner: &Source) -> String {
        let mut conditions = self.equalities(&outer.scope, &inner.scope);
        if conditions.is_empty() {
            conditions.push(self.condition(&inner.scope, 1));
        }
        let wanted = self.column(&outer.scope);
        let found = self.leaf(&inner.scope, wanted.kind);
        format!("{} IN (SELECT {found} FROM {} WHERE {})", wanted.text, inner.text, conditions.join(" AND "))
    }

    /// A scalar subquery in the list or in a condition, correlated or not.
    pub(super) fn scalar_subquery(&mut self, depth: usize) -> Query {
        let outer = self.source(depth);
        let inner = self.source(depth.saturating_sub(1));
        let correlated = self.random.one_in(2);
        let filter = if correlated {
            // DataFusion makes joins of scalar subqueries that are correlated by equal columns only.
            let conditions = self.equal_columns(&outer.scope, &inner.scope);
            if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
        } else {
            self.maybe_where(&inner.scope)
        };
        let (value, kind) = match self.random.below(3) {
            0 => ("count(*)".to_owned(), Kind::Big),
            1 => {
                let column = self.column(&inner.scope);
                match column.kind.only_equal() {
                    true => (format!("count(DISTINCT {})", column.text), Kind::Big),
                    false => (format!("max({})", column.text), column.kind),
                }
            }
            _ => (format!("sum({})", self.leaf(&inner.scope, Kind::Big)), Kind::Big),
        };
        let subquery = format!("(SELECT {value} FROM {}{filter})", inner.text);
        if self.random.one_in(2) || kind == Kind::Bool {
            let mut items = self.items(&outer.scope);
            items.push(Item { text: subquery, kind });
            let filter = self.maybe_where(&outer.scope);
            return self.selected(items, &outer, &filter);
        }
        let items: Vec<Item> =
            plain(&outer.scope).into_iter().map(|named| Item { text: named.text, kind: named.kind }).collect();
        let op = *self.random.pick(&["<", ">=", "=", "<>"]);
        let filter = format!(" WHERE {} {op} {subquery}", self.leaf(&outer.scope, kind));
        self.selected(items, &outer, &filter)
    }
}
