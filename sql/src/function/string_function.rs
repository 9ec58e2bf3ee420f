//! String functions of Flink's SQL that published streaming queries use, vectorised.
//!
//! `count_char(text, char)`, `split_index(text, separator, index from 0)`, `regexp_extract(text, pattern [, group])`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray, StringBuilder};
use arrow::compute::regexp_match;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    CountChar,
    SplitIndex,
    RegexpExtract,
}

/// A string function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct StringFunction {
    which: Which,
    signature: Signature,
}

impl StringFunction {
    /// All of them.
    pub(super) fn all() -> [StringFunction; 3] {
        [Which::CountChar, Which::SplitIndex, Which::RegexpExtract]
            .map(|which| StringFunction { which, signature: Signature::user_defined(Volatility::Immutable) })
    }
}

impl ScalarUDFImpl for StringFunction {
    fn name(&self) -> &str {
        match self.which {
            Which::CountChar => "count_char",
            Which::SplitIndex => "split_index",
            Which::RegexpExtract => "regexp_extract",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let types = match (self.which, arg_types.len()) {
            (Which::CountChar, 2) | (Which::RegexpExtract, 2) => vec![DataType::Utf8, DataType::Utf8],
            (Which::SplitIndex, 3) | (Which::RegexpExtract, 3) => vec![DataType::Utf8, DataType::Utf8, DataType::Int64],
            (_, count) => {
                return plan_err!(
                    "No function matches the given name and argument types '{}({})'. You might need to add explicit type casts.",
                    self.name(),
                    vec!["Utf8"; count].join(", ")
                );
            }
        };
        Ok(types)
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(if self.which == Which::CountChar { DataType::Int64 } else { DataType::Utf8 })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let arrays: Vec<ArrayRef> = args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<_>>()?;
        let (texts, seconds) = (arrays[0].as_string::<i32>(), arrays[1].as_string::<i32>());
        let numbers = arrays.get(2).map(|array| array.as_primitive::<Int64Type>());
        let result: ArrayRef = match self.which {
            Which::CountChar => Arc::new(count_char(texts, seconds)),
            Which::SplitIndex => Arc::new(split_index(texts, seconds, numbers)),
            Which::RegexpExtract => Arc::new(regexp_extract(texts, seconds, numbers)?),
        };
        if is_scalar {
            return ScalarValue::try_from_array(&result, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(result))
    }
}

fn count_char(texts: &StringArray, characters: &StringArray) -> Int64Array {
    let count = |text: &str, character: &str| match character.len() {
        0 => 0,
        _ => i64::try_from(text.matches(character).count()).unwrap_or(i64::MAX),
    };
    texts.iter().zip(characters).map(|(text, character)| Some(count(text?, character?))).collect()
}

fn split_index(texts: &StringArray, separators: &StringArray, indexes: Option<&Int64Array>) -> StringArray {
    let mut builder = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
    for (row, (text, separator)) in texts.iter().zip(separators).enumerate() {
        let index = indexes
            .filter(|indexes| indexes.is_valid(row))
            .and_then(|indexes| usize::try_from(indexes.value(row)).ok());
        let part = match (text, separator, index) {
            (Some(text), Some(separator), Some(index)) if !separator.is_empty() => text.split(separator).nth(index),
            _ => None,
        };
        builder.append_option(part);
    }
    builder.finish()
}

/// The pattern is put into a group of its own, so that group 0 is the whole match and `n` is the n-th of the user's.
fn regexp_extract(texts: &StringArray, patterns: &StringArray, groups: Option<&Int64Array>) -> Result<StringArray> {
    let wrapped: StringArray = patterns.iter().map(|pattern| pattern.map(|pattern| format!("({pattern})"))).collect();
    let matches = regexp_match(texts, &wrapped, None)?;
    let matches = matches.as_list::<i32>();
    let found = matches.values().as_string::<i32>();
    let offsets = matches.value_offsets();
    let mut builder = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
    for row in 0..texts.len() {
        let group = match groups {
            Some(groups) if groups.is_null(row) => None,
            Some(groups) => usize::try_from(groups.value(row)).ok(),
            None => Some(0),
        };
        let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        let place =
            group.map(|group| start.saturating_add(group)).filter(|place| *place < end && matches.is_valid(row));
        builder.append_option(place.filter(|place| found.is_valid(*place)).map(|place| found.value(place)));
    }
    Ok(builder.finish())
}
