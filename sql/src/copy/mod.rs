//! COPY's data formats: text and csv, in both directions.
//!
//! Bytes come as the client cut them; whole lines are gathered into batches. Knows nothing of relations: a decoder is
//! given a schema, an encoder batches. Format binary is refused where the statement is run (0A000).

mod csv;
mod decoder;
mod encoder;
mod text;

#[cfg(test)]
mod tests;

pub use decoder::CopyDecoder;
pub use encoder::CopyEncoder;

/// The fields of one line; `None` is NULL.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    /// All values, one after the other.
    bytes: Vec<u8>,
    /// End of each value in `bytes`, and whether it is NULL.
    ends: Vec<(usize, bool)>,
}

impl Fields {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn end_field(&mut self, is_null: bool) {
        self.ends.push((self.bytes.len(), is_null));
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        starts.zip(&self.ends).map(|(start, (end, is_null))| (!is_null).then(|| &self.bytes[start..*end]))
    }
}
