//! Joins.

use super::{Generator, Item, Kind, Named, Query, Scale, Source, plain};

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
        if self.scale == Scale::Large {
            return self.joined_by_key(depth);
        }
        if self.random.one_in(10) {
            return self.joined_windows(depth);
        }
        let mut left = self.source(depth);
        let right = self.source(depth.saturating_sub(1));
        left = match self.same_names(&left, &right) {
            Some(names) if self.random.one_in(2) => self.by_name(left, right, &names),
            _ => self.pair(left, right),
        };
        if self.random.one_in(4) {
            let right = self.source(depth.saturating_sub(1));
            left = self.pair(left, right);
        }
        left
    }

    /// A source with the table that has at most one row for each of its rows.
    fn joined_by_key(&mut self, depth: usize) -> Source {
        let left = self.source(depth);
        let numbers: Vec<Named> = left.scope.iter().filter(|named| named.kind == Kind::Big).cloned().collect();
        if numbers.is_empty() {
            return left;
        }
        let alias = self.name("a");
        let right = super::aliased(self.keyed.name.clone(), &self.keyed.columns.clone(), &alias);
        let scope: Vec<Named> = left.scope.iter().chain(&right.scope).cloned().collect();
        let join = *self.random.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let number = &self.random.pick(&numbers).text;
        Source { text: format!("{} {join} {} ON {number} = {alias}.k", left.text, right.text), scope }
    }

    /// A window of the timed stream with another of the same end, or with a relation.
    fn joined_windows(&mut self, depth: usize) -> Source {
        let left = self.windows().source;
        if self.random.one_in(3) {
            let right = self.source(depth.saturating_sub(1));
            return self.pair(left, right);
        }
        let right = self.windows().source;
        let ends = |source: &Source| {
            source.scope.iter().find(|named| named.text.ends_with(".window_end")).map(|named| named.text.clone())
        };
        let (first, second) = (ends(&left).unwrap_or_default(), ends(&right).unwrap_or_default());
        let scope: Vec<Named> = left.scope.iter().chain(&right.scope).cloned().collect();
        let mut conditions = vec![format!("{first} = {second}")];
        if self.random.one_in(2) {
            conditions.extend(self.equalities(&left.scope, &right.scope));
        }
        let join = *self.random.pick(&["JOIN", "LEFT JOIN", "FULL JOIN"]);
        Source { text: format!("{} {join} {} ON {}", left.text, right.text, conditions.join(" AND ")), scope }
    }

    /// Columns that two sources both have by name, if they can be compared.
    fn same_names(&self, left: &Source, right: &Source) -> Option<Vec<String>> {
        let name = |named: &Named| named.text.rsplit('.').next().unwrap_or_default().to_owned();
        let shared = |named: &&Named| right.scope.iter().any(|other| name(other) == name(named));
        let shared: Vec<&Named> = left.scope.iter().filter(shared).collect();
        let comparable = !shared.is_empty() && shared.iter().all(|named| named.kind != Kind::Opaque);
        comparable.then(|| shared.into_iter().map(name).collect())
    }

    /// USING or NATURAL.
    fn by_name(&mut self, left: Source, right: Source, names: &[String]) -> Source {
        let scope: Vec<Named> = left.scope.iter().chain(&right.scope).cloned().collect();
        let join = *self.random.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let text = if self.random.one_in(3) {
            format!("{} NATURAL {join} {}", left.text, right.text)
        } else {
            let mut using = vec![self.random.pick(names).clone()];
            let more = self.random.pick(names).clone();
            if !using.contains(&more) {
                using.push(more);
            }
            format!("{} {join} {} USING ({})", left.text, right.text, using.join(", "))
        };
        Source { text, scope }
    }

    fn pair(&mut self, left: Source, right: Source) -> Source {
        let scope: Vec<Named> = left.scope.iter().chain(&right.scope).cloned().collect();
        let join = *self.random.pick(&[
            "JOIN",
            "JOIN",
            "JOIN",
            "LEFT JOIN",
            "LEFT JOIN",
            "RIGHT JOIN",
            "RIGHT JOIN",
            "FULL JOIN",
            "FULL JOIN",
            "LEFT SEMI JOIN",
            "LEFT ANTI JOIN",
            "RIGHT SEMI JOIN",
            "RIGHT ANTI JOIN",
            "CROSS JOIN",
        ]);
        // Inside of other joins the pairs would be too many.
        if join == "CROSS JOIN" && self.inside == 0 {
            return Source { text: format!("{} CROSS JOIN {}", left.text, right.text), scope };
        }
        let join = if join == "CROSS JOIN" { "JOIN" } else { join };
        let mut conditions = self.equalities(&left.scope, &right.scope);
        if conditions.is_empty() && join == "FULL JOIN" {
            conditions.push(format!(
                "CAST({} AS BIGINT) = CAST({} AS BIGINT)",
                self.leaf(&left.scope, Kind::Big),
                self.leaf(&right.scope, Kind::Big)
            ));
        }
        if conditions.is_empty() || self.random.one_in(3) {
            conditions.push(self.condition(&scope, 1));
        }
        let text = format!("{} {join} {} ON {}", left.text, right.text, conditions.join(" AND "));
        let shown = match join {
            "LEFT SEMI JOIN" | "LEFT ANTI JOIN" => left.scope,
            "RIGHT SEMI JOIN" | "RIGHT ANTI JOIN" => right.scope,
            _ => scope,
        };
        Source { text, scope: shown }
    }

    /// One or two equalities; none where no kinds meet, or for a theta join.
    pub(super) fn equalities(&mut self, left: &[Named], right: &[Named]) -> Vec<String> {
        self.equalities_by(left, right, |generator, pair| generator.equality(pair))
    }

    /// The same of columns alone.
    pub(super) fn equal_columns(&mut self, left: &[Named], right: &[Named]) -> Vec<String> {
        self.equalities_by(left, right, |_, (left, right)| format!("{} = {}", left.text, right.text))
    }

    fn equalities_by(
        &mut self,
        left: &[Named],
        right: &[Named],
        equality: fn(&mut Self, (Named, Named)) -> String,
    ) -> Vec<String> {
        if self.random.one_in(12) {
            return Vec::new();
        }
        let mut pairs = Vec::new();
        for left in &plain(left) {
            for right in plain(right).iter().filter(|right| meet(left.kind, right.kind)) {
                pairs.push((left.clone(), right.clone()));
            }
        }
        if pairs.is_empty() {
            return Vec::new();
        }
        let first = self.random.pick(&pairs).clone();
        let mut chosen = vec![equality(self, first)];
        if self.random.one_in(4) {
            let second = self.random.pick(&pairs).clone();
            let second = equality(self, second);
            if !chosen.contains(&second) {
                chosen.push(second);
            }
        }
        chosen
    }

    /// Two columns that are equal, or an expression that equals a column.
    fn equality(&mut self, (left, right): (Named, Named)) -> String {
        match self.random.below(16) {
            0 => format!("({} IS NOT DISTINCT FROM {})", left.text, right.text),
            1 | 2 if matches!(left.kind, Kind::Big | Kind::Int) => {
                format!("{} + {} = {}", left.text, self.random.between(1, 2), right.text)
            }
            1 | 2 if left.kind == Kind::Text => format!("upper({}) = upper({})", left.text, right.text),
            3 if left.kind == Kind::Moment => {
                format!("date_trunc('minute', {}) = date_trunc('minute', {})", left.text, right.text)
            }
            _ => format!("{} = {}", left.text, right.text),
        }
    }
}

/// Whether columns of two kinds can be equal.
fn meet(left: Kind, right: Kind) -> bool {
    let integer = |kind| matches!(kind, Kind::Big | Kind::Int);
    left == right || (integer(left) && integer(right))
}
