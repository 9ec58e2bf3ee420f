//! A Flux file with all it draws on, read and checked before anything is sent to a server.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use monsoon_topology::flux::{self, FluxOptions, FluxTopology, Properties};

use super::quoted_name;
use crate::start_error::StartError;

/// A Flux file with all it draws on.
pub(super) struct FluxFile {
    name: String,
    text: String,
    filter: Option<String>,
    includes: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    topology: FluxTopology,
}

impl FluxFile {
    /// Reads and checks what the command line names.
    pub fn read(matches: &ArgMatches) -> Result<FluxFile, StartError> {
        let path = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
        let filter = matches.get_one::<PathBuf>("filter").map(|path| read(path)).transpose()?;
        let text = read(&path)?;
        let name = path.display().to_string();
        let properties = filter.as_ref().map(|text| Properties::parse("filter", text)).transpose();
        let properties = properties.map_err(|error| StartError::Other(error.to_string()))?;
        let (includes, environment) = (RefCell::new(BTreeMap::new()), RefCell::new(BTreeMap::new()));
        let read_include = |path: &Path| {
            let text = std::fs::read_to_string(path)?;
            includes.borrow_mut().insert(path.to_string_lossy().into_owned(), text.clone());
            Ok(text)
        };
        let variable = |name: &str| {
            let value = std::env::var(name).ok()?;
            environment.borrow_mut().insert(name.to_owned(), value.clone());
            Some(value)
        };
        let options = FluxOptions {
            properties: properties.as_ref(),
            environment: matches.get_flag("env-filter").then_some(&variable),
            read: &read_include,
            // Which names are registered is the server's to say, but that a Java class isn't one.
            is_registered: &|name| !name.contains('.'),
        };
        let topology = flux::parse(&name, &text, &options).map_err(|error| StartError::Other(error.to_string()))?;
        let (includes, environment) = (includes.into_inner(), environment.into_inner());
        Ok(FluxFile { name, text, filter, includes, environment, topology })
    }

    /// What it describes.
    pub fn describe(&self) -> String {
        self.topology.describe()
    }

    /// The statement that starts it.
    pub fn statement(&self, replace: bool, inactive: bool) -> String {
        let mut options = vec![option("file", &self.name)];
        options.extend(self.filter.iter().map(|text| option("filter", text)));
        options.extend(self.includes.iter().map(|(path, text)| option(&format!("include {path}"), text)));
        options.extend(self.environment.iter().map(|(name, value)| option(&format!("env {name}"), value)));
        if inactive {
            options.push(option("initial_status", "inactive"));
        }
        let replace = if replace { " OR REPLACE" } else { "" };
        let (name, options, text) = (quoted_name(&self.topology.name), options.join(", "), quoted(&self.text));
        format!("CREATE{replace} TOPOLOGY {name} WITH ({options}) AS FLUX {text}")
    }
}

fn option(name: &str, value: &str) -> String {
    format!("{} = {}", quoted(name), quoted(value))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn read(path: &Path) -> Result<String, StartError> {
    std::fs::read_to_string(path).map_err(|error| StartError::Other(format!("can't read {}: {error}", path.display())))
}
