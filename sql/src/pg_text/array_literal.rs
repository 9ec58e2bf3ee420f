//! `{1,NULL,"a b"}`: the elements of an array in Postgres's text format.

/// The elements' texts, `None` for NULL. With `nested` an element that is an array itself keeps its braces. `None` if
/// the text is not an array.
pub(super) fn parse(text: &str, nested: bool) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut reader = Elements { rest: inner.trim_start(), nested };
    let mut elements = Vec::new();
    if reader.rest.is_empty() {
        return Some(elements);
    }
    loop {
        elements.push(reader.element()?);
        reader.rest = reader.rest.trim_start();
        if reader.rest.is_empty() {
            return Some(elements);
        }
        reader.rest = reader.rest.strip_prefix(',')?.trim_start();
    }
}

struct Elements<'a> {
    rest: &'a str,
    nested: bool,
}

impl Elements<'_> {
    fn element(&mut self) -> Option<Option<String>> {
        match self.rest.chars().next()? {
            '"' => self.quoted().map(Some),
            '{' if self.nested => self.braced().map(Some),
            '{' | '}' => None,
            _ => self.plain(),
        }
    }

    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(characters.next()?.1),
                other => value.push(other),
            }
        }
        None
    }

    /// An inner array, with its braces.
    fn braced(&mut self) -> Option<String> {
        let (mut depth, mut in_quotes) = (0usize, false);
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => {
                    characters.next()?;
                }
                '"' => in_quotes = !in_quotes,
                '{' if !in_quotes => depth += 1,
                '}' if !in_quotes => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        let (inner, rest) = self.rest.split_at(at + 1);
                        self.rest = rest;
                        return Some(inner.to_owned());
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn plain(&mut self) -> Option<Option<String>> {
        let mut value = String::new();
        let mut is_escaped = false;
        let mut end = self.rest.len();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                ',' => {
                    end = at;
                    break;
                }
                '"' | '{' | '}' => return None,
                '\\' => {
                    is_escaped = true;
                    value.push(characters.next()?.1);
                }
                other => value.push(other),
            }
        }
        self.rest = &self.rest[end..];
        let value = if is_escaped { value.as_str() } else { value.trim_end() };
        match value {
            "" => None,
            null if !is_escaped && null.eq_ignore_ascii_case("null") => Some(None),
            value => Some(Some(value.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn shown(text: &str, nested: bool) -> String {
        match parse(text, nested) {
            None => "malformed".to_owned(),
            Some(elements) => {
                elements.iter().map(|element| element.as_deref().unwrap_or("<null>")).collect::<Vec<_>>().join("|")
            }
        }
    }

    #[test]
    fn elements_are_split_and_unquoted() {
        let cases = [
            ("{}", ""),
            ("{1,2}", "1|2"),
            (" { 1 , 2 } ", "1|2"),
            ("{a b,NULL,null}", "a b|<null>|<null>"),
            ("{\"NULL\",\"a\\\"b\",\"\"}", "NULL|a\"b|"),
            ("{a\\,b}", "a,b"),
            ("1,2", "malformed"),
            ("{1,}", "malformed"),
            ("{\"a}", "malformed"),
            ("{{1},{2}}", "malformed"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text, false), expected, "{text}");
        }
        assert_eq!(shown("{{1,2},{\"}\"}}", true), "{1,2}|{\"}\"}");
    }
}
