//! `KeyIndex`: the rows of a few columns, each distinct row with a dense number.
//!
//! The one hash table of every stateful operator: groups, join keys, whole rows. Callers keep their state in plain vectors
//! indexed by the id, and grow them to [`KeyIndex::capacity`] after each `intern`. Ids of removed keys are used again.
//! Integer-like columns are keyed by their 64 bits: one by itself, up to four side by side. Anything else is keyed by its
//! arrow-row bytes, which are also how the columns are given back.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, PrimitiveArray, make_array};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow::row::{RowConverter, SortField};
use hashbrown::HashTable;

use crate::Result;

/// What [`KeyIndex::find`] gives for a key that isn't there.
pub const NO_ID: u32 = u32::MAX;

/// Distinct rows of a few columns, numbered densely.
pub struct KeyIndex {
    types: Vec<DataType>,
    form: Form,
    free: Vec<u32>,
    capacity: u32,
}

enum Form {
    Word(WordIndex),
    Words(WordsIndex),
    Bytes(BytesIndex),
}

/// Keys of one integer-like column.
struct WordIndex {
    table: HashTable<(u64, u32)>,
    null: Option<u32>,
    keys: Vec<u64>,
}

/// Columns at most of a key of words.
const WORDS_MAX: usize = 4;

/// Keys of a few integer-like columns: their words, then a mask of NULLs, in one vector.
struct WordsIndex {
    stride: usize,
    table: HashTable<(u64, u32)>,
    keys: Vec<u64>,
    scratch: Vec<u64>,
}

/// Keys as arrow-row bytes.
struct BytesIndex {
    converter: RowConverter,
    table: HashTable<(u64, u32)>,
    spans: Vec<(usize, u32)>,
    arena: Vec<u8>,
    garbage: usize,
}

impl KeyIndex {
    /// An empty index over columns of these types.
    pub fn new(types: &[DataType]) -> Result<KeyIndex> {
        let form = match types {
            [only] if word_width(only).is_some() => {
                Form::Word(WordIndex { table: HashTable::new(), null: None, keys: Vec::new() })
            }
            [_, _, ..] if types.len() <= WORDS_MAX && types.iter().all(|kind| word_width(kind).is_some()) => {
                Form::Words(WordsIndex::new(types.len()))
            }
            _ => Form::Bytes(BytesIndex::new(types)?),
        };
        Ok(KeyIndex { types: types.to_vec(), form, free: Vec::new(), capacity: 0 })
    }

    /// One more than the largest id given out so far.
    pub fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// Number of keys present.
    pub fn len(&self) -> usize {
        self.capacity as usize - self.free.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of each of `rows` rows, new keys added. `ids` is overwritten.
    pub fn intern(&mut self, columns: &[ArrayRef], rows: usize, ids: &mut Vec<u32>) -> Result<()> {
        ids.clear();
        ids.reserve(rows);
        let mut next = NextId { free: &mut self.free, capacity: &mut self.capacity };
        match &mut self.form {
            Form::Word(index) => index.intern(&columns[0], ids, &mut next),
            Form::Words(index) => index.intern(columns, rows, ids, &mut next),
            Form::Bytes(index) => index.intern(columns, rows, ids, &mut next)?,
        }
        Ok(())
    }

    /// The id of each of `rows` rows, [`NO_ID`] for those that aren't there. `ids` is overwritten.
    pub fn find(&self, columns: &[ArrayRef], rows: usize, ids: &mut Vec<u32>) -> Result<()> {
        ids.clear();
        ids.reserve(rows);
        match &self.form {
            Form::Word(index) => index.find(&columns[0], ids),
            Form::Words(index) => index.find(columns, rows, ids),
            Form::Bytes(index) => index.find(columns, rows, ids)?,
        }
        Ok(())
    }

    /// Forgets a key. Its id may be given to another key from now on.
    pub fn remove(&mut self, id: u32) {
        match &mut self.form {
            Form::Word(index) => index.remove(id),
            Form::Words(index) => index.remove(id),
            Form::Bytes(index) => index.remove(id),
        }
        self.free.push(id);
    }

    /// The key columns of these ids.
    pub fn columns(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        match &self.form {
            Form::Word(index) => Ok(vec![index.column(&self.types[0], ids)?]),
            Form::Words(index) => index.columns(&self.types, ids),
            Form::Bytes(index) => index.columns(ids),
        }
    }

    /// Some order of two keys that depends on nothing but the keys.
    pub fn compare(&self, a: u32, b: u32) -> Ordering {
        match &self.form {
            Form::Word(index) => index.sort_key(a).cmp(&index.sort_key(b)),
            Form::Words(index) => index.key(a).cmp(index.key(b)),
            Form::Bytes(index) => index.key(a).cmp(index.key(b)),
        }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        match &self.form {
            Form::Word(index) => index.table.capacity() * 17 + index.keys.capacity() * 8,
            Form::Words(index) => index.table.capacity() * 17 + index.keys.capacity() * 8,
            Form::Bytes(index) => index.table.capacity() * 17 + index.spans.capacity() * 16 + index.arena.capacity(),
        }
    }
}

struct NextId<'a> {
    free: &'a mut Vec<u32>,
    capacity: &'a mut u32,
}

