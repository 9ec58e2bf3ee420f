//! `Reader`: reads one statement word by word, with sqlparser for expressions, queries, names and types.
//!
//! It translates sqlparser's errors into Postgres's: SQLSTATE 42601, `syntax error at or near "x"`, with the place.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{DataType, Expr, Ident, ObjectName, ObjectNamePart, Query, visit_relations};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Word};

use super::RECURSION_LIMIT;
use super::dialect::MonsoonDialect;
use super::reserved::is_reserved;
use crate::error::{Result, SqlError};
use crate::sql_text::SqlText;

/// Reads the tokens of one statement.
pub(super) struct Reader<'a> {
    dialect: &'a MonsoonDialect,
    parser: Parser<'a>,
    /// All tokens; the parser's index counts them (there is no white space among them).
    tokens: Vec<TokenWithSpan>,
    text: &'a SqlText<'a>,
    /// Characters before this statement in what the client sent.
    offset: usize,
    /// Statements around this one.
    depth: usize,
}

impl<'a> Reader<'a> {
    /// A reader of `tokens`, whose spans are places in `text`; they are a statement within `depth` others.
    pub(super) fn new(
        dialect: &'a MonsoonDialect,
        text: &'a SqlText<'a>,
        offset: usize,
        tokens: Vec<TokenWithSpan>,
        depth: usize,
    ) -> Reader<'a> {
        let parser = parser_of(dialect, tokens.clone());
        Reader { dialect, parser, tokens, text, offset, depth }
    }

    /// How many statements are around this one.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Runs a method of sqlparser's.
    pub(super) fn with<T>(
        &mut self,
        parse: impl FnOnce(&mut Parser<'a>) -> std::result::Result<T, ParserError>,
    ) -> Result<T> {
        parse(&mut self.parser).map_err(|error| self.translate(error))
    }

    /// The next token, without taking it.
    pub(super) fn peek(&self) -> &TokenWithSpan {
        self.parser.peek_token_ref()
    }

    /// The n-th token from here, from 0, without taking it.
    pub(super) fn peek_nth(&self, n: usize) -> &TokenWithSpan {
        self.remaining().get(n).unwrap_or_else(|| self.parser.peek_nth_token_ref(n))
    }

    /// The tokens not taken yet.
    pub(super) fn remaining(&self) -> &[TokenWithSpan] {
        self.tokens.get(self.parser.index()..).unwrap_or(&[])
    }

    /// Takes the next token.
    pub(super) fn next(&mut self) -> TokenWithSpan {
        self.parser.next_token()
    }

    /// Whether nothing is left.
    pub(super) fn at_end(&self) -> bool {
        self.peek().token == Token::EOF
    }

    /// Whether the n-th token from here is this unquoted word.
    pub(super) fn nth_is(&self, n: usize, word: &str) -> bool {
        is_word(&self.peek_nth(n).token, word)
    }

    /// Whether the next tokens are these unquoted words.
    pub(super) fn peek_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(n, word)| self.nth_is(n, word))
    }

    /// Takes the next tokens if they are these unquoted words.
    pub(super) fn words(&mut self, words: &[&str]) -> bool {
        let found = self.peek_words(words);
        if found {
            words.iter().for_each(|_| self.parser.advance_token());
        }
        found
    }

    /// Takes the next token if it is this unquoted word.
    pub(super) fn word(&mut self, word: &str) -> bool {
        self.words(&[word])
    }

    /// Takes the next token if it is one of these unquoted words.
    pub(super) fn one_of(&mut self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().find(|word| self.word(word)).copied()
    }

    /// Takes this word, which must be next.
    pub(super) fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.word(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    /// Takes the next token if it is this one.
    pub(super) fn token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    /// Takes this token, which must be next.
    pub(super) fn expect_token(&mut self, token: &Token) -> Result<()> {
        if self.token(token) { Ok(()) } else { Err(self.expected(&token.to_string())) }
    }

    /// Fails unless the statement is over.
    pub(super) fn expect_end(&self) -> Result<()> {
        if self.at_end() { Ok(()) } else { Err(self.near(self.peek())) }
    }

    /// A name of one part, folded as Postgres folds it; not a reserved word.
    pub(super) fn identifier(&mut self) -> Result<Ident> {
        match &self.peek().token {
            Token::Word(word) if usable_as_name(word) => {
                let ident = self.with(|parser| parser.parse_identifier())?;
                Ok(folded(ident))
            }
            _ => Err(self.expected("a name")),
        }
    }

    /// A name of one to three parts, folded.
    pub(super) fn object_name(&mut self) -> Result<ObjectName> {
        let mut parts = vec![ObjectNamePart::Identifier(self.identifier()?)];
        while self.token(&Token::Period) {
            parts.push(ObjectNamePart::Identifier(self.label()?));
        }
        Ok(ObjectName(parts))
    }

    /// A name that may also be a reserved word (after a period, as an option's name).
    pub(super) fn label(&mut self) -> Result<Ident> {
        match &self.peek().token {
            Token::Word(_) => self.with(|parser| parser.parse_identifier()).map(folded),
            _ => Err(self.expected("a name")),
        }
    }

    /// Names separated by commas, in parentheses.
    pub(super) fn parenthesized_identifiers(&mut self) -> Result<Vec<Ident>> {
        self.expect_token(&Token::LParen)?;
        let names = self.comma_separated(Reader::identifier)?;
        self.expect_token(&Token::RParen)?;
        Ok(names)
    }

    /// One or more, separated by commas.
    pub(super) fn comma_separated<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.token(&Token::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `IF NOT EXISTS`, if it is next.
    pub(super) fn if_not_exists(&mut self) -> bool {
        self.words(&["IF", "NOT", "EXISTS"])
    }

    /// An expression.
    pub(super) fn expression(&mut self) -> Result<Expr> {
        self.with(|parser| parser.parse_expr())
    }

    /// A type.
    pub(super) fn data_type(&mut self) -> Result<DataType> {
        self.with(|parser| parser.parse_data_type())
    }

    /// A query with its text.
    pub(super) fn query(&mut self) -> Result<(Box<Query>, String)> {
        let start = self.peek().span.start;
        let query = self.with(|parser| parser.parse_query())?;
        self.check_relations(&query)?;
        let text = self.text_since(start);
        Ok((query, text))
    }

    /// A query that consists of the next `length` tokens, with its text. For clauses of ours that follow a query and
    /// that sqlparser would take for a part of it.
    pub(super) fn query_of(&mut self, length: usize) -> Result<(Box<Query>, String)> {
        let tokens: Vec<TokenWithSpan> = self.remaining().iter().take(length).cloned().collect();
        let start = self.peek().span.start;
        let mut inner = parser_of(self.dialect, tokens);
        let parsed = inner.parse_query().map_err(|error| self.translate_within(error, length))?;
        let read = inner.index().min(length);
        (0..read).for_each(|_| self.parser.advance_token());
        if read < length {
            return Err(self.near(self.peek()));
        }
        self.check_relations(&parsed)?;
        Ok((parsed, self.text_since(start)))
    }

    /// The query that the next `length` tokens are when SELECT is put before them, with its text.
    pub(super) fn select_of(&mut self, length: usize) -> Result<(Box<Query>, String)> {
        let start = self.peek().span.start;
        let span = Span::new(start, start);
        let mut tokens = vec![TokenWithSpan::new(Token::make_keyword("SELECT"), span)];
        tokens.extend(self.remaining().iter().take(length).cloned());
        let mut inner = parser_of(self.dialect, tokens);
        let query = inner.parse_query().map_err(|error| self.translate_within(error, length))?;
        let read = inner.index().saturating_sub(1).min(length);
        (0..read).for_each(|_| self.parser.advance_token());
        self.check_relations(&query)?;
        let text = format!("SELECT {}", self.text_since(start));
        Ok((query, text))
    }

    /// sqlparser takes any word for a relation's name; Postgres doesn't take reserved ones (`FROM order`).
    fn check_relations(&self, query: &Query) -> Result<()> {
        let reserved = visit_relations(query, |name| match name.0.as_slice() {
            [ObjectNamePart::Identifier(ident)] if ident.quote_style.is_none() && is_reserved(&ident.value) => {
                ControlFlow::Break(ident.span.start)
            }
            _ => ControlFlow::Continue(()),
        });
        match reserved {
            ControlFlow::Break(location) => Err(self.near_location(location)),
            ControlFlow::Continue(()) => Ok(()),
        }
    }

    /// A literal string.
    pub(super) fn string(&mut self) -> Result<String> {
        match &self.peek().token {
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => {
                let text = text.clone();
                self.parser.advance_token();
                Ok(text)
            }
            Token::DollarQuotedString(quoted) => {
                let text = quoted.value.clone();
                self.parser.advance_token();
                Ok(text)
            }
            _ => Err(self.expected("a string")),
        }
    }

    /// The text from `start` to the last token taken.
    pub(super) fn text_since(&self, start: Location) -> String {
        self.text.slice(start, self.parser.get_current_token().span.end).to_owned()
    }

    /// The rest of the statement: its text, the characters before it in what the client sent, its tokens.
    pub(super) fn rest(&mut self) -> (String, usize, Vec<TokenWithSpan>) {
        let start = self.peek().span.start;
        let mut tokens = Vec::new();
        while !self.at_end() {
            tokens.push(self.next());
        }
        let Some(last) = tokens.last() else {
            return (String::new(), self.offset + self.text.length_chars(), tokens);
        };
        let text = self.text.slice(start, last.span.end).to_owned();
        (text, self.offset + self.text.char_offset(start), tokens)
    }

    /// Characters of the statement before the next token.
    pub(super) fn chars_before(&self) -> usize {
        self.text.char_offset(self.peek().span.start)
    }

    /// Place of a token in what the client sent, in characters from 1.
    pub(super) fn position(&self, token: &TokenWithSpan) -> usize {
        self.offset + self.text.char_offset(token.span.start) + 1
    }

    /// The next token is not what must stand here.
    pub(super) fn expected(&self, what: &str) -> SqlError {
        self.near(self.peek()).with_detail(format!("expected {what}"))
    }

    /// Something that is understood but not supported, at the next token.
    pub(super) fn unsupported(&self, message: impl Into<String>) -> SqlError {
        SqlError::unsupported(message).at(self.position(self.peek()))
    }

    /// `syntax error at or near "token"`.
    fn near(&self, token: &TokenWithSpan) -> SqlError {
        if token.token == Token::EOF {
            return self.at_end_of_input();
        }
        let text = self.text.slice(token.span.start, token.span.end);
        SqlError::syntax(format!("syntax error at or near \"{text}\"")).at(self.position(token))
    }

    fn at_end_of_input(&self) -> SqlError {
        SqlError::syntax("syntax error at end of input").at(self.offset + self.text.length_chars() + 1)
    }

    /// The error of a parser that saw only the next `length` tokens: where its input ended, ours may go on.
    fn translate_within(&self, error: ParserError, length: usize) -> SqlError {
        match &error {
            ParserError::ParserError(message) if message.ends_with("found: EOF") => {
                let detail = message.strip_suffix(", found: EOF").unwrap_or(message).replace("Expected: ", "expected ");
                self.near(self.peek_nth(length)).with_detail(detail)
            }
            _ => self.translate(error),
        }
    }

    fn translate(&self, error: ParserError) -> SqlError {
        let message = match error {
            ParserError::RecursionLimitExceeded => return too_complex(),
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        };
        let (message, location) = split_location(&message);
        let expected = message
            .split_once(", found:")
            .and_then(|(expected, _)| expected.strip_prefix("Expected: "))
            .map(|expected| format!("expected {expected}"));
        let error = match location {
            Some(location) => self.near_location(location),
            None if message.ends_with("found: EOF") => self.at_end_of_input(),
            None => self.near(self.peek()),
        };
        error.with_detail(expected.unwrap_or_else(|| message.to_owned()))
    }

    /// The syntax error at the token that starts at `location`.
    fn near_location(&self, location: Location) -> SqlError {
        let start = self.text.char_offset(location);
        let rest = &self.text.as_str()[self.text.byte_offset(start)..];
        let position = self.offset + start + 1;
        match first_token_length(rest) {
            0 => self.at_end_of_input(),
            length => SqlError::syntax(format!("syntax error at or near \"{}\"", &rest[..length])).at(position),
        }
    }
}

fn parser_of(dialect: &MonsoonDialect, tokens: Vec<TokenWithSpan>) -> Parser<'_> {
    Parser::new(dialect).with_recursion_limit(RECURSION_LIMIT).with_tokens_with_locations(tokens)
}

