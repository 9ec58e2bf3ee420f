//! Joins.

use super::{Generator, Item, Kind, Named, Query, Source, plain};

impl Generator<'_> {
    /// `SELECT .. FROM a JOIN b ON ..`.
    pub(super) fn join(&mut self, depth: usize) -> Query {
        let joined = self.joined(depth);
        let mut items = Vec::new();
        for named in &joined.scope {
            if self.random.one_in(2) {
                items.push(Item { text: named.text.clone(), kind: named.kind });
            }
        }
        items.push(self.any_expression(&joined.scope, 1));
        let filter = if self.random.one_in(3) { self.maybe_where(&joined.scope) } else { String::new() };
        self.selected(items, &joined, &filter)
    }

    /// GROUP BY over a join.
    pub(super) fn grouping_of_join(&mut self, depth: usize) -> Query {
        let joined = self.joined(depth);
        self.grouped(&joined)
    }

    /// Two or three sources joined.
    fn joined(&mut self, depth: usize) -> Source {
        let mut left = self.source(depth);
        for _ in 0..=usize::from(self.random.one_in(4)) {
            let right = self.source(depth.saturating_sub(1));
            left = self.pair(left, right);
        }
        left
    }

    fn pair(&mut self, left: Source, right: Source) -> Source {
        let scope: Vec<Named> = left.scope.iter().chain(&right.scope).cloned().collect();
        let join = *self.random.pick(&["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let mut conditions = self.equalities(&left.scope, &right.scope);
        if conditions.is_empty() && join == "FULL JOIN" {
            conditions.push(format!("CAST({} AS BIGINT) = CAST({} AS BIGINT)", self.leaf(&left.scope, Kind::Big), self.leaf(&right.scope, Kind::Big)));
        }
        if conditions.is_empty() || self.random.one_in(3) {
            conditions.push(self.condition(&scope, 1));
        }
        Source { text: format!("{} {join} {} ON {}", left.text, right.text, conditions.join(" AND ")), scope }
    }

    /// One or two equalities of columns of one kind; none where no kinds meet, or for a theta join.
    pub(super) fn equalities(&mut self, left: &[Named], right: &[Named]) -> Vec<String> {
        if self.random.one_in(12) {
            return Vec::new();
        }
        let mut pairs = Vec::new();
        for left in &plain(left) {
            for right in plain(right).iter().filter(|right| right.kind == left.kind) {
                pairs.push(format!("{} = {}", left.text, right.text));
            }
        }
        if pairs.is_empty() {
            return Vec::new();
        }
        let mut chosen = vec![self.random.pick(&pairs).clone()];
        if self.random.one_in(4) {
            let second = self.random.pick(&pairs).clone();
            if !chosen.contains(&second) {
                chosen.push(second);
            }
        }
        if self.random.one_in(12) {
            chosen[0] = format!("({})", chosen[0].replace(" = ", " IS NOT DISTINCT FROM "));
        }
        chosen
    }
}
