//! Substitution of `${...}` in the text of a Flux file, before it is read as YAML.
//!
//! On the text, as in Storm: so a value may be a list (`[a, b]`) or a number, and quotes are the file's own business.
//! `${key}` takes the property of that name, `${key[2]}` an element of a property that is a list, and `${ENV-NAME}` an
//! environment variable when these are switched on. What has no value is left as it is, with a note. Unlike in Storm, which
//! replaces one name per line, all on a line are replaced; a value is never searched for further ones.

use super::Environment;
use super::error::{FluxError, Place};
use super::properties::Properties;

/// Where the values come from.
pub(super) struct Substitution<'a> {
    pub properties: Option<&'a Properties>,
    pub environment: Option<Environment<'a>>,
}

impl Substitution<'_> {
    /// The text with values in place; a note for each name without one. A value must be of one line, or places would be wrong
    /// and a value could leave the comment it is in.
    pub fn apply(&self, start: &Place, text: &str, notes: &mut Vec<String>) -> Result<String, FluxError> {
        let mut result = String::with_capacity(text.len());
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let place = Place { line: index + 1, ..start.clone() };
            self.line(&place, line, &mut result, notes)?;
        }
        Ok(result)
    }

    fn line(&self, place: &Place, line: &str, result: &mut String, notes: &mut Vec<String>) -> Result<(), FluxError> {
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}') else { break };
            result.push_str(before);
            match self.value(name) {
                Ok(Some(value)) => {
                    place.ensure(!value.contains(['\n', '\r']), || {
                        format!("the value of ${{{name}}} has several lines, expected one")
                    })?;
                    result.push_str(&value);
                }
                Ok(None) => {
                    notes.push(format!("{place}: ${{{name}}} has no value and is left as it is"));
                    result.extend(["${", name, "}"]);
                }
                Err(reason) => return Err(place.error(reason)),
            }
            rest = tail;
        }
        result.push_str(rest);
        Ok(())
    }

    fn value(&self, name: &str) -> Result<Option<String>, String> {
        if let (Some(variable), Some(environment)) = (name.strip_prefix("ENV-"), self.environment) {
            return Ok(environment(variable));
        }
        let Some(properties) = self.properties else { return Ok(None) };
        if let Some(value) = properties.get(name) {
            return Ok(Some(value.to_owned()));
        }
        let Some((list, index)) = element(name) else { return Ok(None) };
        properties.get(list).map(|value| item(list, value, index)).transpose()
    }
}

/// The parts of `name[index]`.
fn element(name: &str) -> Option<(&str, usize)> {
    let (list, index) = name.strip_suffix(']')?.rsplit_once('[')?;
    Some((list, index.parse().ok()?))
}

/// An item of a property that is a list, without its quotes. Items end at commas, quoted or not, as in Storm.
fn item(list: &str, value: &str, index: usize) -> Result<String, String> {
    let inner = value.trim().strip_prefix('[').and_then(|value| value.strip_suffix(']'));
    let inner = inner.ok_or_else(|| format!("property {list:?} is {value:?}, expected a list like [\"a\", \"b\"]"))?;
    let items: Vec<&str> = inner.split(',').map(str::trim).collect();
    let item =
        items.get(index).ok_or_else(|| format!("property {list:?} has {} items, no item {index}", items.len()))?;
    let unquoted = ['"', '\''].iter().find_map(|quote| item.strip_prefix(*quote)?.strip_suffix(*quote));
    Ok(unquoted.unwrap_or(item).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(text: &str, with_environment: bool) -> (Result<String, FluxError>, Vec<String>) {
        let filter = "host=h1\nport: 9092\ndoc = [\"a b\", 'c', d]\nlines=x\\ny\nself=${host}";
        let properties = Properties::parse("p", filter).unwrap();
        let environment = |name: &str| (name == "HOME").then(|| "/home/storm".to_owned());
        let environment: Option<Environment<'_>> = if with_environment { Some(&environment) } else { None };
        let mut notes = Vec::new();
        let start = Place { file: "t.yaml".into(), line: 1, column: 1 };
        let result = Substitution { properties: Some(&properties), environment }.apply(&start, text, &mut notes);
        (result, notes)
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(apply(text, true).0.unwrap(), expected);
    }

    #[test]
    fn properties_lists_and_their_elements_are_put_in() {
        check("a: ${host}:${port}\nb: ${doc}\n", "a: h1:9092\nb: [\"a b\", 'c', d]\n");
        check("${doc[0]}|${doc[1]}|${doc[2]}", "a b|c|d");
        check("no $host or ${host", "no $host or ${host");
        check("${self}", "${host}");
    }

    #[test]
    fn the_environment_is_used_only_when_switched_on() {
        check("${ENV-HOME}/x", "/home/storm/x");
        let (text, notes) = apply("${ENV-HOME}/x", false);
        assert_eq!(text.unwrap(), "${ENV-HOME}/x");
        assert_eq!(notes, ["t.yaml:1:1: ${ENV-HOME} has no value and is left as it is"]);
    }

    #[test]
    fn a_name_without_a_value_is_left_with_a_note() {
        let (text, notes) = apply("a\n${nothing} ${nothing[1]} ${ENV-NOTHING}", true);
        assert_eq!(text.unwrap(), "a\n${nothing} ${nothing[1]} ${ENV-NOTHING}");
        assert_eq!(notes.len(), 3);
        assert_eq!(notes[0], "t.yaml:2:1: ${nothing} has no value and is left as it is");
    }

    #[test]
    fn a_wrong_element_and_a_value_of_several_lines_are_refused() {
        let error = |text| apply(text, true).0.unwrap_err().to_string();
        assert_eq!(error("${doc[3]}"), "t.yaml:1:1: property \"doc\" has 3 items, no item 3");
        assert_eq!(error("${host[0]}"), "t.yaml:1:1: property \"host\" is \"h1\", expected a list like [\"a\", \"b\"]");
        assert_eq!(error("\n${lines}"), "t.yaml:2:1: the value of ${lines} has several lines, expected one");
    }
}
