//! GROUP BY, and every aggregate that can be made to have one answer.

use super::{Generator, Item, Kind, Named, Query, Source, plain};

/// What an aggregate's result is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// To be shown.
    Any,
    /// To be compared with a number.
    Number,
}

impl Generator<'_> {
    /// `SELECT groups, aggregates FROM source GROUP BY groups [HAVING]`.
    pub(super) fn grouping(&mut self, depth: usize) -> Query {
        let source = self.source(depth);
        self.grouped(&source)
    }

    /// The same over a given source.
    pub(super) fn grouped(&mut self, source: &Source) -> Query {
        let mut groups: Vec<Item> = Vec::new();
        for _ in 0..*self.random.pick(&[1, 1, 2, 2, 3]) {
            let plain_column = !self.random.one_in(4);
            let item = if plain_column { self.column(&source.scope) } else { self.any_expression(&source.scope, 1) };
            // A constant is no group, and a number would be the place of one.
            let names_column = source.scope.iter().any(|named| item.text.contains(&named.text));
            if names_column && groups.iter().all(|known| known.text != item.text) {
                groups.push(item);
            }
        }
        if groups.is_empty() {
            return self.aggregated(source);
        }
        let texts: Vec<String> = groups.iter().map(|group| group.text.clone()).collect();
        let by = match self.random.below(12) {
            0 => format!("ROLLUP ({})", texts.join(", ")),
            1 => format!("CUBE ({})", texts.join(", ")),
            2 => format!("GROUPING SETS (({}), ())", texts.join(", ")),
            _ => texts.join(", "),
        };
        let mut items = groups;
        for _ in 0..self.random.below(4) {
            items.push(self.aggregate(&source.scope, Need::Any));
        }
        let filter = self.maybe_where(&source.scope);
        let having = self.maybe_having(&source.scope);
        let mut query = self.selected(items, source, &filter);
        query.text = format!("{} GROUP BY {by}{having}", query.text);
        query
    }

    /// Aggregates over everything.
    pub(super) fn global_aggregate(&mut self, depth: usize) -> Query {
        let source = self.source(depth);
        self.aggregated(&source)
    }

    fn aggregated(&mut self, source: &Source) -> Query {
        let items: Vec<Item> = (0..=self.random.below(3)).map(|_| self.aggregate(&source.scope, Need::Any)).collect();
        let filter = self.maybe_where(&source.scope);
        self.selected(items, source, &filter)
    }

    /// ` HAVING condition`, or nothing.
    pub(super) fn maybe_having(&mut self, scope: &[Named]) -> String {
        if !self.random.one_in(4) {
            return String::new();
        }
        let aggregate = self.aggregate(scope, Need::Number).text;
        format!(" HAVING {aggregate} {} {}", self.random.pick(&["<", ">", "=", ">=", "<>"]), self.random.between(0, 3))
    }

    /// A call, perhaps with FILTER.
    pub(super) fn aggregate(&mut self, scope: &[Named], need: Need) -> Item {
        let mut item = match (need, self.random.below(12)) {
            (Need::Number, _) | (_, 0..=4) => self.common(scope, need),
            (_, 5 | 6) => self.statistic(scope),
            (_, 7) => self.bits(scope),
            (_, 8) => self.quantile(scope),
            _ => self.ordered(scope),
        };
        if self.random.one_in(5) {
            item.text = format!("{} FILTER (WHERE {})", item.text, self.condition(scope, 1));
        }
        item
    }

    fn common(&mut self, scope: &[Named], need: Need) -> Item {
        let distinct = if self.random.one_in(4) { "DISTINCT " } else { "" };
        let any = self.any_expression(scope, 1);
        let choices = if need == Need::Number { 4 } else { 7 };
        match self.random.below(choices) {
            0 => Item { text: "count(*)".to_owned(), kind: Kind::Big },
            1 => Item { text: format!("count({distinct}{})", any.text), kind: Kind::Big },
            2 => Item { text: format!("sum({distinct}{})", self.expression(scope, Kind::Big, 1)), kind: Kind::Big },
            3 => Item { text: format!("sum({distinct}{})", self.leaf(scope, Kind::Double)), kind: Kind::Double },
            4 => {
                let kind = *self.random.pick(&[Kind::Numeric, Kind::Int]);
                let text = format!("sum({distinct}{})", self.leaf(scope, kind));
                Item { text, kind: Kind::Opaque }
            }
            5 => {
                let kind = *self.random.pick(&[Kind::Numeric, Kind::Int, Kind::Big, Kind::Double]);
                Item { text: format!("avg({distinct}{})", self.leaf(scope, kind)), kind: Kind::Opaque }
            }
            _ => Item { text: format!("{}({})", self.random.pick(&["min", "max"]), any.text), kind: any.kind },
        }
    }

    fn statistic(&mut self, scope: &[Named]) -> Item {
        const ONE: [&str; 6] = ["stddev", "stddev_pop", "stddev_samp", "var_samp", "var_pop", "var"];
        const TWO: [&str; 12] = [
            "corr", "covar_samp", "covar_pop", "regr_slope", "regr_intercept", "regr_count", "regr_r2", "regr_avgx", "regr_avgy",
            "regr_sxx", "regr_syy", "regr_sxy",
        ];
        let numeric = [Kind::Double, Kind::Big, Kind::Int];
        let first = *self.random.pick(&numeric);
        let first = self.leaf(scope, first);
        if self.random.one_in(2) {
            return Item { text: format!("{}({first})", self.random.pick(&ONE)), kind: Kind::Opaque };
        }
        let second = *self.random.pick(&numeric);
        let second = self.leaf(scope, second);
        Item { text: format!("{}({first}, {second})", self.random.pick(&TWO)), kind: Kind::Opaque }
    }

    fn bits(&mut self, scope: &[Named]) -> Item {
        if self.random.one_in(2) {
            let condition = self.expression(scope, Kind::Bool, 1);
            return Item { text: format!("{}({condition})", self.random.pick(&["bool_and", "bool_or"])), kind: Kind::Bool };
        }
        // No DISTINCT: DataFusion's grouped bit_xor forgets it.
        let name = *self.random.pick(&["bit_and", "bit_or", "bit_xor"]);
        Item { text: format!("{name}({})", self.leaf(scope, Kind::Big)), kind: Kind::Big }
    }

    fn quantile(&mut self, scope: &[Named]) -> Item {
        let number = self.leaf(scope, Kind::Double);
        let text = match self.random.below(4) {
            0 => format!("median({number})"),
            1 => format!("median({})", self.leaf(scope, Kind::Big)),
            2 => format!("approx_distinct({})", self.column(scope).text),
            _ => format!("percentile_cont({}) WITHIN GROUP (ORDER BY {number})", self.random.pick(&["0.25", "0.5", "0.9"])),
        };
        Item { text, kind: Kind::Opaque }
    }

    fn ordered(&mut self, scope: &[Named]) -> Item {
        let scope = plain(scope);
        let order = self.total_order(&scope);
        let value = self.column(&scope);
        match self.random.below(6) {
            0 | 1 => Item { text: format!("array_agg({} ORDER BY {order})", value.text), kind: Kind::Opaque },
            2 => {
                let text = format!("string_agg({}, ',' ORDER BY {order})", self.leaf(&scope, Kind::Text));
                Item { text, kind: Kind::Text }
            }
            3 => Item { text: format!("first_value({} ORDER BY {order})", value.text), kind: value.kind },
            4 => Item { text: format!("last_value({} ORDER BY {order})", value.text), kind: value.kind },
            _ => {
                let place = self.random.between(1, 3);
                Item { text: format!("nth_value({}, {place} ORDER BY {order})", value.text), kind: value.kind }
            }
        }
    }
}
