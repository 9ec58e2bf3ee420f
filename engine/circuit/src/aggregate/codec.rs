//! `ValueCodec`: values of a column as keys that compare like the values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, make_array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::concat;
use arrow::datatypes::{DataType, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow::row::{RowConverter, SortField};

use crate::Result;

/// Turns values into ordered keys and back.
pub(crate) trait ValueCodec: Send {
    /// A key that orders as its value does.
    type Key: Ord + Clone + Send;

    /// The key of each value, `None` for NULL.
    fn encode(&self, values: &ArrayRef) -> Result<Vec<Option<Self::Key>>>;

    /// The values of these keys, NULL for `None`.
    fn decode(&self, keys: Vec<Option<Self::Key>>) -> Result<ArrayRef>;

    /// Type of the values.
    fn data_type(&self) -> DataType;

    /// A key no value orders before.
    fn least() -> Self::Key;

    /// Memory of a key beyond its own size, in bytes.
    fn heap(key: &Self::Key) -> usize;
}

/// Booleans and integer-like values of at most 64 bits.
pub(crate) struct WordCodec(DataType);

/// Anything else, as arrow-row bytes.
pub(crate) struct BytesCodec {
    data_type: DataType,
    converter: RowConverter,
}

impl WordCodec {
    /// A codec for this type, if its values fit.
    pub fn for_type(data_type: &DataType) -> Option<WordCodec> {
        let fits = match data_type {
            DataType::Boolean => true,
            DataType::Interval(_) => false,
            other => {
                (other.is_integer() || other.is_temporal()) && other.primitive_width().is_some_and(|width| width <= 8)
            }
        };
        fits.then(|| WordCodec(data_type.clone()))
    }

    /// Added to the bits of a signed value so that unsigned order is its order.
    fn flip(&self) -> u64 {
        let signed = !self.0.is_unsigned_integer() && self.0 != DataType::Boolean;
        match (signed, self.0.primitive_width()) {
            (true, Some(width)) => 1 << (width * 8 - 1),
            _ => 0,
        }
    }

    fn words(&self, values: &ArrayRef) -> Result<Vec<u64>> {
        if self.0 == DataType::Boolean {
            return Ok(values.as_boolean().values().iter().map(u64::from).collect());
        }
        let unsigned = match self.0.primitive_width() {
            Some(8) => DataType::UInt64,
            Some(4) => DataType::UInt32,
            Some(2) => DataType::UInt16,
            _ => DataType::UInt8,
        };
        // The same bits under an unsigned name.
        let bits = make_array(values.to_data().into_builder().data_type(unsigned.clone()).build()?);
        Ok(match unsigned {
            DataType::UInt64 => bits.as_primitive::<UInt64Type>().values().to_vec(),
            DataType::UInt32 => {
                bits.as_primitive::<UInt32Type>().values().iter().map(|&bits| u64::from(bits)).collect()
            }
            DataType::UInt16 => {
                bits.as_primitive::<UInt16Type>().values().iter().map(|&bits| u64::from(bits)).collect()
            }
            _ => bits.as_primitive::<UInt8Type>().values().iter().map(|&bits| u64::from(bits)).collect(),
        })
    }
}

impl ValueCodec for WordCodec {
    type Key = u64;

    fn encode(&self, values: &ArrayRef) -> Result<Vec<Option<u64>>> {
        let flip = self.flip();
        let words = self.words(values)?;
        Ok(words.into_iter().enumerate().map(|(row, word)| values.is_valid(row).then_some(word ^ flip)).collect())
    }

    fn decode(&self, keys: Vec<Option<u64>>) -> Result<ArrayRef> {
        if self.0 == DataType::Boolean {
            return Ok(Arc::new(keys.into_iter().map(|key| key.map(|word| word != 0)).collect::<BooleanArray>()));
        }
        let flip = self.flip();
        let valid = NullBuffer::from_iter(keys.iter().map(Option::is_some));
        let words = keys.into_iter().map(|key| key.unwrap_or(flip) ^ flip);
        let bits: ArrayRef = match self.0.primitive_width() {
            Some(8) => Arc::new(PrimitiveArray::<UInt64Type>::new(words.collect(), Some(valid))),
            Some(4) => {
                Arc::new(PrimitiveArray::<UInt32Type>::new(words.map(|word| word as u32).collect(), Some(valid)))
            }
            Some(2) => {
                Arc::new(PrimitiveArray::<UInt16Type>::new(words.map(|word| word as u16).collect(), Some(valid)))
            }
            _ => Arc::new(PrimitiveArray::<UInt8Type>::new(words.map(|word| word as u8).collect(), Some(valid))),
        };
        Ok(make_array(bits.to_data().into_builder().data_type(self.0.clone()).build()?))
    }

    fn data_type(&self) -> DataType {
        self.0.clone()
    }

    fn least() -> u64 {
        0
    }

    fn heap(_key: &u64) -> usize {
        0
    }
}

impl BytesCodec {
    /// A codec for any type that arrow-row knows.
    pub fn new(data_type: &DataType) -> Result<BytesCodec> {
        let converter = RowConverter::new(vec![SortField::new(data_type.clone())])?;
        Ok(BytesCodec { data_type: data_type.clone(), converter })
    }
}

impl ValueCodec for BytesCodec {
    type Key = Box<[u8]>;

    fn encode(&self, values: &ArrayRef) -> Result<Vec<Option<Box<[u8]>>>> {
        let rows = self.converter.convert_columns(std::slice::from_ref(values))?;
        let keys = rows.iter().enumerate().map(|(row, bytes)| values.is_valid(row).then(|| Box::from(bytes.as_ref())));
        Ok(keys.collect())
    }

    fn decode(&self, keys: Vec<Option<Box<[u8]>>>) -> Result<ArrayRef> {
        if keys.iter().all(Option::is_none) {
            return Ok(new_null_array(&self.data_type, keys.len()));
        }
        let null = new_null_array(&self.data_type, 1);
        let null = self.converter.convert_columns(&[null])?;
        let parser = self.converter.parser();
        let rows = keys.iter().map(|key| match key {
            Some(bytes) => parser.parse(bytes),
            None => null.row(0),
        });
        let columns = self.converter.convert_rows(rows)?;
        Ok(concat(&columns.iter().map(AsRef::as_ref).collect::<Vec<_>>())?)
    }

    fn data_type(&self) -> DataType {
        self.data_type.clone()
    }

    fn least() -> Box<[u8]> {
        Box::default()
    }

    fn heap(key: &Box<[u8]>) -> usize {
        key.len()
    }
}
