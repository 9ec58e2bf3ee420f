//! Window table functions: `FROM TUMBLE(rel, col, INTERVAL size)` becomes an ordinary derived table.
//!
//! Window columns are plain columns, so the rest of the engine needs to know nothing of windows:
//! ```sql
//! TUMBLE(r, t, size)     -> (SELECT *, monsoon_tumble_start(t, size, offset) AS window_start,
//!                                      monsoon_tumble_end(t, size, offset) AS window_end FROM r WHERE t IS NOT NULL)
//! HOP(r, t, slide, size) -> (SELECT *, monsoon_window_end(window_start, size) AS window_end FROM
//!                              (SELECT *, unnest(monsoon_hop_starts(t, slide, size, offset)) AS window_start FROM r))
//! ```
//! A window holds t iff `start <= t < start + size`; starts are multiples of the size (or slide) from the epoch, plus the
//! offset. A row whose time is NULL is in no window. Sizes are nanoseconds in the rewritten query.
//!
//! Syntax: `TUMBLE(rel, col, size [, offset])`, `HOP(rel, col, slide, size [, offset])`, and Flink's
//! `TABLE(TUMBLE(TABLE rel, DESCRIPTOR(col), size))` with or without named arguments.

mod argument;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, SetExpr, Spanned,
    TableAlias, TableFactor, VisitMut, VisitorMut,
};

use crate::error::{Result, SqlError};
use crate::parser::parse_query;
use crate::sql_text::SqlText;
use argument::{Arguments, Relation};

/// Windows that one row may be in.
const WINDOWS_PER_ROW_MAX: i64 = 10_000;

/// The kinds of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    /// Windows of one size, one after the other.
    Tumble,
    /// Windows that start every slide.
    Hop,
}

/// A window function that was rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowUse {
    /// What kind.
    pub kind: WindowKind,
    /// The relation, as named in the query; `None` for a query.
    pub relation: Option<ObjectName>,
    /// The time column.
    pub time_column: Ident,
    /// Length of a window.
    pub size_ns: i64,
    /// Distance of starts; the size for TUMBLE.
    pub slide_ns: i64,
    /// What is added to every start.
    pub offset_ns: i64,
}

/// Rewrites every window function in `query`, and tells which there were. `sql` is the text that the query's spans
/// speak of, `offset` the characters before it in what the client sent.
pub fn rewrite_query(query: &mut Query, sql: &str, offset: usize) -> Result<Vec<WindowUse>> {
    let mut rewriter = Rewriter { text: SqlText::new(sql), offset, uses: Vec::new() };
    match VisitMut::visit(query, &mut rewriter) {
        ControlFlow::Continue(()) => Ok(rewriter.uses),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter<'a> {
    text: SqlText<'a>,
    offset: usize,
    uses: Vec<WindowUse>,
}

impl VisitorMut for Rewriter<'_> {
    type Break = SqlError;

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<SqlError> {
        match self.rewrite(factor) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// A table factor that is a call: its name, arguments and alias.
struct Call<'a> {
    name: &'a ObjectName,
    arguments: &'a [FunctionArg],
    alias: Option<TableAlias>,
}

/// The call that a table factor is, in any of the forms the parser gives it.
fn call_of(factor: &TableFactor) -> Option<Call<'_>> {
    match factor {
        TableFactor::Table { name, args: Some(args), alias, .. } => {
            Some(Call { name, arguments: &args.args, alias: alias.clone() })
        }
        TableFactor::Function { name, args, alias, .. } => Some(Call { name, arguments: args, alias: alias.clone() }),
        TableFactor::TableFunction {
            expr: Expr::Function(Function { name, args: FunctionArguments::List(list), .. }),
            alias,
        } => Some(Call { name, arguments: &list.args, alias: alias.clone() }),
        _ => None,
    }
}

