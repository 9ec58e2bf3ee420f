//! `PgFunction`: a function of Postgres's that is one row of a table: name, parameters, result, body.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::cell::{Cell, Kind, cell_at, to_array};
use super::session_facts::SessionFacts;
use crate::error::SqlError;
use crate::pg_catalog::RelationInfo;

/// The body: from the arguments of one row to its result. Arguments that weren't given are NULL.
pub(super) type Body = fn(&Call<'_>, &[Cell]) -> std::result::Result<Cell, SqlError>;

/// A row of the table of functions.
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) parameters: &'static [Kind],
    /// How many must be given.
    pub(super) required: usize,
    pub(super) returns: Kind,
    pub(super) volatility: Volatility,
    /// Whether a NULL in a required argument gives NULL without a call.
    pub(super) strict: bool,
    pub(super) body: Body,
}

/// A stable function; the usual case.
pub(super) const fn stable(
    name: &'static str,
    parameters: &'static [Kind],
    required: usize,
    returns: Kind,
    body: Body,
) -> Spec {
    Spec { name, parameters, required, returns, volatility: Volatility::Stable, strict: true, body }
}

/// A function of its arguments alone.
pub(super) const fn pure(
    name: &'static str,
    parameters: &'static [Kind],
    required: usize,
    returns: Kind,
    body: Body,
) -> Spec {
    Spec { name, parameters, required, returns, volatility: Volatility::Immutable, strict: true, body }
}

/// What a body may ask.
pub(super) struct Call<'a> {
    pub(super) facts: &'a dyn SessionFacts,
    relations: std::cell::OnceCell<Vec<RelationInfo>>,
}

impl Call<'_> {
    /// The relations, read once per call on a batch.
    pub(super) fn relations(&self) -> &[RelationInfo] {
        self.relations.get_or_init(|| self.facts.relations())
    }
}

/// A function made of a [`Spec`].
pub(super) struct PgFunction {
    spec: &'static Spec,
    facts: Arc<dyn SessionFacts>,
    signature: Signature,
}

impl PgFunction {
    pub(super) fn new(spec: &'static Spec, facts: Arc<dyn SessionFacts>) -> PgFunction {
        PgFunction { spec, facts, signature: Signature::user_defined(spec.volatility) }
    }
}

impl fmt::Debug for PgFunction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PgFunction").field("name", &self.spec.name).finish_non_exhaustive()
    }
}

impl PartialEq for PgFunction {
    fn eq(&self, other: &PgFunction) -> bool {
        self.spec.name == other.spec.name
    }
}

impl Eq for PgFunction {}

impl Hash for PgFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.name.hash(state);
    }
}

impl ScalarUDFImpl for PgFunction {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let parameters = self.spec.parameters;
        if !(self.spec.required..=parameters.len()).contains(&arg_types.len()) {
            let types: Vec<String> = arg_types.iter().map(ToString::to_string).collect();
            return plan_err!(
                "No function matches the given name and argument types '{}({})'. You might need to add explicit type casts.",
                self.spec.name,
                types.join(", ")
            );
        }
        Ok(parameters.iter().zip(arg_types).map(|(kind, given)| kind.argument_type(given)).collect())
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.spec.returns.result_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let arrays: Vec<ArrayRef> = args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<_>>()?;
        let call = Call { facts: self.facts.as_ref(), relations: std::cell::OnceCell::new() };
        let mut results = Vec::with_capacity(rows);
        let mut cells = vec![Cell::Null; self.spec.parameters.len()];
        for row in 0..rows {
            for (cell, array) in cells.iter_mut().zip(&arrays) {
                *cell = cell_at(array, row)?;
            }
            let is_null = self.spec.strict && cells[..self.spec.required].contains(&Cell::Null);
            let result = if is_null { Ok(Cell::Null) } else { (self.spec.body)(&call, &cells) };
            results.push(result.map_err(|error| DataFusionError::External(Box::new(error)))?);
        }
        let array = to_array(results, self.spec.returns);
        if is_scalar {
            return ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(array))
    }
}
