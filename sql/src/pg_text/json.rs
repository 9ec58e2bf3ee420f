//! Structs and maps as JSON text.

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;

/// Writes a value that has no text format of its own in Postgres as JSON.
pub(super) fn write(array: &dyn Array, row: usize, out: &mut Vec<u8>) {
    if array.is_null(row) {
        out.extend_from_slice(b"null");
        return;
    }
    match array.data_type() {
        DataType::Struct(fields) => {
            let structs = array.as_struct();
            let members = fields.iter().zip(structs.columns());
            write_members(members.map(|(field, column)| (field.name().as_str(), column.as_ref(), row)), out);
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let (start, end) = (map.value_offsets()[row] as usize, map.value_offsets()[row + 1] as usize);
            let names: Vec<String> = (start..end).map(|n| plain_text(map.keys().as_ref(), n)).collect();
            let members = names.iter().enumerate().map(|(n, name)| (name.as_str(), map.values().as_ref(), start + n));
            write_members(members, out);
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (start, end) = (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize);
            out.push(b'[');
            for n in start..end {
                if n > start {
                    out.push(b',');
                }
                write(list.values().as_ref(), n, out);
            }
            out.push(b']');
        }
        data_type if data_type.is_numeric() || *data_type == DataType::Boolean => {
            out.extend_from_slice(plain_text(array, row).as_bytes());
        }
        _ => write_string(&plain_text(array, row), out),
    }
}

fn write_members<'a>(members: impl Iterator<Item = (&'a str, &'a dyn Array, usize)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (n, (name, values, row)) in members.enumerate() {
        if n > 0 {
            out.push(b',');
        }
        write_string(name, out);
        out.push(b':');
        write(values, row, out);
    }
    out.push(b'}');
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

fn plain_text(array: &dyn Array, row: usize) -> String {
    array_value_to_string(array, row).unwrap_or_default()
}