impl Rewriter<'_> {
    fn rewrite(&mut self, factor: &mut TableFactor) -> Result<()> {
        let Some(call) = call_of(factor) else { return Ok(()) };
        let [ObjectNamePart::Identifier(name)] = call.name.0.as_slice() else {
            return Ok(());
        };
        let position = self.offset + self.text.char_offset(name.span.start) + 1;
        let kind = match name.value.to_ascii_uppercase().as_str() {
            "TUMBLE" => WindowKind::Tumble,
            "HOP" => WindowKind::Hop,
            other @ ("SESSION" | "CUMULATE" | "TUMBLE_ROWS" | "HOP_ROWS") => {
                return Err(SqlError::unsupported(format!("{other} windows are not supported"))
                    .with_hint("TUMBLE and HOP are")
                    .at(position));
            }
            _ => return Ok(()),
        };
        let arguments = self.arguments(kind, &call).map_err(|error| match error.position {
            Some(_) => error,
            None => error.at(position),
        })?;
        let alias = call.alias.or_else(|| arguments.relation.default_alias());
        self.uses.push(arguments.to_use(kind));
        *factor = TableFactor::Derived { lateral: false, subquery: derived(kind, arguments)?, alias, sample: None };
        Ok(())
    }

    fn arguments(&self, kind: WindowKind, call: &Call<'_>) -> Result<Arguments> {
        let arguments = Arguments::read(kind, call.arguments).map_err(|fault| {
            let span = fault.argument.map(|n| call.arguments[n].span()).filter(|span| span.start.line > 0);
            match span {
                Some(span) => fault.error.at(self.offset + self.text.char_offset(span.start) + 1),
                None => fault.error,
            }
        })?;
        let per_row = arguments.size_ns / arguments.slide_ns;
        if per_row > WINDOWS_PER_ROW_MAX {
            return Err(SqlError::new(
                "54000",
                format!("each row would be in {per_row} windows, the limit is {WINDOWS_PER_ROW_MAX}"),
            )
            .with_hint("make the slide longer"));
        }
        Ok(arguments)
    }
}

/// Name that stands for the time column in the templates.
const TIME: &str = "monsoon_window_time";
/// Name that stands for the relation in the templates.
const RELATION: &str = "monsoon_window_relation";

/// The derived table. It is parsed from a template, so that it needs no tree built by hand; then the relation and the
/// column are put in as they are, so that errors in them keep their places.
fn derived(kind: WindowKind, arguments: Arguments) -> Result<Box<Query>> {
    let Arguments { size_ns: size, slide_ns: slide, offset_ns: offset, .. } = arguments;
    let template = match kind {
        WindowKind::Tumble => format!(
            "SELECT *, monsoon_tumble_start({TIME}, {size}, {offset}) AS window_start, \
             monsoon_tumble_end({TIME}, {size}, {offset}) AS window_end FROM {RELATION} WHERE {TIME} IS NOT NULL"
        ),
        WindowKind::Hop => format!(
            "SELECT *, monsoon_window_end(window_start, {size}) AS window_end FROM \
             (SELECT *, unnest(monsoon_hop_starts({TIME}, {slide}, {size}, {offset})) AS window_start FROM {RELATION})"
        ),
    };
    let mut query = parse_query(&template)?;
    let mut filler = Filler { time: arguments.time, relation: Some(arguments.relation) };
    match VisitMut::visit(&mut query, &mut filler) {
        ControlFlow::Continue(()) => Ok(query),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Filler {
    time: Expr,
    relation: Option<Relation>,
}

impl VisitorMut for Filler {
    type Break = SqlError;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        if matches!(expr, Expr::Identifier(ident) if ident.value == TIME) {
            *expr = self.time.clone();
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<SqlError> {
        let is_placeholder = matches!(factor, TableFactor::Table { name, .. } if name.to_string() == RELATION);
        if is_placeholder {
            match self.relation.take() {
                Some(relation) => *factor = relation.into_factor(),
                None => return ControlFlow::Break(SqlError::internal("a window's template names its relation twice")),
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether a query only reads: a data-modifying one can't be windowed.
fn only_reads(query: &Query) -> bool {
    matches!(
        query.body.as_ref(),
        SetExpr::Select(_) | SetExpr::Values(_) | SetExpr::SetOperation { .. } | SetExpr::Query(_) | SetExpr::Table(_)
    )
}
