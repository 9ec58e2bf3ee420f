//! GROUP BY, and every aggregate that can be made to have one answer.

use super::{Generator, Item, Kind, Named, Query, Scale, Source, plain};

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
        let (by, sets) = match self.random.below(12) {
            0 => (format!("ROLLUP ({})", texts.join(", ")), true),
            1 => (format!("CUBE ({})", texts.join(", ")), true),
            2 => (format!("GROUPING SETS (({}), ())", texts.join(", ")), true),
            3 if texts.len() > 1 => (format!("{}, ROLLUP ({})", texts[0], texts[1..].join(", ")), true),
            _ => (texts.join(", "), false),
        };
        let mut items = groups.clone();
        for _ in 0..self.random.below(4) {
            items.push(self.aggregate(&source.scope, Need::Any));
        }
        if sets && self.random.one_in(2) {
            items.push(Item { text: format!("CAST(grouping({}) AS INT)", self.random.pick(&texts)), kind: Kind::Int });
        } else if !sets && self.random.one_in(8) {
            // Only in a group of equal values is there one answer.
            let group = self.random.pick(&groups).clone();
            items.push(Item { text: format!("any_value({})", group.text), kind: group.kind });
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
        let first = self.comparison_of_aggregate(scope);
        if !self.random.one_in(3) {
            return format!(" HAVING {first}");
        }
        let second = self.comparison_of_aggregate(scope);
        format!(" HAVING {first} {} {second}", self.random.pick(&["AND", "OR"]))
    }

    fn comparison_of_aggregate(&mut self, scope: &[Named]) -> String {
        let aggregate = self.aggregate(scope, Need::Number).text;
        format!("{aggregate} {} {}", self.random.pick(&["<", ">", "=", ">=", "<>"]), self.random.between(0, 3))
    }

    /// A call, perhaps with FILTER, or arithmetic over two.
    pub(super) fn aggregate(&mut self, scope: &[Named], need: Need) -> Item {
        if self.random.one_in(8) {
            return self.arithmetic(scope);
        }
        let mut item = match (need, self.random.below(14)) {
            (Need::Number, _) | (_, 0..=4) => self.common(scope, need),
            (_, 5 | 6) => self.statistic(scope),
            (_, 7 | 8) => self.bits(scope),
            (_, 9 | 10) => self.quantile(scope),
            _ => self.ordered(scope),
        };
        // DataFusion doesn't take it for nth_value.
        let takes_nulls = ["first_value", "last_value"].iter().any(|name| item.text.starts_with(name));
        if self.random.one_in(5) {
            item.text = format!("{} FILTER (WHERE {})", item.text, self.condition(scope, 1));
        }
        if takes_nulls && self.random.one_in(3) {
            item.text.push_str(" IGNORE NULLS");
        }
        item
    }

    fn arithmetic(&mut self, scope: &[Named]) -> Item {
        let number = self.leaf(scope, Kind::Big);
        let other = self.expression(scope, Kind::Big, 1);
        let text = match self.random.below(4) {
            0 => format!("(sum({number}) / nullif(count(*), 0))"),
            1 => format!("(max({number}) - min({other}))"),
            2 => format!("(sum({number}) + count({other}))"),
            _ => format!("coalesce(sum({number}), count(DISTINCT {other}))"),
        };
        Item { text, kind: Kind::Big }
    }

    fn common(&mut self, scope: &[Named], need: Need) -> Item {
        let distinct = if self.random.one_in(4) { "DISTINCT " } else { "" };
        let any = self.any_expression(scope, 1);
        let choices = if need == Need::Number { 7 } else { 10 };
        match self.random.below(choices) {
            0 => Item { text: "count(*)".to_owned(), kind: Kind::Big },
            1 => Item { text: format!("count({distinct}{})", any.text), kind: Kind::Big },
            2 => Item { text: format!("sum({distinct}{})", self.expression(scope, Kind::Big, 1)), kind: Kind::Big },
            3 => Item { text: format!("sum({distinct}{})", self.leaf(scope, Kind::Double)), kind: Kind::Double },
            4 => Item { text: format!("count({}, {})", any.text, self.column(scope).text), kind: Kind::Big },
            5 => Item { text: "count(NULL)".to_owned(), kind: Kind::Big },
            6 => Item { text: "sum(1)".to_owned(), kind: Kind::Big },
            7 => {
                let kind = *self.random.pick(&[Kind::Numeric, Kind::Int]);
                let text = format!("sum({distinct}{})", self.leaf(scope, kind));
                Item { text, kind: Kind::Opaque }
            }
            8 => {
                let kind = *self.random.pick(&[Kind::Numeric, Kind::Int, Kind::Big, Kind::Double]);
                Item { text: format!("avg({distinct}{})", self.leaf(scope, kind)), kind: Kind::Opaque }
            }
            _ if any.kind.only_equal() => Item { text: format!("count({distinct}{})", any.text), kind: Kind::Big },
            _ => {
                Item { text: format!("{}({distinct}{})", self.random.pick(&["min", "max"]), any.text), kind: any.kind }
            }
        }
    }

    fn statistic(&mut self, scope: &[Named]) -> Item {
        const ONE: [&str; 6] = ["stddev", "stddev_pop", "stddev_samp", "var_samp", "var_pop", "var"];
        const TWO: [&str; 12] = [
            "corr",
            "covar_samp",
            "covar_pop",
            "regr_slope",
            "regr_intercept",
            "regr_count",
            "regr_r2",
            "regr_avgx",
            "regr_avgy",
            "regr_sxx",
            "regr_syy",
            "regr_sxy",
        ];
        let numeric = [Kind::Double, Kind::Big, Kind::Int, Kind::Numeric];
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
            return Item {
                text: format!("{}({condition})", self.random.pick(&["bool_and", "bool_or"])),
                kind: Kind::Bool,
            };
        }
        // No DISTINCT for bit_xor: DataFusion's grouped one forgets it.
        let name = *self.random.pick(&["bit_and", "bit_or", "bit_xor", "bit_and(DISTINCT", "bit_or(DISTINCT"]);
        let open = if name.ends_with("DISTINCT") { " " } else { "(" };
        Item { text: format!("{name}{open}{})", self.leaf(scope, Kind::Big)), kind: Kind::Big }
    }

    fn quantile(&mut self, scope: &[Named]) -> Item {
        let kind = *self.random.pick(&[Kind::Double, Kind::Big, Kind::Numeric]);
        let number = self.leaf(scope, kind);
        let share = *self.random.pick(&["0.25", "0.5", "0.9"]);
        let distinct = if self.random.one_in(4) { "DISTINCT " } else { "" };
        // The approximate ones are exact over few values only; over many they depend on how the rows came.
        let choices = if self.scale == Scale::Large { 2 } else { 6 };
        let text = match self.random.below(choices) {
            0 => format!("median({distinct}{number})"),
            1 => format!("percentile_cont({share}) WITHIN GROUP (ORDER BY {number})"),
            2 => format!("approx_median({number})"),
            3 => format!("approx_percentile_cont({share}) WITHIN GROUP (ORDER BY {number})"),
            4 => {
                let weight = self.leaf(scope, Kind::Big);
                format!(
                    "approx_percentile_cont_with_weight(abs({weight}) + 1, {share}) WITHIN GROUP (ORDER BY {number})"
                )
            }
            // DataFusion has no approx_distinct of doubles, among others.
            _ => {
                let kind = *self.random.pick(&[Kind::Big, Kind::Int, Kind::Text, Kind::Moment, Kind::Day]);
                format!("approx_distinct({})", self.leaf(scope, kind))
            }
        };
        Item { text, kind: Kind::Opaque }
    }

    fn ordered(&mut self, scope: &[Named]) -> Item {
        let scope = plain(scope);
        let order = self.order_of_columns(&scope);
        let value = self.column(&scope);
        match self.random.below(7) {
            // Among distinct values only the values themselves can be an order.
            0 if self.random.one_in(2) => {
                let text = format!("array_agg(DISTINCT {} ORDER BY {})", value.text, self.directed(value.text.clone()));
                Item { text, kind: Kind::Opaque }
            }
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
