//! `Grouping`: how a stream's tuples are spread over the receiver's tasks.

use smol_str::SmolStr;

use super::bean::Beans;
use super::definition::{BeanDefinition, GroupingDefinition};
use super::error::FluxError;
use super::kind::{Instance, native_of};
use crate::{Fields, Value};

/// How a stream's tuples are spread over the receiver's tasks.
#[derive(Debug, Clone, PartialEq)]
pub enum Grouping {
    /// To every task.
    All,
    /// To the task the sender names.
    Direct,
    /// Evenly.
    Shuffle,
    /// Evenly over the tasks on the sender's node, or over all if there is none.
    LocalOrShuffle,
    /// By these fields, at least one.
    Fields(Fields),
    /// To the less used of two tasks by these fields; by the whole tuple when there are none.
    PartialKey(Fields),
    /// To the task with the lowest id.
    Global,
    /// Anyhow.
    None,
    /// By a native object.
    Custom(Instance),
}

const TYPES: &str = "ALL, CUSTOM, DIRECT, SHUFFLE, LOCAL_OR_SHUFFLE, FIELDS, PARTIAL_KEY, GLOBAL, NONE";

impl Grouping {
    /// The type as a Flux file names it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Grouping::All => "ALL",
            Grouping::Direct => "DIRECT",
            Grouping::Shuffle => "SHUFFLE",
            Grouping::LocalOrShuffle => "LOCAL_OR_SHUFFLE",
            Grouping::Fields(_) => "FIELDS",
            Grouping::PartialKey(_) => "PARTIAL_KEY",
            Grouping::Global => "GLOBAL",
            Grouping::None => "NONE",
            Grouping::Custom(_) => "CUSTOM",
        }
    }

    /// The fields it looks at.
    pub fn fields(&self) -> Option<&Fields> {
        match self {
            Grouping::Fields(fields) | Grouping::PartialKey(fields) => Some(fields),
            _ => None,
        }
    }

    /// Whether its definition may have arguments.
    fn takes_arguments(&self) -> bool {
        self.fields().is_some()
    }

    pub(super) fn new(
        definition: &GroupingDefinition,
        beans: &mut Beans<'_>,
        is_registered: &dyn Fn(&str) -> bool,
        notes: &mut Vec<String>,
    ) -> Result<Grouping, FluxError> {
        let place = &definition.place;
        let grouping = match definition.kind.as_str() {
            "ALL" => Grouping::All,
            "DIRECT" => Grouping::Direct,
            "SHUFFLE" => Grouping::Shuffle,
            "LOCAL_OR_SHUFFLE" => Grouping::LocalOrShuffle,
            "FIELDS" => Grouping::Fields(fields(definition)?),
            "PARTIAL_KEY" => Grouping::PartialKey(fields(definition)?),
            "GLOBAL" => Grouping::Global,
            "NONE" => Grouping::None,
            "CUSTOM" => {
                let class = definition.custom_class.as_ref();
                let class = class.ok_or_else(|| place.error("a grouping of type CUSTOM has no customClass"))?;
                custom(class, beans, is_registered)?
            }
            other => return Err(place.error(format!("found grouping type {other:?}, expected one of {TYPES}"))),
        };
        let kind = &definition.kind;
        if !definition.arguments.is_empty() && !grouping.takes_arguments() {
            notes.push(format!("{place}: args are ignored by a grouping of type {kind}"));
        }
        if definition.custom_class.is_some() && kind != "CUSTOM" {
            notes.push(format!("{place}: customClass is ignored by a grouping of type {kind}"));
        }
        Ok(grouping)
    }
}

fn fields(definition: &GroupingDefinition) -> Result<Fields, FluxError> {
    let (place, kind) = (&definition.place, &definition.kind);
    place.ensure(!definition.arguments.is_empty(), || {
        format!("a grouping of type {kind} has no args, expected a list of field names")
    })?;
    Fields::new(&definition.arguments).map_err(|error| place.error(error.to_string()))
}

/// A native grouping, or one of Storm's classes for which there is a type.
fn custom(
    class: &BeanDefinition,
    beans: &mut Beans<'_>,
    is_registered: &dyn Fn(&str) -> bool,
) -> Result<Grouping, FluxError> {
    let instance = beans.instance(class)?;
    let refused = |reason: String| class.class_place.error(format!("custom grouping: {reason}"));
    if !is_registered(&class.class_name) {
        match class.class_name.as_str() {
            "org.apache.storm.grouping.PartialKeyGrouping" => {
                return partial_key(&instance).map(Grouping::PartialKey).map_err(refused);
            }
            "org.apache.storm.grouping.ShuffleGrouping" | "org.apache.storm.grouping.LoadAwareShuffleGrouping" => {
                return Ok(Grouping::Shuffle);
            }
            _ => {}
        }
    }
    native_of(class, instance, is_registered).map(Grouping::Custom).map_err(refused)
}

fn partial_key(instance: &Instance) -> Result<Fields, String> {
    let wrong = || "the arguments of PartialKeyGrouping must be none or a reference to Fields".to_owned();
    let names = match instance.arguments.as_slice() {
        [] => return Ok(Fields::default()),
        [argument] => field_names(argument).ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    Fields::new(names).map_err(|error| error.to_string())
}

/// The names in a list, or in the description of an `org.apache.storm.tuple.Fields`.
fn field_names(value: &Value) -> Option<Vec<SmolStr>> {
    let text = |item: &Value| item.as_str().map(SmolStr::new);
    match value {
        Value::List(items) => match &items[..] {
            [nested @ Value::List(_)] => field_names(nested),
            items => items.iter().map(text).collect(),
        },
        Value::Map(parts) => {
            let part = |name: &str| parts.iter().find(|(key, _)| key == name).map(|(_, value)| value);
            let is_fields = part("className").and_then(Value::as_str) == Some("org.apache.storm.tuple.Fields");
            if is_fields { field_names(part("constructorArgs")?) } else { None }
        }
        _ => None,
    }
}