impl NextId<'_> {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let id = *self.capacity;
            assert!(id < NO_ID, "a key index holds at most 2^32 - 1 keys");
            *self.capacity += 1;
            id
        })
    }
}

impl WordIndex {
    fn intern(&mut self, column: &ArrayRef, ids: &mut Vec<u32>, next: &mut NextId<'_>) {
        let words = words_of(column);
        for (row, &word) in words.iter().enumerate() {
            if column.is_null(row) {
                let id = *self.null.get_or_insert_with(|| next.take());
                self.note_key(id, 0);
                ids.push(id);
                continue;
            }
            let hash = hash_word(word);
            let entry = self.table.entry(hash, |&(key, _)| key == word, |&(key, _)| hash_word(key));
            let id = match entry {
                hashbrown::hash_table::Entry::Occupied(found) => found.get().1,
                hashbrown::hash_table::Entry::Vacant(place) => {
                    let id = next.take();
                    place.insert((word, id));
                    self.note_key(id, word);
                    id
                }
            };
            ids.push(id);
        }
    }

    fn sort_key(&self, id: u32) -> (bool, u64) {
        (self.null == Some(id), self.keys[id as usize])
    }

    fn note_key(&mut self, id: u32, word: u64) {
        let place = id as usize;
        if place >= self.keys.len() {
            self.keys.resize(place + 1, 0);
        }
        self.keys[place] = word;
    }

    fn find(&self, column: &ArrayRef, ids: &mut Vec<u32>) {
        let words = words_of(column);
        for (row, &word) in words.iter().enumerate() {
            let id = if column.is_null(row) {
                self.null
            } else {
                self.table.find(hash_word(word), |&(key, _)| key == word).map(|&(_, id)| id)
            };
            ids.push(id.unwrap_or(NO_ID));
        }
    }

    fn remove(&mut self, id: u32) {
        if self.null == Some(id) {
            self.null = None;
            return;
        }
        let word = self.keys[id as usize];
        if let Ok(entry) = self.table.find_entry(hash_word(word), |&(_, other)| other == id) {
            entry.remove();
        }
    }

    fn column(&self, data_type: &DataType, ids: &[u32]) -> Result<ArrayRef> {
        let valid = self.null.map(|null| NullBuffer::from_iter(ids.iter().map(|&id| id != null)));
        let words = ids.iter().map(|&id| self.keys[id as usize]);
        array_of_words(data_type, words, valid)
    }
}

impl WordsIndex {
    fn new(columns: usize) -> WordsIndex {
        WordsIndex { stride: columns + 1, table: HashTable::new(), keys: Vec::new(), scratch: Vec::new() }
    }

    fn key(&self, id: u32) -> &[u64] {
        let start = id as usize * self.stride;
        &self.keys[start..start + self.stride]
    }

