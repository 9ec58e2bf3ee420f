//! `Tuple`: what user code sees of a row, and `Collector`: where user code puts rows.
//!
//! A row is a vector of values; its fields are known when the topology is built. A tuple is a view of a row through a
//! projection, so neither a projection nor a nested one copies a value.

use std::fmt;

use monsoon_topology::{Failure, Fields, Outcome, Value};

use crate::{Error, Result};

/// The values of a stream's fields, in order.
pub(crate) type Row = Vec<Value>;

/// A list of field names: `"a"`, `["a", "b"]`, a `Fields`, or `()` for none.
pub trait FieldNames {
    /// The names, in order.
    fn names(&self) -> Vec<String>;
}

impl FieldNames for () {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

impl FieldNames for &str {
    fn names(&self) -> Vec<String> {
        vec![(*self).to_owned()]
    }
}

impl<N: AsRef<str>, const COUNT: usize> FieldNames for [N; COUNT] {
    fn names(&self) -> Vec<String> {
        self.iter().map(|name| name.as_ref().to_owned()).collect()
    }
}

impl<N: AsRef<str>> FieldNames for &[N] {
    fn names(&self) -> Vec<String> {
        self.iter().map(|name| name.as_ref().to_owned()).collect()
    }
}

impl<N: AsRef<str>> FieldNames for Vec<N> {
    fn names(&self) -> Vec<String> {
        self.iter().map(|name| name.as_ref().to_owned()).collect()
    }
}

impl FieldNames for Fields {
    fn names(&self) -> Vec<String> {
        self.iter().map(str::to_owned).collect()
    }
}

impl FieldNames for &Fields {
    fn names(&self) -> Vec<String> {
        self.iter().map(str::to_owned).collect()
    }
}

/// Fields from names; [`Error::Invalid`] when a name is there twice.
pub(crate) fn fields_of(names: &(impl FieldNames + ?Sized)) -> Result<Fields> {
    Fields::new(names.names()).map_err(|error| match error {
        monsoon_topology::Error::InvalidTopology(reason) => Error::Invalid(reason),
        other => Error::Invalid(other.to_string()),
    })
}

/// The fields of one list and then those of another; refused when a name is in both.
pub(crate) fn concatenated(first: &Fields, second: &Fields) -> Result<Fields> {
    fields_of(&first.iter().chain(second.iter()).collect::<Vec<_>>())
}

/// Which values of a row a tuple shows, and under which names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    fields: Fields,
    places: Vec<usize>,
}

impl Projection {
    /// All fields of a row.
    pub fn all(fields: &Fields) -> Projection {
        Projection { fields: fields.clone(), places: (0..fields.len()).collect() }
    }

    /// Some fields of a row with these fields; [`Error::Invalid`] naming the fields there are when one isn't there.
    pub fn new(row: &Fields, names: impl FieldNames) -> Result<Projection> {
        Projection::all(row).narrow(names)
    }

    /// A projection of this projection.
    pub fn narrow(&self, names: impl FieldNames) -> Result<Projection> {
        let fields = fields_of(&names)?;
        let places = fields.iter().map(|name| self.place(name)).collect::<Result<_>>()?;
        Ok(Projection { fields, places })
    }

    fn place(&self, name: &str) -> Result<usize> {
        let position = self.fields.position(name);
        position.map(|position| self.places[position]).ok_or_else(|| {
            let known: Vec<&str> = self.fields.iter().collect();
            Error::invalid(format!("there is no field {name:?}, the stream's fields are {known:?}"))
        })
    }

    /// The fields shown.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    pub(crate) fn places(&self) -> &[usize] {
        &self.places
    }

    /// The values shown of a row.
    pub(crate) fn values(&self, row: &[Value]) -> Row {
        self.places.iter().map(|place| row[*place].clone()).collect()
    }
}

/// A view of a row: what user code gets.
#[derive(Clone, Copy)]
pub struct Tuple<'a> {
    projection: &'a Projection,
    row: &'a [Value],
}

