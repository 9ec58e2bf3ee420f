//! What is told of an aggregate that DataFusion could not compute.

use arrow::array::{Array, ArrayRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::DataFusionError;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use crate::RowError;

/// Values of the first argument that are shown.
const VALUES_SHOWN: usize = 8;

/// The failure of `function` over rows with these arguments.
pub(super) fn failure(function: &AggregateFunctionExpr, arguments: &[ArrayRef], error: &DataFusionError) -> RowError {
    let values = arguments.first().map(shown).unwrap_or_default();
    RowError { expression: function.name().to_owned(), reason: error.strip_backtrace(), row: values }
}

fn shown(values: &ArrayRef) -> String {
    let options = FormatOptions::default().with_null("NULL");
    let Ok(formatter) = ArrayFormatter::try_new(values.as_ref(), &options) else { return String::new() };
    let texts = (0..values.len().min(VALUES_SHOWN)).map(|row| formatter.value(row).to_string()).collect::<Vec<_>>();
    let more = if values.len() > VALUES_SHOWN { ", ..." } else { "" };
    format!("{}{more}", texts.join(", "))
}
