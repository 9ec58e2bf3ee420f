//! `json_build_object(key, value, ...)`, `jsonb_build_object`, `json_build_array`, `to_json`: JSON text out of values.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::pg_text::TextColumn;
use crate::pg_type::{named_field, pg_type};

/// What is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Shape {
    Object,
    Array,
    Value,
}

/// One of the functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct JsonBuild {
    name: &'static str,
    shape: Shape,
    signature: Signature,
}

impl JsonBuild {
    /// All of them.
    pub(super) fn all() -> [JsonBuild; 6] {
        [
            ("json_build_object", Shape::Object),
            ("jsonb_build_object", Shape::Object),
            ("json_build_array", Shape::Array),
            ("jsonb_build_array", Shape::Array),
            ("to_json", Shape::Value),
            ("to_jsonb", Shape::Value),
        ]
        .map(|(name, shape)| JsonBuild {
            name,
            shape,
            signature: Signature::user_defined(Volatility::Immutable),
        })
    }

    fn type_name(&self) -> &'static str {
        if self.name.contains("jsonb") { "jsonb" } else { "json" }
    }
}

impl ScalarUDFImpl for JsonBuild {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match self.shape {
            Shape::Object if arg_types.len() % 2 != 0 => plan_err!("argument list must have even number of elements"),
            Shape::Value if arg_types.len() != 1 => plan_err!("{} takes one argument", self.name),
            _ => Ok(arg_types.to_vec()),
        }
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(named_field(self.name, self.type_name())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let mut columns = Vec::with_capacity(args.args.len());
        for (argument, field) in args.args.iter().zip(&args.arg_fields) {
            columns.push(JsonColumn::new(&argument.to_array(rows)?, field)?);
        }
        let mut builder = StringBuilder::new();
        let mut out = String::new();
        for row in 0..rows {
            out.clear();
            match self.shape {
                Shape::Value if columns[0].text.is_null(row) => {
                    builder.append_null();
                    continue;
                }
                Shape::Value => columns[0].write(row, &mut out),
                Shape::Array => write_array(&columns, row, &mut out),
                Shape::Object => write_object(&columns, row, &mut out)?,
            }
            builder.append_value(&out);
        }
        let result: ArrayRef = Arc::new(builder.finish());
        if is_scalar {
            return ScalarValue::try_from_array(&result, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(result))
    }
}

fn write_array(columns: &[JsonColumn], row: usize, out: &mut String) {
    out.push('[');
    for (n, column) in columns.iter().enumerate() {
        out.push_str(if n > 0 { ", " } else { "" });
        column.write(row, out);
    }
    out.push(']');
}

fn write_object(columns: &[JsonColumn], row: usize, out: &mut String) -> Result<()> {
    out.push('{');
    for (n, pair) in columns.chunks(2).enumerate() {
        let [key, value] = pair else { return exec_err!("argument list must have even number of elements") };
        if key.text.is_null(row) {
            return exec_err!("null value not allowed for object key");
        }
        out.push_str(if n > 0 { ", " } else { "" });
        out.push_str(&serde_json::Value::from(key.plain(row)).to_string());
        out.push_str(" : ");
        value.write(row, out);
    }
    out.push('}');
    Ok(())
}

/// A column whose values are written as JSON.
struct JsonColumn {
    text: TextColumn,
    /// Whether the text is JSON as it is.
    is_bare: bool,
    is_boolean: bool,
}

impl JsonColumn {
    fn new(array: &ArrayRef, field: &Field) -> Result<JsonColumn> {
        let name = pg_type(field).name;
        let is_bare = matches!(name, "json" | "jsonb" | "int2" | "int4" | "int8" | "float4" | "float8" | "numeric");
        Ok(JsonColumn { text: TextColumn::new(array, field)?, is_bare, is_boolean: name == "bool" })
    }

    fn plain(&self, row: usize) -> String {
        let mut bytes = Vec::new();
        self.text.write(row, &mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn write(&self, row: usize, out: &mut String) {
        if self.text.is_null(row) {
            out.push_str("null");
            return;
        }
        let plain = self.plain(row);
        if self.is_boolean {
            out.push_str(if plain == "t" { "true" } else { "false" });
        } else if self.is_bare && !matches!(plain.as_str(), "NaN" | "Infinity" | "-Infinity") {
            out.push_str(&plain);
        } else {
            out.push_str(&serde_json::Value::from(plain).to_string());
        }
    }
}
