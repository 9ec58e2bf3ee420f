//! Functions that DataFusion lacks: windows of event time, what Postgres's clients call, Flink's string functions.
//!
//! [`register`] adds them to a session. Those that answer from the session or the catalog ask its [`SessionFacts`];
//! the rest are pure, and may run in circuits.

mod catalog_function;
mod cell;
pub(crate) mod drpc;
mod hop_starts;
mod json_build;
mod json_operator;
mod pg_function;
mod session_facts;
mod session_function;
mod string_function;
mod text_cast;
mod text_function;
mod time_pattern;
mod to_char;
mod window_argument;
mod window_time;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{ScalarUDF, ScalarUDFImpl};
use datafusion_functions_json::udfs;
use monsoon_topology::drpc::Drpc;

use pg_function::PgFunction;
pub use session_facts::{SessionFacts, Setting};
pub use session_function::VERSION;

/// Registers every function for a session; `requests` are those that topologies serve.
pub fn register(
    registry: &mut dyn FunctionRegistry,
    facts: &Arc<dyn SessionFacts>,
    requests: &Arc<Drpc>,
) -> Result<()> {
    register_pure(registry)?;
    registry.register_udf(Arc::new(drpc::drpc(Arc::clone(requests))))?;
    for spec in
        [session_function::FUNCTIONS, catalog_function::FUNCTIONS, text_function::FUNCTIONS].into_iter().flatten()
    {
        add(registry, PgFunction::new(spec, Arc::clone(facts)))?;
    }
    Ok(())
}

/// Registers the functions that need no session.
pub fn register_pure(registry: &mut dyn FunctionRegistry) -> Result<()> {
    window_time::WindowTime::all().into_iter().try_for_each(|function| add(registry, function))?;
    add(registry, hop_starts::HopStarts::default())?;
    string_function::StringFunction::all().into_iter().try_for_each(|function| add(registry, function))?;
    to_char::ToChar::all().into_iter().try_for_each(|function| add(registry, function))?;
    json_build::JsonBuild::all().into_iter().try_for_each(|function| add(registry, function))?;
    for function in [
        udfs::json_get_bool_udf(),
        udfs::json_get_float_udf(),
        udfs::json_get_int_udf(),
        udfs::json_get_json_udf(),
        udfs::json_get_str_udf(),
        udfs::json_as_text_udf(),
        udfs::json_contains_udf(),
        udfs::json_length_udf(),
        udfs::json_object_keys_udf(),
    ] {
        registry.register_udf(function)?;
    }
    registry.register_function_rewrite(Arc::new(text_cast::TextCasts))?;
    registry.register_expr_planner(Arc::new(json_operator::JsonOperators))
}

fn add(registry: &mut dyn FunctionRegistry, function: impl ScalarUDFImpl + 'static) -> Result<()> {
    registry.register_udf(Arc::new(ScalarUDF::from(function))).map(|_| ())
}