impl<'a> Tuple<'a> {
    /// A view of a row whose values are as many as the projection was made for.
    pub fn new(projection: &'a Projection, row: &'a [Value]) -> Tuple<'a> {
        Tuple { projection, row }
    }

    /// The fields there are.
    pub fn fields(&self) -> &'a Fields {
        &self.projection.fields
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.projection.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at a place.
    pub fn get(&self, place: usize) -> Option<&'a Value> {
        self.row.get(*self.projection.places.get(place)?)
    }

    /// The value at a place; a failure when there are fewer.
    pub fn at(&self, place: usize) -> Outcome<&'a Value> {
        self.get(place).ok_or_else(|| Failure::new(format!("there is no value {place}, the tuple has {}", self.len())))
    }

    /// The value of a field; a failure when there is none of that name.
    pub fn value(&self, name: &str) -> Outcome<&'a Value> {
        let place = self.fields().position(name);
        place.and_then(|place| self.get(place)).ok_or_else(|| {
            Failure::new(format!("there is no field {name:?}, the tuple's fields are {:?}", self.fields()))
        })
    }

    /// The text of a field; a failure when it isn't text.
    pub fn text(&self, name: &str) -> Outcome<&'a str> {
        let value = self.value(name)?;
        value.as_str().ok_or_else(|| wrong_kind(name, "text", value))
    }

    /// The integer of a field; a failure when it isn't one.
    pub fn int(&self, name: &str) -> Outcome<i64> {
        let value = self.value(name)?;
        value.as_int().ok_or_else(|| wrong_kind(name, "integer", value))
    }

    /// The number of a field as a double; a failure when it isn't a number.
    pub fn float(&self, name: &str) -> Outcome<f64> {
        let value = self.value(name)?;
        value.as_float().ok_or_else(|| wrong_kind(name, "number", value))
    }

    /// The values, in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        let row = self.row;
        self.projection.places.iter().map(move |place| &row[*place])
    }

    /// A copy of the values, in order.
    pub fn values(&self) -> Vec<Value> {
        self.iter().cloned().collect()
    }
}

impl fmt::Debug for Tuple<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.fields().iter().zip(self.iter())).finish()
    }
}

fn wrong_kind(name: &str, wanted: &str, value: &Value) -> Failure {
    Failure::new(format!("field {name:?} is {} ({value:?}), not {wanted}", value.kind()))
}

/// Where user code puts the tuples it emits.
#[derive(Debug)]
pub struct Collector {
    arity: usize,
    rows: Vec<Row>,
    mismatch: Option<usize>,
}

impl Collector {
    /// An empty one, for tuples of so many values.
    pub fn new(arity: usize) -> Collector {
        Collector { arity, rows: Vec::new(), mismatch: None }
    }

    /// Emits a tuple. A wrong number of values fails the batch.
    pub fn emit(&mut self, values: Vec<Value>) {
        if values.len() != self.arity {
            self.mismatch = Some(values.len());
            return;
        }
        self.rows.push(values);
    }

    /// Emits a tuple of one value.
    pub fn emit_one(&mut self, value: impl Into<Value>) {
        self.emit(vec![value.into()]);
    }

    /// The rows emitted; a failure when one had a wrong number of values.
    pub fn finish(self) -> Outcome<Vec<Vec<Value>>> {
        match self.mismatch {
            None => Ok(self.rows),
            Some(got) => {
                Err(Failure::new(format!("a tuple of {got} values was emitted, {} fields are declared", self.arity)))
            }
        }
    }
}

/// A `Vec<Value>` of anything that converts into [`Value`].
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::Value::from($value)),*] };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t14_views_keep_the_mapping_from_field_to_value() {
        let fields = Fields::new(["a", "b", "c"]).unwrap();
        let row = crate::values![1, 2, 3];
        let fresh = Projection::all(&fields);
        assert_eq!(Tuple::new(&fresh, &row).values(), row);

        let projected = fresh.narrow(["c", "a"]).unwrap();
        let view = Tuple::new(&projected, &row);
        assert_eq!((view.int("c").unwrap(), view.int("a").unwrap()), (3, 1));
        assert!(view.value("b").is_err());

        let nested = projected.narrow("a").unwrap();
        assert_eq!(Tuple::new(&nested, &row).values(), crate::values![1]);

        let appended = concatenated(&fields, &Fields::new(["d"]).unwrap()).unwrap();
        let row = crate::values![1, 2, 3, 4];
        let wide = Projection::new(&appended, ["d", "a"]).unwrap();
        assert_eq!(Tuple::new(&wide, &row).values(), crate::values![4, 1]);
        assert_eq!(Tuple::new(&nested, &row).values(), crate::values![1]);
    }

    #[test]
    fn an_unknown_field_is_refused_with_the_fields_there_are() {
        let fields = Fields::new(["a", "b"]).unwrap();
        let error = Projection::new(&fields, "z").unwrap_err();
        assert_eq!(error.to_string(), r#"invalid topology: there is no field "z", the stream's fields are ["a", "b"]"#);
    }

    #[test]
    fn a_wrong_number_of_values_is_a_failure() {
        let mut collector = Collector::new(2);
        collector.emit_one(1);
        assert!(collector.finish().is_err());
    }
}
