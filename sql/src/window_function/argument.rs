//! The arguments of a window function: relation, time column, sizes.

use arrow::datatypes::IntervalMonthDayNano;
use datafusion::sql::sqlparser::ast::{
    DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart,
    Query, TableAlias, TableFactor, UnaryOperator, Value,
};

use super::{WindowKind, WindowUse, only_reads};
use crate::error::SqlError;
use crate::interval_text::parse_interval;
use crate::table_factor::table_factor;

/// Nanoseconds of a day.
const DAY_NS: i64 = 86_400_000_000_000;

/// What a window function was given.
pub(super) struct Arguments {
    pub(super) relation: Relation,
    pub(super) time: Expr,
    time_column: Ident,
    pub(super) size_ns: i64,
    pub(super) slide_ns: i64,
    pub(super) offset_ns: i64,
}

/// An error and the argument that is at fault.
pub(super) struct Fault {
    pub(super) error: SqlError,
    pub(super) argument: Option<usize>,
}

fn fault(argument: usize, error: SqlError) -> Fault {
    Fault { error, argument: Some(argument) }
}

/// What a window function reads.
pub(super) enum Relation {
    Named(ObjectName),
    Query(Box<Query>),
}

impl Relation {
    /// The relation's own name, by which its columns may be qualified when the call has no alias.
    pub(super) fn default_alias(&self) -> Option<TableAlias> {
        match self {
            Relation::Named(name) => {
                let ident = name.0.last()?.as_ident()?.clone();
                Some(alias(ident))
            }
            Relation::Query(_) => None,
        }
    }

    pub(super) fn into_factor(self) -> TableFactor {
        match self {
            Relation::Named(name) => table_factor(name),
            Relation::Query(subquery) => TableFactor::Derived {
                lateral: false,
                subquery,
                alias: Some(alias(Ident::new("monsoon_windowed"))),
                sample: None,
            },
        }
    }
}

fn alias(name: Ident) -> TableAlias {
    TableAlias { explicit: true, name, columns: Vec::new(), at: None }
}

/// The arguments by position or by Flink's names: (name, whether it must be given).
fn parameters(kind: WindowKind) -> &'static [(&'static str, bool)] {
    match kind {
        WindowKind::Tumble => &[("DATA", true), ("TIMECOL", true), ("SIZE", true), ("OFFSET", false)],
        WindowKind::Hop => &[("DATA", true), ("TIMECOL", true), ("SLIDE", true), ("SIZE", true), ("OFFSET", false)],
    }
}

fn usage(kind: WindowKind) -> &'static str {
    match kind {
        WindowKind::Tumble => "TUMBLE(relation, time column, INTERVAL size [, INTERVAL offset])",
        WindowKind::Hop => "HOP(relation, time column, INTERVAL slide, INTERVAL size [, INTERVAL offset])",
    }
}

impl Arguments {
    /// Reads the arguments of a call.
    pub(super) fn read(kind: WindowKind, arguments: &[FunctionArg]) -> Result<Arguments, Fault> {
        let places = assign(kind, arguments)?;
        let get = |name: &str| {
            let n = parameters(kind).iter().position(|(parameter, _)| *parameter == name)?;
            places[n].as_ref()
        };
        let missing = || Fault { error: wrong_arguments(kind), argument: None };
        let (data_place, data) = get("DATA").ok_or_else(missing)?;
        let (time_place, time) = get("TIMECOL").ok_or_else(missing)?;
        let (size_place, size) = get("SIZE").ok_or_else(missing)?;
        let relation = relation(data).ok_or_else(|| {
            fault(
                *data_place,
                SqlError::syntax("the first argument must be a relation or a query in parentheses")
                    .with_hint(usage(kind)),
            )
        })?;
        let (time, time_column) = time_column(time).ok_or_else(|| {
            fault(*time_place, SqlError::syntax("the second argument must be a column").with_hint(usage(kind)))
        })?;
        let size_ns = positive(size, "size").map_err(|error| fault(*size_place, error))?;
        let slide_ns = match get("SLIDE") {
            Some((place, slide)) => positive(slide, "slide").map_err(|error| fault(*place, error))?,
            None => size_ns,
        };
        let offset_ns = match get("OFFSET") {
            Some((place, offset)) => nanoseconds(offset, "offset").map_err(|error| fault(*place, error))?,
            None => 0,
        };
        Ok(Arguments { relation, time, time_column, size_ns, slide_ns, offset_ns: offset_ns.rem_euclid(slide_ns) })
    }

    pub(super) fn to_use(&self, kind: WindowKind) -> WindowUse {
        let relation = match &self.relation {
            Relation::Named(name) => Some(name.clone()),
            Relation::Query(_) => None,
        };
        WindowUse {
            kind,
            relation,
            time_column: self.time_column.clone(),
            size_ns: self.size_ns,
            slide_ns: self.slide_ns,
            offset_ns: self.offset_ns,
        }
    }
}

