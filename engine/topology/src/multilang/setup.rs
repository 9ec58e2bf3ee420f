//! `Setup`: the first message to a child: configuration, and the task's place in the topology.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// Something per stream of something: by component or stream, whichever the field's name says, outer first.
pub type Nested<T> = BTreeMap<String, BTreeMap<String, T>>;

/// The first message to a child.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Setup {
    /// The topology's whole configuration. pystorm reads `topology.name`, `topology.debug` and `pystorm.log.*`.
    pub conf: serde_json::Map<String, serde_json::Value>,
    /// Where the child puts an empty file named by its process id: an absolute path, since the child may run elsewhere.
    #[serde(rename = "pidDir")]
    pub pid_dir: String,
    /// The task's place.
    pub context: Context,
    /// How else than in JSON the child may choose to speak; Storm has no such member, and its components ignore it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dialects: Vec<String>,
}

/// A task's place in the topology.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Context {
    /// The task the child is.
    #[serde(rename = "taskid")]
    pub task_id: i32,
    /// Its component.
    #[serde(rename = "componentid")]
    pub component_id: String,
    /// Every task of the topology, and its component. In JSON the tasks are texts.
    #[serde(rename = "task->component")]
    pub task_component: BTreeMap<i32, String>,
    /// Who takes the component's streams: stream, component, grouping.
    #[serde(rename = "stream->target->grouping")]
    pub stream_target_grouping: Nested<Grouping>,
    /// The component's streams.
    pub streams: Vec<String>,
    /// Their fields.
    #[serde(rename = "stream->outputfields")]
    pub stream_output_fields: BTreeMap<String, Vec<String>>,
    /// What the component takes: component, stream, grouping.
    #[serde(rename = "source->stream->grouping")]
    pub source_stream_grouping: Nested<Grouping>,
    /// The fields of what it takes: component, stream, fields. pystorm makes named tuples of them.
    #[serde(rename = "source->stream->fields")]
    pub source_stream_fields: Nested<Vec<String>>,
}

/// A grouping as the protocol names it: `{"type":"FIELDS","fields":["word"]}`, for other kinds the type alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Evenly, at random.
    Shuffle,
    /// By the values of fields; by none of them is Storm's global grouping.
    Fields(Vec<String>),
    /// To every task.
    All,
    /// Anyhow.
    None,
    /// To the task the emitter names.
    Direct,
    /// Evenly among the tasks of the same process if there are any.
    LocalOrShuffle,
    /// By code of the user's.
    CustomObject,
    /// By serialized code of the user's; partial key grouping is one.
    CustomSerialized,
}

impl Serialize for Grouping {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, fields) = match self {
            Grouping::Shuffle => ("SHUFFLE", None),
            Grouping::Fields(fields) => ("FIELDS", Some(fields)),
            Grouping::All => ("ALL", None),
            Grouping::None => ("NONE", None),
            Grouping::Direct => ("DIRECT", None),
            Grouping::LocalOrShuffle => ("LOCAL_OR_SHUFFLE", None),
            Grouping::CustomObject => ("CUSTOM_OBJECT", None),
            Grouping::CustomSerialized => ("CUSTOM_SERIALIZED", None),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", name)?;
        if let Some(fields) = fields {
            map.serialize_entry("fields", fields)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one<T>(key: &str, value: T) -> BTreeMap<String, T> {
        BTreeMap::from([(key.to_owned(), value)])
    }

    #[test]
    fn a_setup_is_as_the_protocol_describes_it() {
        let word = vec!["word".to_owned()];
        let setup = Setup {
            conf: serde_json::Map::from_iter([("topology.debug".to_owned(), json!(false))]),
            pid_dir: "/tmp/pids".into(),
            context: Context {
                task_id: 3,
                component_id: "split".into(),
                task_component: BTreeMap::from([(3, "split".into()), (4, "sentence".into())]),
                stream_target_grouping: one("default", one("count", Grouping::Fields(word.clone()))),
                streams: vec!["default".into()],
                stream_output_fields: one("default", word),
                source_stream_grouping: one("sentence", one("default", Grouping::LocalOrShuffle)),
                source_stream_fields: one("sentence", one("default", vec!["sentence".into()])),
            },
            dialects: vec!["arrow-1".into()],
        };
        assert_eq!(
            serde_json::to_value(&setup).unwrap(),
            json!({
                "conf": {"topology.debug": false},
                "pidDir": "/tmp/pids",
                "context": {
                    "taskid": 3,
                    "componentid": "split",
                    "task->component": {"3": "split", "4": "sentence"},
                    "stream->target->grouping": {"default": {"count": {"type": "FIELDS", "fields": ["word"]}}},
                    "streams": ["default"],
                    "stream->outputfields": {"default": ["word"]},
                    "source->stream->grouping": {"sentence": {"default": {"type": "LOCAL_OR_SHUFFLE"}}},
                    "source->stream->fields": {"sentence": {"default": ["sentence"]}},
                },
                "dialects": ["arrow-1"],
            })
        );
    }
}