    /// Row by row: the columns' words, 0 under a NULL, then a mask of the columns that are NULL.
    fn pack(stride: usize, columns: &[ArrayRef], rows: usize, packed: &mut Vec<u64>) {
        packed.clear();
        packed.resize(rows * stride, 0);
        for (place, column) in columns.iter().enumerate() {
            let words = words_of(column);
            for (row, &word) in words.iter().enumerate() {
                packed[row * stride + place] = word;
            }
            if column.null_count() > 0 {
                for row in (0..rows).filter(|&row| column.is_null(row)) {
                    packed[row * stride + place] = 0;
                    packed[row * stride + stride - 1] |= 1 << place;
                }
            }
        }
    }

    fn intern(&mut self, columns: &[ArrayRef], rows: usize, ids: &mut Vec<u32>, next: &mut NextId<'_>) {
        let mut packed = std::mem::take(&mut self.scratch);
        Self::pack(self.stride, columns, rows, &mut packed);
        for key in packed.chunks_exact(self.stride) {
            let hash = hash_words(key);
            let found = self.table.find(hash, |&(other, id)| other == hash && self.key(id) == key).map(|&(_, id)| id);
            let id = match found {
                Some(id) => id,
                None => self.add(hash, key, next),
            };
            ids.push(id);
        }
        self.scratch = packed;
    }

    fn add(&mut self, hash: u64, key: &[u64], next: &mut NextId<'_>) -> u32 {
        let id = next.take();
        let start = id as usize * self.stride;
        if start + self.stride > self.keys.len() {
            self.keys.resize(start + self.stride, 0);
        }
        self.keys[start..start + self.stride].copy_from_slice(key);
        self.table.insert_unique(hash, (hash, id), |&(hash, _)| hash);
        id
    }

    fn find(&self, columns: &[ArrayRef], rows: usize, ids: &mut Vec<u32>) {
        let mut packed = Vec::new();
        Self::pack(self.stride, columns, rows, &mut packed);
        for key in packed.chunks_exact(self.stride) {
            let hash = hash_words(key);
            let found = self.table.find(hash, |&(other, id)| other == hash && self.key(id) == key);
            ids.push(found.map_or(NO_ID, |&(_, id)| id));
        }
    }

    fn remove(&mut self, id: u32) {
        let hash = hash_words(self.key(id));
        if let Ok(entry) = self.table.find_entry(hash, |&(_, other)| other == id) {
            entry.remove();
        }
    }

    fn columns(&self, types: &[DataType], ids: &[u32]) -> Result<Vec<ArrayRef>> {
        let column = |(place, data_type): (usize, &DataType)| {
            let is_null = |id: u32| self.key(id)[self.stride - 1] & (1 << place) != 0;
            let any_null = ids.iter().any(|&id| is_null(id));
            let valid = any_null.then(|| NullBuffer::from_iter(ids.iter().map(|&id| !is_null(id))));
            array_of_words(data_type, ids.iter().map(|&id| self.key(id)[place]), valid)
        };
        types.iter().enumerate().map(column).collect()
    }
}

impl BytesIndex {
    fn new(types: &[DataType]) -> Result<BytesIndex> {
        let fields = types.iter().map(|data_type| SortField::new(data_type.clone())).collect();
        Ok(BytesIndex {
            converter: RowConverter::new(fields)?,
            table: HashTable::new(),
            spans: Vec::new(),
            arena: Vec::new(),
            garbage: 0,
        })
    }

    fn key(&self, id: u32) -> &[u8] {
        let (start, length) = self.spans[id as usize];
        &self.arena[start..start + length as usize]
    }

    fn intern(&mut self, columns: &[ArrayRef], rows: usize, ids: &mut Vec<u32>, next: &mut NextId<'_>) -> Result<()> {
        if columns.is_empty() {
            // No columns: every row has the same, empty key.
            let id = if self.table.is_empty() { self.add(hash_bytes(&[]), &[], next) } else { 0 };
            ids.resize(rows, id);
            return Ok(());
        }
        let converted = self.converter.convert_columns(columns)?;
        for row in converted.iter() {
            let bytes: &[u8] = row.as_ref();
            let hash = hash_bytes(bytes);
            let found = self.table.find(hash, |&(other, id)| other == hash && self.key(id) == bytes).map(|&(_, id)| id);
            let id = match found {
                Some(id) => id,
                None => self.add(hash, bytes, next),
            };
            ids.push(id);
        }
        Ok(())
    }

