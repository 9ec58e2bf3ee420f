//! Expressions that fail on some rows: a division by zero. A view has NULL there, where DataFusion gives up the query; so
//! DataFusion is asked for NULL.

use super::{Generator, Item, Kind, Query};

impl Generator<'_> {
    /// A query with a division, and one that counts the rows on which it fails.
    ///
    /// The division is a whole expression: what stands around one would be NULL with it. For the same reason the query is never
    /// part of another.
    pub(super) fn failing(&mut self) -> (Query, String) {
        let source = self.source(0);
        let numbers: Vec<Item> = source
            .scope
            .iter()
            .filter(|named| named.kind == Kind::Big)
            .map(|named| Item { text: named.text.clone(), kind: Kind::Big })
            .collect();
        let one = || Item { text: "CAST(1 AS BIGINT)".to_owned(), kind: Kind::Big };
        let (dividend, divisor) = match numbers.is_empty() {
            true => (one(), one()),
            false => (self.random.pick(&numbers).clone(), self.random.pick(&numbers).clone()),
        };
        let division = format!("{} / {}", dividend.text, divisor.text);
        let token =
            self.substitute(format!("({division})"), format!("CASE WHEN {} <> 0 THEN {division} END", divisor.text));
        let failures =
            format!("SELECT 1 FROM {} WHERE {} = 0 AND {} IS NOT NULL", source.text, divisor.text, dividend.text);
        let quotient = Item { text: token.clone(), kind: Kind::Big };
        let query = match self.random.below(4) {
            0 => {
                let items = vec![dividend, divisor];
                self.selected(items, &source, &format!(" WHERE {token} >= 1"))
            }
            1 => {
                let count = Item { text: "count(*)".to_owned(), kind: Kind::Big };
                let mut query = self.selected(vec![quotient, count], &source, "");
                query.text = format!("{} GROUP BY {token}", query.text);
                query
            }
            2 => {
                let sum = Item { text: format!("sum({token})"), kind: Kind::Big };
                self.selected(vec![sum], &source, "")
            }
            _ => self.selected(vec![dividend, divisor, quotient], &source, ""),
        };
        (query, failures)
    }
}
