//! Choosing how each aggregate of a GROUP BY is kept.

use std::sync::Arc;

use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{
    ArrowNativeTypeOp, DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Field, Int64Type,
    SchemaRef, UInt64Type,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;

use super::codec::{BytesCodec, WordCodec};
use super::column::AggregateColumn;
use super::count::CountColumn;
use super::extreme::{Extreme, ExtremeColumn};
use super::float::{FloatColumn, FloatValue};
use super::grouped_set::Listing;
use super::merged::MergedColumn;
use super::moment::MomentColumn;
use super::multiset::MultisetColumn;
use super::ordered::OrderedColumn;
use super::sum::SumColumn;
use crate::plan::AggregateCall;
use crate::{Error, Result};

/// A running aggregate.
pub(crate) struct Call {
    /// Arguments, then ORDER BY expressions for columns that keep rows.
    pub arguments: Vec<Arc<dyn PhysicalExpr>>,
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    pub column: Box<dyn AggregateColumn>,
    /// DISTINCT, kept by a [`super::distinct::DistinctSet`] in front of the column.
    pub distinct: bool,
    /// Whether partial states of the column can be merged (no rows are kept).
    pub mergeable: bool,
}

/// What the choice depends on.
#[derive(Clone, Copy)]
pub(crate) struct Situation {
    pub append_only: bool,
    pub listing: Listing,
}

impl Call {
    pub fn new(call: &AggregateCall, input: &SchemaRef, situation: Situation) -> Result<Call> {
        let function = &call.function;
        // A constant counts as often as there are rows, but only once among distinct values.
        let counts_rows = function.fun().name() == "count" && !function.is_distinct();
        let arguments = if counts_rows { value_arguments(&function.expressions()) } else { function.expressions() };
        let types = arguments
            .iter()
            .map(|argument| argument.data_type(input))
            .collect::<datafusion::error::Result<Vec<_>>>()?;
        let plain = function.order_bys().is_empty();
        let native = if plain { native_column(call, &types, situation)? } else { None };
        if let Some((column, distinct_matters)) = native {
            let distinct = function.is_distinct() && distinct_matters;
            return Ok(Call {
                arguments,
                filter: call.filter.clone(),
                column: column.0,
                distinct,
                mergeable: column.1 && !distinct,
            });
        }
        let all_arguments = function.expressions();
        if situation.append_only && MergedColumn::suits(function)? {
            let column = Box::new(MergedColumn::new(function.clone())?);
            return Ok(Call {
                arguments: all_arguments,
                filter: call.filter.clone(),
                column,
                distinct: false,
                mergeable: true,
            });
        }
        Call::keeping_rows(call, input)
    }

    fn keeping_rows(call: &AggregateCall, input: &SchemaRef) -> Result<Call> {
        let function = &call.function;
        let mut arguments = function.expressions();
        let count = arguments.len();
        arguments.extend(function.order_bys().iter().map(|by| by.expr.clone()));
        let types = arguments
            .iter()
            .map(|argument| argument.data_type(input))
            .collect::<datafusion::error::Result<Vec<_>>>()?;
        if let Some(bad) = types.iter().find(|data_type| !sortable(data_type)) {
            return Err(Error::Unsupported(format!(
                "{} over values of type {bad} can't be kept incrementally",
                function.name()
            )));
        }
        let column = Box::new(MultisetColumn::new(function.clone(), &types, count)?);
        Ok(Call { arguments, filter: call.filter.clone(), column, distinct: false, mergeable: false })
    }
}

/// Arguments of a count that vary: a constant that isn't NULL (the 1 of `count(*)`) tells it nothing.
fn value_arguments(arguments: &[Arc<dyn PhysicalExpr>]) -> Vec<Arc<dyn PhysicalExpr>> {
    let constant = |argument: &Arc<dyn PhysicalExpr>| {
        argument.downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null())
    };
    if arguments.iter().all(constant) { Vec::new() } else { arguments.to_vec() }
}

type Column = (Box<dyn AggregateColumn>, bool);

/// An own column for the common aggregates, whether its states merge, and whether DISTINCT makes a difference to it.
fn native_column(call: &AggregateCall, types: &[DataType], situation: Situation) -> Result<Option<(Column, bool)>> {
    let function = &call.function;
    let result = function.field().data_type().clone();
    let name = function.fun().name();
    if name == "count" {
        return Ok(Some(((Box::new(CountColumn::default()), true), !types.is_empty())));
    }
    if situation.append_only
        && !function.is_distinct()
        && let Some(moments) = MomentColumn::for_function(name, types, &result)
    {
        return Ok(Some(((Box::new(moments), true), true)));
    }
    let [argument] = types else { return Ok(None) };
    Ok(match name {
        "sum" if argument == &result || argument.is_decimal() => {
            sum_column(&result, argument).map(|column| ((column, true), true))
        }
        "avg" if argument == &DataType::Float64 && result == DataType::Float64 => {
            Some(((Box::new(FloatColumn::new(FloatValue::Mean)), true), true))
        }
        "avg" if argument.is_decimal() && !function.is_distinct() => {
            mean_column(call, argument)?.map(|column| ((column, true), true))
        }
        "min" | "bool_and" => extreme_column(Extreme::Min, argument, situation)?.map(|column| (column, false)),
        "max" | "bool_or" => extreme_column(Extreme::Max, argument, situation)?.map(|column| (column, false)),
        _ => None,
    })
}

