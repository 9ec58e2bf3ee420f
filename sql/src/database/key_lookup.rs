//! Which rows of a relation a query can want at all: key look-ups in place of whole reads.

use std::collections::HashMap;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use crate::catalog::Relation;

/// Keys that are looked up one by one; from there on the relation is read.
const KEYS_MAX: usize = 1_000;

/// The key column that a filter fixes, and its possible values.
pub(super) fn key_values(relation: &Relation, filter: &Expr) -> Option<(usize, Vec<ScalarValue>)> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _)) | (Expr::Literal(value, _), Expr::Column(column)) => {
                let place = key_column(relation, &column.name)?;
                fitting(relation, place, value).map(|value| (place, vec![value]))
            }
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (place, mut values) = key_values(relation, left)?;
            let (other, more) = key_values(relation, right)?;
            values.extend(more);
            (place == other && values.len() <= KEYS_MAX).then_some((place, values))
        }
        Expr::InList(InList { expr, list, negated: false }) if list.len() <= KEYS_MAX => {
            let Expr::Column(column) = expr.as_ref() else { return None };
            let place = key_column(relation, &column.name)?;
            let value = |item: &Expr| match item {
                Expr::Literal(value, _) => fitting(relation, place, value),
                _ => None,
            };
            list.iter().map(value).collect::<Option<Vec<_>>>().map(|values| (place, values))
        }
        _ => None,
    }
}

fn key_column(relation: &Relation, name: &str) -> Option<usize> {
    relation.column(name).filter(|place| relation.key.contains(place))
}

fn fitting(relation: &Relation, place: usize, value: &ScalarValue) -> Option<ScalarValue> {
    (!value.is_null() && value.data_type() == *relation.schema.field(place).data_type()).then(|| value.clone())
}

/// The keys that rows passing all of `filters` can have; `None` when the filters don't fix every key column.
pub(super) fn keys(relation: &Relation, filters: &[Expr]) -> Option<Vec<Vec<ScalarValue>>> {
    if relation.key.is_empty() {
        return None;
    }
    let mut values: HashMap<usize, Vec<ScalarValue>> = HashMap::new();
    for (place, found) in filters.iter().filter_map(|filter| key_values(relation, filter)) {
        // Of two filters on one column either is enough: what passes both passes each.
        values.entry(place).or_insert(found);
    }
    let mut keys: Vec<Vec<ScalarValue>> = vec![Vec::new()];
    for place in &relation.key {
        let mut choices = values.remove(place)?;
        let mut seen = std::collections::HashSet::new();
        choices.retain(|choice| seen.insert(choice.clone()));
        if keys.len() * choices.len() > KEYS_MAX {
            return None;
        }
        let extend = |key: &Vec<ScalarValue>| {
            choices.iter().map(|choice| key.iter().cloned().chain([choice.clone()]).collect()).collect::<Vec<_>>()
        };
        keys = keys.iter().flat_map(extend).collect();
    }
    Some(keys)
}
