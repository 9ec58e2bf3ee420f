//! Connectors by name: what `CREATE STREAM ... WITH (connector = ...)` and `CREATE SINK` open.

use arrow::datatypes::SchemaRef;

use crate::nexmark::{NexmarkConfig, NexmarkSource, NexmarkTable};
use crate::options::closest;
use crate::{BlackholeSink, DatagenSource, Error, FileSink, FileSource, Options, Result, Sink, Source, SystemClock};
use crate::{datagen, file};

/// The connectors that can be read from.
pub const SOURCES: [&str; 3] = ["datagen", "file", "nexmark"];
/// The connectors that can be written to.
pub const SINKS: [&str; 2] = ["blackhole", "file"];

/// Opens the source that the options describe, at its start. `schema` holds the declared columns.
pub fn open_source(options: &Options, schema: SchemaRef) -> Result<Box<dyn Source>> {
    Ok(match connector(options, &SOURCES, "source")? {
        "datagen" => Box::new(DatagenSource::new(options, schema, Box::new(SystemClock))?),
        "file" => Box::new(FileSource::new(options, schema)?),
        _ => {
            let config = NexmarkConfig::from_options(options, &SystemClock)?;
            let table = NexmarkTable::from_options(options)?;
            Box::new(NexmarkSource::new(config, table, schema, Box::new(SystemClock))?)
        }
    })
}

/// Options whose default depends on when a source is first opened, with their value now. Whoever creates a source keeps
/// them, so that opening it again, for a replay, yields the same rows.
pub fn settled_options(options: &Options) -> Result<Vec<(String, String)>> {
    if options.get("connector") != Some("nexmark") || options.get("start").is_some() {
        return Ok(Vec::new());
    }
    let start_us = NexmarkConfig::from_options(options, &SystemClock)?.start_us;
    let start = chrono::DateTime::from_timestamp_micros(start_us).unwrap_or_default();
    Ok(vec![("start".to_owned(), start.format("%Y-%m-%d %H:%M:%S%.6f").to_string())])
}

/// The columns of a source that declares none, where the connector knows them.
pub fn source_schema(options: &Options) -> Result<Option<SchemaRef>> {
    Ok(match connector(options, &SOURCES, "source")? {
        "nexmark" => Some(NexmarkTable::from_options(options)?.schema()),
        "file" => Some(file::infer_schema(options)?),
        _ => None,
    })
}

/// Opens the sink that the options describe. `append_only` says that no row of the relation ever goes away.
pub fn open_sink(options: &Options, schema: SchemaRef, append_only: bool) -> Result<Box<dyn Sink>> {
    Ok(match connector(options, &SINKS, "sink")? {
        "file" => Box::new(FileSink::new(options, schema, append_only)?),
        _ => {
            options.reject_unknown("a blackhole sink", &["connector"])?;
            Box::new(BlackholeSink::new())
        }
    })
}

/// Whether the source ends by itself. Wrong options are reported when it is opened.
pub fn is_bounded(options: &Options) -> bool {
    match options.get("connector") {
        Some("datagen") => datagen::is_bounded(options),
        Some("file") => file::is_bounded(options),
        Some("nexmark") => options.get("event_count").is_some(),
        _ => false,
    }
}

fn connector<'a>(options: &'a Options, known: &[&str], role: &str) -> Result<&'a str> {
    let list = known.join(", ");
    let name = options.require("connector", &format!("one of {list}"))?;
    if known.contains(&name) {
        return Ok(name);
    }
    let advice = match closest(name, known) {
        Some(candidate) => format!("did you mean \"{candidate}\"? "),
        None => String::new(),
    };
    Err(Error::option(
        "connector",
        format!("there is no {role} connector \"{name}\"; {advice}known connectors: {list}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Read;

    fn options(text: &str) -> Options {
        text.split_whitespace().filter_map(|pair| pair.split_once('=')).collect()
    }

    #[test]
    fn nexmark_knows_its_columns() {
        let options = options("connector=nexmark table=auction event_count=100");
        let schema = source_schema(&options).unwrap().expect("columns");
        let mut source = open_source(&options, schema).unwrap();
        assert!(matches!(source.read(100).unwrap(), Read::Rows { rows, .. } if rows.num_rows() == 6));
        assert!(is_bounded(&options));
        assert!(!is_bounded(&Options::new().with("connector", "nexmark")));
    }

    #[test]
    fn unknown_connectors_are_refused_with_the_known_ones() {
        let message = |text: &str| source_schema(&options(text)).unwrap_err().to_string();
        assert_eq!(
            message("connector=nexmrk"),
            "there is no source connector \"nexmrk\"; did you mean \"nexmark\"? known connectors: datagen, file, nexmark"
        );
        assert_eq!(message(""), "option \"connector\" is missing: expected one of datagen, file, nexmark");
        assert_eq!(
            message("connector=nexmark table=bids"),
            "option \"table\" is \"bids\": expected one of person, auction, bid"
        );
        let schema = NexmarkTable::Bid.schema();
        let error = open_sink(&options("connector=kafka"), schema.clone(), true).err().unwrap().to_string();
        assert_eq!(error, "there is no sink connector \"kafka\"; known connectors: blackhole, file");
        assert!(open_sink(&options("connector=blackhole"), schema, true).is_ok());
    }
}