fn wrong_arguments(kind: WindowKind) -> SqlError {
    SqlError::new("42883", "wrong arguments of a window function").with_hint(usage(kind))
}

type Place = Option<(usize, Expr)>;

/// Each parameter's argument, with its number in the call.
fn assign(kind: WindowKind, arguments: &[FunctionArg]) -> Result<Vec<Place>, Fault> {
    let parameters = parameters(kind);
    let mut places: Vec<Place> = vec![None; parameters.len()];
    for (n, argument) in arguments.iter().enumerate() {
        let (parameter, value) = match argument {
            FunctionArg::Unnamed(value) => (Some(n).filter(|n| *n < parameters.len()), value),
            FunctionArg::Named { name, arg, .. } => {
                (parameters.iter().position(|(parameter, _)| name.value.eq_ignore_ascii_case(parameter)), arg)
            }
            FunctionArg::ExprNamed { .. } => (None, &FunctionArgExpr::Wildcard),
        };
        let (Some(parameter), FunctionArgExpr::Expr(value)) = (parameter, value) else {
            return Err(fault(n, wrong_arguments(kind)));
        };
        if places[parameter].is_some() {
            return Err(fault(n, wrong_arguments(kind)));
        }
        places[parameter] = Some((n, value.clone()));
    }
    Ok(places)
}

fn relation(expr: &Expr) -> Option<Relation> {
    match expr {
        Expr::Identifier(name) => Some(Relation::Named(ObjectName(vec![ObjectNamePart::Identifier(name.clone())]))),
        Expr::CompoundIdentifier(parts) => {
            Some(Relation::Named(ObjectName(parts.iter().cloned().map(ObjectNamePart::Identifier).collect())))
        }
        Expr::Subquery(query) if only_reads(query) => Some(Relation::Query(query.clone())),
        Expr::Nested(inner) => relation(inner),
        _ => None,
    }
}

/// The time column, out of `DESCRIPTOR(col)` if it stands in one.
fn time_column(expr: &Expr) -> Option<(Expr, Ident)> {
    match expr {
        Expr::Identifier(name) => Some((expr.clone(), name.clone())),
        Expr::CompoundIdentifier(parts) => parts.last().map(|name| (expr.clone(), name.clone())),
        Expr::Function(Function { name, args: FunctionArguments::List(list), .. })
            if name.to_string().eq_ignore_ascii_case("descriptor") =>
        {
            match list.args.as_slice() {
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(column))] => time_column(column),
                _ => None,
            }
        }
        _ => None,
    }
}

fn positive(expr: &Expr, what: &str) -> Result<i64, SqlError> {
    match nanoseconds(expr, what)? {
        size if size > 0 => Ok(size),
        _ => Err(SqlError::new("22023", format!("a window's {what} must be positive"))),
    }
}

/// A constant interval in nanoseconds.
fn nanoseconds(expr: &Expr, what: &str) -> Result<i64, SqlError> {
    let Some(text) = interval_text(expr) else {
        return Err(SqlError::unsupported(format!("a window's {what} must be a constant interval"))
            .with_hint("write it as INTERVAL '10 seconds'"));
    };
    let invalid = || SqlError::new("22007", format!("invalid input syntax for type interval: \"{text}\""));
    let interval = parse_interval(&text).ok_or_else(invalid)?;
    let IntervalMonthDayNano { months, days, nanoseconds } = interval;
    if months != 0 {
        return Err(SqlError::unsupported(format!(
            "a window's {what} can't be in months or years: they differ in length"
        ))
        .with_hint("GROUP BY date_trunc('month', ...)"));
    }
    i64::from(days)
        .checked_mul(DAY_NS)
        .and_then(|days| days.checked_add(nanoseconds))
        .ok_or_else(|| SqlError::new("22008", format!("interval out of range: \"{text}\"")))
}

fn interval_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Interval(interval) => {
            let value = plain_text(&interval.value)?;
            if interval.last_field.is_some() {
                return None;
            }
            match &interval.leading_field {
                Some(unit) => Some(format!("{value} {unit}")),
                None => Some(value),
            }
        }
        Expr::Cast { expr, data_type: DataType::Interval { .. }, .. } => plain_text(expr),
        Expr::TypedString(typed) if matches!(typed.data_type, DataType::Interval { .. }) => string(&typed.value.value),
        Expr::Value(value) => string(&value.value),
        Expr::Nested(inner) => interval_text(inner),
        _ => None,
    }
}

fn plain_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => Some(number.to_string()),
            other => string(other),
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => plain_text(expr).map(|text| format!("-{text}")),
        Expr::Nested(inner) => plain_text(inner),
        _ => None,
    }
}

fn string(value: &Value) -> Option<String> {
    match value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text.clone()),
        _ => None,
    }
}