fn sum_column(result: &DataType, argument: &DataType) -> Option<Box<dyn AggregateColumn>> {
    Some(match (result, argument) {
        (DataType::Int64, DataType::Int64) => Box::new(SumColumn::<Int64Type>::sum(result.clone())),
        (DataType::UInt64, DataType::UInt64) => Box::new(SumColumn::<UInt64Type>::sum(result.clone())),
        (DataType::Float64, DataType::Float64) => Box::new(FloatColumn::new(FloatValue::Sum)),
        (DataType::Decimal32(..), DataType::Decimal32(..)) => Box::new(SumColumn::<Decimal32Type>::sum(result.clone())),
        (DataType::Decimal64(..), DataType::Decimal64(..)) => Box::new(SumColumn::<Decimal64Type>::sum(result.clone())),
        (DataType::Decimal128(..), DataType::Decimal128(..)) => {
            Box::new(SumColumn::<Decimal128Type>::sum(result.clone()))
        }
        (DataType::Decimal256(..), DataType::Decimal256(..)) => {
            Box::new(SumColumn::<Decimal256Type>::sum(result.clone()))
        }
        _ => return None,
    })
}

fn mean_column(call: &AggregateCall, argument: &DataType) -> Result<Option<Box<dyn AggregateColumn>>> {
    let state = call.function.state_fields()?;
    // DataFusion's avg over decimals keeps (count UInt64, sum); anything else isn't the avg we know.
    let [count, sum] = state.as_slice() else { return Ok(None) };
    if count.data_type() != &DataType::UInt64 {
        return Ok(None);
    }
    Ok(match (argument, sum.data_type()) {
        (DataType::Decimal32(..), DataType::Decimal64(..)) => Some(mean::<Decimal32Type, Decimal64Type>(call, sum)),
        (DataType::Decimal32(..), DataType::Decimal128(..)) => Some(mean::<Decimal32Type, Decimal128Type>(call, sum)),
        (DataType::Decimal64(..), DataType::Decimal64(..)) => Some(mean::<Decimal64Type, Decimal64Type>(call, sum)),
        (DataType::Decimal64(..), DataType::Decimal128(..)) => Some(mean::<Decimal64Type, Decimal128Type>(call, sum)),
        (DataType::Decimal128(..), DataType::Decimal128(..)) => Some(mean::<Decimal128Type, Decimal128Type>(call, sum)),
        (DataType::Decimal128(..), DataType::Decimal256(..)) => Some(mean::<Decimal128Type, Decimal256Type>(call, sum)),
        (DataType::Decimal256(..), DataType::Decimal256(..)) => Some(mean::<Decimal256Type, Decimal256Type>(call, sum)),
        _ => None,
    })
}

/// Means of `V`, summed as `S`.
fn mean<V: ArrowPrimitiveType, S: ArrowPrimitiveType>(call: &AggregateCall, sum: &Field) -> Box<dyn AggregateColumn>
where
    V::Native: Into<S::Native>,
    S::Native: ArrowNativeTypeOp,
{
    Box::new(SumColumn::<V, S>::mean(sum.data_type().clone(), Arc::clone(&call.function)))
}

fn extreme_column(extreme: Extreme, argument: &DataType, situation: Situation) -> Result<Option<Column>> {
    if !sortable(argument) || argument.is_nested() {
        return Ok(None);
    }
    let column: Column = match (WordCodec::for_type(argument), situation.append_only) {
        (Some(codec), true) => (Box::new(ExtremeColumn::new(extreme, codec)), true),
        (Some(codec), false) => (Box::new(OrderedColumn::new(extreme, codec, situation.listing)?), false),
        (None, true) => (Box::new(ExtremeColumn::new(extreme, BytesCodec::new(argument)?)), true),
        (None, false) => (Box::new(OrderedColumn::new(extreme, BytesCodec::new(argument)?, situation.listing)?), false),
    };
    Ok(Some(column))
}

fn sortable(data_type: &DataType) -> bool {
    arrow::row::RowConverter::supports_fields(&[arrow::row::SortField::new(data_type.clone())])
}
