//! `drpc(function, args)`: asks a function that a topology serves. The HTTP door asks in the same way.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use monsoon_topology::drpc::{Drpc, DrpcError};

use crate::error::SqlError;

/// How long an answer may take (Storm's `drpc.request.timeout.secs`).
const TIMEOUT: Duration = Duration::from_secs(600);

/// The function.
pub(super) fn drpc(drpc: Arc<Drpc>) -> ScalarUDF {
    let signature = Signature::exact(vec![DataType::Utf8, DataType::Utf8], Volatility::Volatile);
    AsyncScalarUDF::new(Arc::new(DrpcFunction { drpc, signature })).into_scalar_udf()
}

#[derive(Debug)]
struct DrpcFunction {
    drpc: Arc<Drpc>,
    signature: Signature,
}

impl PartialEq for DrpcFunction {
    fn eq(&self, other: &DrpcFunction) -> bool {
        Arc::ptr_eq(&self.drpc, &other.drpc)
    }
}

impl Eq for DrpcFunction {}

impl std::hash::Hash for DrpcFunction {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.drpc).hash(state);
    }
}

impl ScalarUDFImpl for DrpcFunction {
    fn name(&self) -> &str {
        "drpc"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(refused(SqlError::unsupported("drpc() can't be used here: it waits for an answer")))
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for DrpcFunction {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let texts = |value: &ColumnarValue| -> Result<ArrayRef> {
            Ok(cast(&value.clone().into_array(rows)?, &DataType::Utf8)?)
        };
        let (functions, arguments) = (texts(&args.args[0])?, texts(&args.args[1])?);
        let requests = functions.as_string::<i32>().iter().zip(arguments.as_string::<i32>().iter());
        let requests: Vec<(Option<String>, Option<String>)> =
            requests.map(|(function, args)| (function.map(str::to_owned), args.map(str::to_owned))).collect();
        let mut answers = Vec::with_capacity(rows);
        for (function, args) in requests {
            answers.push(match (function, args) {
                (Some(function), Some(args)) => Some(ask(&self.drpc, &function, &args).await.map_err(refused)?),
                _ => None,
            });
        }
        Ok(ColumnarValue::Array(Arc::new(StringArray::from(answers))))
    }
}

/// A request that nobody waits for any more is given up.
struct Waiting<'a> {
    drpc: &'a Drpc,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.drpc.give_up(self.id);
    }
}

/// Asks a function that a topology serves and waits for its answer. Dropping the future gives the request up.
///
/// Errors: 42883 nobody serves it, 53400 too many requests wait, 38000 the topology could not answer, 57014 it took too long.
pub(crate) async fn ask(drpc: &Drpc, function: &str, args: &str) -> Result<String, SqlError> {
    let (reply, answer) = tokio::sync::oneshot::channel();
    let asked = drpc.ask(function, args, Box::new(move |answer| drop(reply.send(answer))));
    let _waiting = Waiting { drpc, id: asked.map_err(failed)? };
    match tokio::time::timeout(TIMEOUT, answer).await {
        Ok(Ok(answer)) => answer.map_err(failed),
        Ok(Err(_)) => Err(failed(DrpcError::Failed("the request was lost".into()))),
        Err(_) => Err(SqlError::new("57014", format!("function \"{function}\" has not answered in {TIMEOUT:?}"))),
    }
}

fn failed(error: DrpcError) -> SqlError {
    let sqlstate = match &error {
        DrpcError::NoFunction(_) => "42883",
        DrpcError::Busy(_) => "53400",
        DrpcError::Failed(_) => "38000",
    };
    SqlError::new(sqlstate, error.to_string())
}

fn refused(error: SqlError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