    fn add(&mut self, hash: u64, bytes: &[u8], next: &mut NextId<'_>) -> u32 {
        let id = next.take();
        let place = id as usize;
        if place >= self.spans.len() {
            self.spans.resize(place + 1, (0, 0));
        }
        self.spans[place] = (self.arena.len(), bytes.len() as u32);
        self.arena.extend_from_slice(bytes);
        self.table.insert_unique(hash, (hash, id), |&(hash, _)| hash);
        id
    }

    fn find(&self, columns: &[ArrayRef], rows: usize, ids: &mut Vec<u32>) -> Result<()> {
        if columns.is_empty() {
            ids.resize(rows, if self.table.is_empty() { NO_ID } else { 0 });
            return Ok(());
        }
        let converted = self.converter.convert_columns(columns)?;
        for row in converted.iter() {
            let bytes: &[u8] = row.as_ref();
            let hash = hash_bytes(bytes);
            let found = self.table.find(hash, |&(other, id)| other == hash && self.key(id) == bytes);
            ids.push(found.map_or(NO_ID, |&(_, id)| id));
        }
        Ok(())
    }

    fn remove(&mut self, id: u32) {
        let hash = hash_bytes(self.key(id));
        if let Ok(entry) = self.table.find_entry(hash, |&(_, other)| other == id) {
            entry.remove();
        }
        self.garbage += self.spans[id as usize].1 as usize;
        self.spans[id as usize] = (0, 0);
        if self.garbage > (1 << 16) && self.garbage > self.arena.len() / 2 {
            self.compact();
        }
    }

    /// Rewrites the arena without the bytes of removed keys.
    fn compact(&mut self) {
        let mut arena = Vec::with_capacity(self.arena.len() - self.garbage);
        for (start, length) in &mut self.spans {
            let moved = arena.len();
            arena.extend_from_slice(&self.arena[*start..*start + *length as usize]);
            *start = moved;
        }
        self.arena = arena;
        self.garbage = 0;
    }

    fn columns(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        let parser = self.converter.parser();
        Ok(self.converter.convert_rows(ids.iter().map(|&id| parser.parse(self.key(id))))?)
    }
}

fn hash_word(word: u64) -> u64 {
    let product = u128::from(word ^ 0x2d35_8dcc_aa6c_78a5) * 0x9e37_79b9_7f4a_7c15_u128;
    (product as u64) ^ ((product >> 64) as u64)
}

fn hash_words(words: &[u64]) -> u64 {
    words.iter().fold(0, |hash, &word| hash_word(hash.rotate_left(23) ^ word))
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    // Fixed keys: no attacker chooses a hash table's cost without also choosing its size, which memory_limit bounds.
    ahash::RandomState::with_seeds(1, 2, 3, 4).hash_one(bytes)
}

/// Bytes of an integer-like type that fits a word.
fn word_width(data_type: &DataType) -> Option<usize> {
    let integer_like = data_type.is_integer() || data_type.is_temporal();
    data_type.primitive_width().filter(|&width| integer_like && width <= 8)
}

/// The column's values as words; what stands under a null is arbitrary.
fn words_of(column: &ArrayRef) -> Vec<u64> {
    let data = column.to_data();
    let (offset, length) = (data.offset(), data.len());
    let buffer = &data.buffers()[0];
    match word_width(column.data_type()) {
        Some(8) => ScalarBuffer::<u64>::new(buffer.clone(), offset, length).to_vec(),
        Some(4) => {
            ScalarBuffer::<u32>::new(buffer.clone(), offset, length).iter().map(|&value| u64::from(value)).collect()
        }
        Some(2) => {
            ScalarBuffer::<u16>::new(buffer.clone(), offset, length).iter().map(|&value| u64::from(value)).collect()
        }
        _ => ScalarBuffer::<u8>::new(buffer.clone(), offset, length).iter().map(|&value| u64::from(value)).collect(),
    }
}

