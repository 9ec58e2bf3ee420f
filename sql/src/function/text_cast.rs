//! Casts to types that are text to Arrow: uuid, json, jsonb, varchar(n), char(n).
//!
//! Arrow's own cast does nothing to them. The analyzer puts a function around each that was written in a query: it reads the
//! text as the type does (22P02 where it is none of it), and cuts text that is too long, as an explicit cast does in
//! Postgres. What is stored in a column goes through `pg_text` instead, which refuses text that is too long.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::pg_text::read_column;
use crate::pg_type::{TYPMOD_KEY, pg_type, sql_name};

/// Puts a [`TextCast`] around casts that need one.
#[derive(Debug)]
pub(super) struct TextCasts;

impl FunctionRewrite for TextCasts {
    fn name(&self) -> &str {
        "text_casts"
    }

    fn rewrite(&self, expr: Expr, _schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
        match expr {
            Expr::Cast(Cast { expr, field }) if is_checked(&field) => {
                // Without the type's name, so that it isn't found again.
                let text = Cast { expr, field: Arc::new(Field::new("text", DataType::Utf8, true)) };
                let function = Arc::new(ScalarUDF::from(TextCast::new(field)));
                let call = ScalarFunction::new_udf(function, vec![Expr::Cast(text)]);
                Ok(Transformed::yes(Expr::ScalarFunction(call)))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

/// Whether not every text is of a type.
fn is_checked(field: &Field) -> bool {
    field.data_type() == &DataType::Utf8
        && match pg_type(field).name {
            "uuid" | "json" | "jsonb" => true,
            "varchar" | "bpchar" => field.metadata().contains_key(TYPMOD_KEY),
            _ => false,
        }
}

/// Text as one of these types. Its name has the type in it, since plans are compared by their texts.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TextCast {
    name: String,
    field: FieldRef,
    signature: Signature,
}

impl TextCast {
    fn new(field: FieldRef) -> TextCast {
        let name = format!("cast to {}", sql_name(&field));
        TextCast { name, field, signature: Signature::exact(vec![DataType::Utf8], Volatility::Immutable) }
    }

    fn read(&self, texts: &StringArray) -> Result<ArrayRef> {
        if self.field.metadata().contains_key(TYPMOD_KEY) {
            return Ok(Arc::new(cut(texts, pg_type(&self.field).typmod)));
        }
        read_column(texts, &self.field).map_err(|bad| DataFusionError::External(Box::new(bad.error)))
    }
}

/// Texts without what is beyond the length; a type modifier is a length plus 4.
fn cut(texts: &StringArray, typmod: i32) -> StringArray {
    let length = usize::try_from(typmod - 4).unwrap_or(usize::MAX);
    let kept = |text: &'_ str| text.char_indices().nth(length).map_or(text.len(), |(end, _)| end);
    texts.iter().map(|text| text.map(|text| &text[..kept(text)])).collect()
}

impl ScalarUDFImpl for TextCast {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(self.field.as_ref().clone().with_name(&self.name).with_nullable(true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Array(texts)] => self.read(texts.as_string::<i32>()).map(ColumnarValue::Array),
            [ColumnarValue::Scalar(text)] => {
                let read = self.read(text.to_array()?.as_string::<i32>())?;
                ScalarValue::try_from_array(&read, 0).map(ColumnarValue::Scalar)
            }
            _ => internal_err!("{} takes one argument", self.name),
        }
    }
}