/// Bytes of the first token of `text`, as an error message shows it.
fn first_token_length(text: &str) -> usize {
    let mut characters = text.char_indices();
    let Some((_, first)) = characters.next() else { return 0 };
    let is_word = |character: char| character.is_alphanumeric() || character == '_' || character == '$';
    let end = match first {
        '\'' | '"' => {
            characters.find(|(_, character)| *character == first).map(|(byte, quote)| byte + quote.len_utf8())
        }
        first if is_word(first) => characters.find(|(_, character)| !is_word(*character)).map(|(byte, _)| byte),
        first => Some(first.len_utf8()),
    };
    end.unwrap_or(text.len())
}

/// Splits ` at Line: 1, Column: 2` off a message of sqlparser's.
fn split_location(message: &str) -> (&str, Option<Location>) {
    let Some((before, place)) = message.rsplit_once(" at Line: ") else {
        return (message, None);
    };
    let location = place
        .split_once(", Column: ")
        .and_then(|(line, column)| Some(Location::new(line.trim().parse().ok()?, column.trim().parse().ok()?)));
    match location {
        Some(location) => (before, Some(location)),
        None => (message, None),
    }
}

/// Nested too deeply, or too much to try (54001).
pub(super) fn too_complex() -> SqlError {
    SqlError::new("54001", "the statement is nested too deeply")
        .with_detail(format!("expressions and queries may be nested {RECURSION_LIMIT} levels deep"))
        .with_hint("split the query with WITH or with views")
}

/// Whether a token is this word, unquoted, in any case.
pub(super) fn is_word(token: &Token, expected: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected))
}

fn usable_as_name(word: &Word) -> bool {
    match word.quote_style {
        Some(_) => !word.value.is_empty(),
        None => !is_reserved(&word.value),
    }
}

/// The identifier as Postgres stores it: lower case unless quoted.
pub(super) fn folded(mut ident: Ident) -> Ident {
    if ident.quote_style.is_none() {
        ident.value = ident.value.to_lowercase();
    }
    ident
}

/// Every part folded.
pub(super) fn folded_name(name: ObjectName) -> ObjectName {
    let fold = |part| match part {
        ObjectNamePart::Identifier(ident) => ObjectNamePart::Identifier(folded(ident)),
        function => function,
    };
    ObjectName(name.0.into_iter().map(fold).collect())
}
