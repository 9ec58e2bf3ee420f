//! Where values come from.

use std::collections::HashMap;
use std::path::Path;

use clap::{Arg, ArgMatches};

use super::{Setting, SettingError, TABLE, Value};

/// Values as text, by setting name, from the flags and environment and from the file.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    given: HashMap<String, String>,
    file: HashMap<String, String>,
    file_name: String,
}

/// One flag per setting, and `--config`.
pub fn flags() -> Vec<Arg> {
    let config = Arg::new("config").long("config").env("MONSOON_CONFIG").value_name("file");
    let mut flags = vec![config.help("TOML file with settings; flags and environment win over it")];
    flags.extend(TABLE.iter().map(flag));
    flags
}

fn flag(setting: &Setting) -> Arg {
    let help = format!("{} [default: {}] [env: {}]", setting.doc.trim(), setting.default, setting.environment());
    let flag = Arg::new(setting.name).long(setting.name).help(help);
    if setting.kind == bool::KIND {
        // `--allow-x` alone means true.
        return flag.num_args(0..=1).default_missing_value("true").require_equals(true).value_name("bool");
    }
    flag.value_name(setting.kind.split(' ').next().unwrap_or("value"))
}

impl Sources {
    /// What the command line, the environment and the file say.
    pub fn from_matches(matches: &ArgMatches) -> Result<Sources, SettingError> {
        let given = TABLE.iter().filter_map(|setting| {
            let flag = matches.get_one::<String>(setting.name).cloned();
            Some((setting.name.to_owned(), flag.or_else(|| std::env::var(setting.environment()).ok())?))
        });
        let given = given.collect();
        match matches.get_one::<String>("config") {
            None => Ok(Sources { given, ..Sources::default() }),
            Some(name) => Ok(Sources { given, file: read_file(Path::new(name))?, file_name: name.clone() }),
        }
    }

    /// For tests: values as if given by flag, and the text of a file.
    pub fn from_texts(given: &[(&str, &str)], file: &str) -> Result<Sources, SettingError> {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(Sources { given, file: parse_file(file, "file.toml")?, file_name: "file.toml".to_owned() })
    }

    /// A name in the file that no setting has is a mistake, not a wish to be ignored.
    pub(super) fn check_names(&self, table: &[Setting]) -> Result<(), SettingError> {
        match self.file.keys().find(|name| !table.iter().any(|setting| setting.name == *name)) {
            None => Ok(()),
            Some(name) => Err(SettingError(format!("{}: there is no setting {name:?}", self.file_name))),
        }
    }

    /// The value of one setting.
    pub(super) fn value<V: Value>(&self, name: &str, default: &str) -> Result<V, SettingError> {
        let text = self.given.get(name).or_else(|| self.file.get(name)).map_or(default, String::as_str);
        V::read(text).map_err(|expected| SettingError(format!("{name} = {text:?}: expected {expected}")))
    }
}

fn read_file(path: &Path) -> Result<HashMap<String, String>, SettingError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| SettingError(format!("can't read the settings file {}: {error}", path.display())))?;
    parse_file(&text, &path.display().to_string())
}

fn parse_file(text: &str, name: &str) -> Result<HashMap<String, String>, SettingError> {
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| SettingError(format!("{name}: {}", error.message())))?;
    let entry = |(key, value): (String, toml::Value)| match value {
        toml::Value::String(text) => Ok((key, text)),
        toml::Value::Integer(_) | toml::Value::Boolean(_) => Ok((key, value.to_string())),
        other => Err(SettingError(format!("{name}: {key} is a {}, which no setting is", other.type_str()))),
    };
    table.into_iter().map(entry).collect()
}