fn array_of_words(
    data_type: &DataType,
    words: impl Iterator<Item = u64>,
    valid: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let array: ArrayRef = match word_width(data_type) {
        Some(8) => Arc::new(PrimitiveArray::<UInt64Type>::new(words.collect(), valid)),
        Some(4) => Arc::new(PrimitiveArray::<UInt32Type>::new(words.map(|word| word as u32).collect(), valid)),
        Some(2) => Arc::new(PrimitiveArray::<UInt16Type>::new(words.map(|word| word as u16).collect(), valid)),
        _ => Arc::new(PrimitiveArray::<UInt8Type>::new(words.map(|word| word as u8).collect(), valid)),
    };
    // Same bits under another name: the buffers stay as they are.
    let data = array.to_data().into_builder().data_type(data_type.clone()).build()?;
    Ok(make_array(data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray, TimestampMicrosecondArray};

    fn check(columns: Vec<ArrayRef>, expected: &[u32]) {
        let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
        let mut index = KeyIndex::new(&types).unwrap();
        let mut ids = Vec::new();
        index.intern(&columns, columns[0].len(), &mut ids).unwrap();
        assert_eq!(ids, expected);
        let back = index.columns(&ids).unwrap();
        for (column, back) in columns.iter().zip(&back) {
            assert_eq!(column, back);
        }
        let mut found = Vec::new();
        index.find(&columns, columns[0].len(), &mut found).unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn equal_rows_share_an_id() {
        check(vec![Arc::new(Int64Array::from(vec![Some(5), None, Some(5), Some(-1), None]))], &[0, 1, 0, 2, 1]);
        check(vec![Arc::new(TimestampMicrosecondArray::from(vec![7, 8, 7]))], &[0, 1, 0]);
        check(vec![Arc::new(StringArray::from(vec![Some("a"), None, Some("a")]))], &[0, 1, 0]);
        check(
            vec![
                Arc::new(Int64Array::from(vec![Some(1), None, Some(1), Some(0)])),
                Arc::new(TimestampMicrosecondArray::from(vec![Some(7), Some(7), Some(7), None])),
            ],
            &[0, 1, 0, 2],
        );
        check(
            vec![Arc::new(Int64Array::from(vec![1, 1, 1])), Arc::new(StringArray::from(vec!["a", "b", "a"]))],
            &[0, 1, 0],
        );
    }

    #[test]
    fn removed_key_is_gone_and_its_id_is_used_again() {
        for column in [Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef, Arc::new(StringArray::from(vec!["x", "y"]))]
        {
            let mut index = KeyIndex::new(&[column.data_type().clone()]).unwrap();
            let mut ids = Vec::new();
            index.intern(&[column.clone()], 2, &mut ids).unwrap();
            index.remove(0);
            assert_eq!(index.len(), 1);
            index.find(&[column.clone()], 2, &mut ids).unwrap();
            assert_eq!(ids, [NO_ID, 1]);
            index.intern(&[column], 2, &mut ids).unwrap();
            assert_eq!(ids, [0, 1]);
            assert_eq!(index.capacity(), 2);
        }
    }

    #[test]
    fn arena_is_compacted_without_losing_keys() {
        let mut index = KeyIndex::new(&[DataType::Utf8]).unwrap();
        let names: Vec<String> = (0..5000).map(|n| format!("key number {n:040}")).collect();
        let column: ArrayRef = Arc::new(StringArray::from(names));
        let mut ids = Vec::new();
        index.intern(&[column.clone()], 5000, &mut ids).unwrap();
        for id in 0..4000 {
            index.remove(id);
        }
        index.find(&[column], 5000, &mut ids).unwrap();
        assert!(ids[..4000].iter().all(|&id| id == NO_ID));
        assert_eq!(ids[4000..], (4000..5000).collect::<Vec<u32>>());
    }

    #[test]
    fn no_columns_is_one_key() {
        let mut index = KeyIndex::new(&[]).unwrap();
        let mut ids = Vec::new();
        index.intern(&[], 3, &mut ids).unwrap();
        assert_eq!(ids, [0, 0, 0]);
    }
}
