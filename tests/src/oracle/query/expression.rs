//! Expressions over a scope, of a wanted kind. None of them can fail on a row.

use super::{Generator, Item, Kind, Named, plain};

impl Generator<'_> {
    /// An expression of any kind that can be computed with.
    pub(super) fn any_expression(&mut self, scope: &[Named], depth: usize) -> Item {
        let columns = plain(scope);
        let kind = if self.random.one_in(3) || columns.is_empty() {
            *self.random.pick(&Kind::COMMON)
        } else {
            self.random.pick(&columns).kind
        };
        Item { text: self.expression(scope, kind, depth), kind }
    }

    /// A column of the scope that can be computed with.
    pub(super) fn column(&mut self, scope: &[Named]) -> Item {
        let columns = plain(scope);
        match columns.is_empty() {
            true => Item { text: "1".to_owned(), kind: Kind::Big },
            false => {
                let named = self.random.pick(&columns);
                Item { text: named.text.clone(), kind: named.kind }
            }
        }
    }

    /// A column of this kind, or a literal.
    pub(super) fn leaf(&mut self, scope: &[Named], kind: Kind) -> String {
        let columns: Vec<&Named> = scope.iter().filter(|named| named.kind == kind).collect();
        if columns.is_empty() || self.random.one_in(8) {
            return match kind {
                Kind::Big => format!("CAST({} AS BIGINT)", kind.literal(self.random)),
                Kind::Int => format!("CAST({} AS INT)", kind.literal(self.random)),
                _ => kind.literal(self.random),
            };
        }
        self.random.pick(&columns).text.clone()
    }

    /// An expression of this kind.
    pub(super) fn expression(&mut self, scope: &[Named], kind: Kind, depth: usize) -> String {
        if depth == 0 || self.random.one_in(3) {
            return self.leaf(scope, kind);
        }
        if self.random.one_in(8) {
            return self.cases(scope, kind, depth - 1);
        }
        if self.random.one_in(3)
            && let Some(call) = self.call(scope, kind, depth - 1)
        {
            return call;
        }
        let below = depth - 1;
        match kind {
            Kind::Big => self.big(scope, below),
            Kind::Int => {
                let (left, right) = (self.expression(scope, Kind::Int, below), self.leaf(scope, Kind::Int));
                format!("{}({left} + {right}) AS INT)", if self.random.one_in(2) { "CAST(abs" } else { "CAST(" })
            }
            Kind::Double => self.double(scope, below),
            Kind::Numeric => {
                let (left, right) = (self.leaf(scope, kind), self.leaf(scope, kind));
                let op = *self.random.pick(&["+", "-"]);
                format!("CAST({left} {op} {right} AS NUMERIC(12, 2))")
            }
            Kind::Text => self.text(scope, below),
            Kind::Bool => self.condition(scope, below),
            Kind::Moment => self.moment(scope, below),
            Kind::Day => format!("CAST({} AS DATE)", self.expression(scope, Kind::Moment, below)),
            Kind::Small => format!("CAST({} % 100 AS SMALLINT)", self.expression(scope, Kind::Big, below)),
            Kind::Real => format!("CAST({} AS REAL)", self.leaf(scope, Kind::Double)),
            Kind::Wide => format!("CAST({} AS NUMERIC(38, 10))", self.leaf(scope, Kind::Numeric)),
            Kind::Instant => format!("CAST({} AS TIMESTAMPTZ)", self.leaf(scope, Kind::Moment)),
            Kind::Bytes | Kind::Clock | Kind::Span | Kind::Tags | Kind::Wild | Kind::Opaque => self.leaf(scope, kind),
        }
    }

    fn cases(&mut self, scope: &[Named], kind: Kind, depth: usize) -> String {
        let (first, second) = (self.expression(scope, kind, depth), self.expression(scope, kind, depth));
        let condition = self.condition(scope, depth);
        let rest = if self.random.one_in(3) { String::new() } else { format!(" ELSE {second}") };
        format!("CASE WHEN {condition} THEN {first}{rest} END")
    }

    fn big(&mut self, scope: &[Named], depth: usize) -> String {
        let number = self.expression(scope, Kind::Big, depth);
        match self.random.below(9) {
            0 => format!("({number} + {})", self.leaf(scope, Kind::Big)),
            1 => format!("({number} - {})", self.leaf(scope, Kind::Int)),
            2 => format!("({number} * {})", self.random.between(-2, 3)),
            3 => format!("({number} % {})", self.random.between(2, 4)),
            4 => format!("({number} / {})", self.random.between(2, 4)),
            5 => format!("abs({number})"),
            6 => format!("CAST(length({}) AS BIGINT)", self.expression(scope, Kind::Text, depth)),
            7 => format!("CAST(date_part('second', {}) AS BIGINT)", self.leaf(scope, Kind::Moment)),
            _ => format!("CAST({} AS BIGINT)", self.expression(scope, Kind::Int, depth)),
        }
    }

    fn double(&mut self, scope: &[Named], depth: usize) -> String {
        let number = self.expression(scope, Kind::Double, depth);
        match self.random.below(6) {
            0 => format!("({number} + {})", self.leaf(scope, Kind::Double)),
            1 => format!("({number} * {})", self.random.pick(&["0.5", "2.0", "-1.0"])),
            2 => format!("abs({number})"),
            3 => format!("floor({number})"),
            4 => format!("(0.0 - {number})"),
            _ => format!("CAST({} AS DOUBLE)", self.expression(scope, Kind::Big, depth)),
        }
    }

    fn text(&mut self, scope: &[Named], depth: usize) -> String {
        let text = self.expression(scope, Kind::Text, depth);
        match self.random.below(8) {
            0 => format!("upper({text})"),
            1 => format!("lower({text})"),
            2 => format!("({text} || {})", self.leaf(scope, Kind::Text)),
            3 => format!("substr({text}, 1, {})", self.random.between(0, 2)),
            4 => format!("replace({text}, 'a', 'z')"),
            5 => format!("concat({text}, '-', {})", self.leaf(scope, Kind::Big)),
            6 => format!("trim({text})"),
            _ => format!("CAST({} AS VARCHAR)", self.leaf(scope, Kind::Big)),
        }
    }

    fn moment(&mut self, scope: &[Named], depth: usize) -> String {
        let moment = self.expression(scope, Kind::Moment, depth);
        match self.random.below(3) {
            0 => format!("date_trunc('minute', {moment})"),
            1 => format!("({moment} + INTERVAL '{} seconds')", self.random.between(1, 90)),
            _ => format!("date_trunc('{}', {moment})", self.random.pick(&["hour", "second"])),
        }
    }

    /// A condition that is neither always true nor always false, as far as one can tell; in parentheses, since
    /// `IS DISTINCT FROM` takes what follows it for its right side.
    pub(super) fn condition(&mut self, scope: &[Named], depth: usize) -> String {
        format!("({})", self.bare_condition(scope, depth))
    }

    fn bare_condition(&mut self, scope: &[Named], depth: usize) -> String {
        if depth > 0 && self.random.one_in(3) {
            let (left, right) = (self.condition(scope, depth - 1), self.condition(scope, depth - 1));
            return match self.random.below(5) {
                0 => format!("NOT {left}"),
                1 | 2 => format!("{left} AND {right}"),
                _ => format!("{left} OR {right}"),
            };
        }
        let column = self.column(scope);
        match self.random.below(8) {
            0 => format!("{} IS NULL", column.text),
            1 => format!("{} IS NOT NULL", column.text),
            2 if column.kind == Kind::Text => {
                format!("{} LIKE '{}'", column.text, self.random.pick(&["a%", "%b%", "_", "%"]))
            }
            3 if column.kind == Kind::Bool => column.text,
            4 if !column.kind.only_equal() => {
                let list: Vec<String> = (0..=self.random.below(3)).map(|_| self.leaf(&[], column.kind)).collect();
                let not = if self.random.one_in(3) { "NOT " } else { "" };
                format!("{} {not}IN ({})", column.text, list.join(", "))
            }
            _ if column.kind.only_equal() => {
                let op = *self.random.pick(&["=", "<>", "IS DISTINCT FROM"]);
                format!("{} {op} {}", column.text, self.leaf(scope, column.kind))
            }
            5 if column.kind != Kind::Bool => {
                let (low, high) = (self.leaf(&[], column.kind), self.leaf(&[], column.kind));
                format!("{} BETWEEN {low} AND {high}", column.text)
            }
            _ => {
                let op =
                    *self.random.pick(&["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"]);
                let other = if self.random.one_in(2) {
                    self.leaf(&[], column.kind)
                } else {
                    self.expression(scope, column.kind, depth)
                };
                format!("{} {op} {other}", column.text)
            }
        }
    }

    /// ` WHERE condition`, or nothing.
    pub(super) fn maybe_where(&mut self, scope: &[Named]) -> String {
        if self.random.one_in(2) { format!(" WHERE {}", self.condition(scope, 1)) } else { String::new() }
    }

    /// An order that leaves no ties but equal rows.
    pub(super) fn total_order(&mut self, scope: &[Named]) -> String {
        let mut first = self.any_expression(scope, 1);
        // DataFusion can't number rows by a time of day, an interval or bytes.
        if Kind::RARE.contains(&first.kind) {
            first.text = self.expression(scope, Kind::Big, 1);
        }
        let mut terms = vec![self.directed(first.text)];
        for column in plain(scope) {
            terms.push(self.directed(column.text));
        }
        terms.join(", ")
    }

    /// The same by columns alone, each once: DataFusion's first_value panics over an order that says something twice.
    pub(super) fn order_of_columns(&mut self, scope: &[Named]) -> String {
        let mut columns = plain(scope);
        let first = self.random.below(columns.len());
        columns.rotate_left(first);
        let terms: Vec<String> = columns.into_iter().map(|column| self.directed(column.text)).collect();
        terms.join(", ")
    }

    pub(super) fn directed(&mut self, text: String) -> String {
        format!("{text}{}", self.random.pick(&["", "", " DESC", " ASC NULLS FIRST", " DESC NULLS LAST"]))
    }
}
