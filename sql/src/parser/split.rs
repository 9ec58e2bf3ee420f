//! Cuts what a client sent into statements, at semicolons, and bounds how deep one of them can become.

use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::reader::is_word;
use crate::error::{Result, SqlError};
use crate::sql_text::SqlText;

/// Operators in a row (`a AND b AND c ...`) make a left-deep tree one level deeper each. The trees are dropped, cloned
/// and planned by recursion, on stacks of 2 MiB.
const CHAIN_OPERATORS_MAX: usize = 500;
/// Brackets within brackets.
const NESTED_BRACKETS_MAX: usize = 200;

/// The tokens of one statement.
pub(super) struct Part {
    /// The statement's text, without the semicolon and without comments around it.
    pub(super) text: String,
    /// Characters before it.
    pub(super) offset: usize,
    /// Its tokens, with their places in `text`; no white space.
    pub(super) tokens: Vec<TokenWithSpan>,
}

/// Cuts at semicolons; empty statements vanish. The statements within `CREATE TOPOLOGY ... AS BEGIN ...; END` stay
/// together.
pub(super) fn split(text: &SqlText<'_>, tokens: Vec<TokenWithSpan>) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut current: Vec<TokenWithSpan> = Vec::new();
    // Where in `current` the statement begins that is being read within a body.
    let mut inner_start = None;
    for token in tokens {
        match token.token {
            Token::SemiColon => {
                let start = inner_start.or_else(|| body_start(&current));
                let is_open = |start: &usize| !current.get(*start).is_some_and(|first| is_word(&first.token, "END"));
                if start.filter(is_open).is_some() {
                    current.push(token);
                    inner_start = Some(current.len());
                } else {
                    parts.extend(finish(text, std::mem::take(&mut current))?);
                    inner_start = None;
                }
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => current.push(token),
        }
    }
    parts.extend(finish(text, current)?);
    Ok(parts)
}

/// Where the first statement of the body begins, if this is the start of `CREATE TOPOLOGY ... AS BEGIN ...; END`.
fn body_start(tokens: &[TokenWithSpan]) -> Option<usize> {
    if !creates_topology(tokens) {
        return None;
    }
    // Within brackets `AS begin` gives a column a name.
    let mut depth = 0usize;
    let ends_head = |token: &TokenWithSpan| {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && is_word(&token.token, "AS")
    };
    let body = tokens.iter().position(ends_head)? + 1;
    tokens.get(body).is_some_and(|first| is_word(&first.token, "BEGIN")).then_some(body + 1)
}

/// Whether these tokens start with CREATE [OR REPLACE] TOPOLOGY.
fn creates_topology(tokens: &[TokenWithSpan]) -> bool {
    let starts_with = |words: &[&str]| {
        tokens.len() >= words.len() && words.iter().zip(tokens).all(|(word, token)| is_word(&token.token, word))
    };
    starts_with(&["CREATE", "TOPOLOGY"]) || starts_with(&["CREATE", "OR", "REPLACE", "TOPOLOGY"])
}

fn finish(text: &SqlText<'_>, mut tokens: Vec<TokenWithSpan>) -> Result<Option<Part>> {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
        return Ok(None);
    };
    check_chains(text, &tokens)?;
    let (start, end) = (first.span.start, last.span.end);
    let part_text = text.slice(start, end).to_owned();
    rebase(&mut tokens, start);
    normalize(&mut tokens);
    Ok(Some(Part { text: part_text, offset: text.char_offset(start), tokens }))
}

/// Makes the places of `tokens` relative to `start`.
pub(super) fn rebase(tokens: &mut [TokenWithSpan], start: Location) {
    let move_location = |location: &mut Location| {
        if location.line == start.line {
            location.column = location.column.saturating_sub(start.column) + 1;
        }
        location.line = location.line.saturating_sub(start.line) + 1;
    };
    for token in tokens {
        move_location(&mut token.span.start);
        move_location(&mut token.span.end);
    }
}

/// Functions whose first argument Flink writes as `TABLE name`.
const WINDOW_FUNCTIONS: &[&str] = &["TUMBLE", "HOP", "SESSION", "CUMULATE"];

/// Makes what sqlparser doesn't read into what it reads.
pub(super) fn normalize(tokens: &mut Vec<TokenWithSpan>) {
    drop_table_word(tokens);
    add_parentheses(tokens);
}

/// `current_schema` and `current_role` are calls without parentheses.
fn add_parentheses(tokens: &mut Vec<TokenWithSpan>) {
    let is_bare_call = |n: usize, tokens: &[TokenWithSpan]| {
        let is_name = ["current_schema", "current_role"].iter().any(|word| is_word(&tokens[n].token, word));
        let follows_period = n > 0 && tokens[n - 1].token == Token::Period;
        let is_called = tokens.get(n + 1).is_some_and(|next| next.token == Token::LParen);
        is_name && !follows_period && !is_called
    };
    for n in (0..tokens.len()).rev() {
        if is_bare_call(n, tokens) {
            let span = Span::new(tokens[n].span.end, tokens[n].span.end);
            tokens.insert(n + 1, TokenWithSpan::new(Token::RParen, span));
            tokens.insert(n + 1, TokenWithSpan::new(Token::LParen, span));
        }
    }
}

/// Takes the word TABLE out of `TUMBLE(TABLE bids, ...)` and `TUMBLE(DATA => TABLE bids, ...)`: sqlparser reads arguments
/// as expressions, and the name alone is one.
fn drop_table_word(tokens: &mut Vec<TokenWithSpan>) {
    let is_table_argument = |n: usize, tokens: &[TokenWithSpan]| {
        let before = |back: usize| n.checked_sub(back).map(|at| &tokens[at].token);
        let follows_name = before(2).is_some_and(|token| WINDOW_FUNCTIONS.iter().any(|word| is_word(token, word)))
            && before(1) == Some(&Token::LParen);
        let follows_data = before(1) == Some(&Token::RArrow) && before(2).is_some_and(|token| is_word(token, "DATA"));
        is_word(&tokens[n].token, "TABLE") && (follows_name || follows_data)
    };
    let kept: Vec<bool> = (0..tokens.len()).map(|n| !is_table_argument(n, tokens)).collect();
    let mut kept = kept.into_iter();
    tokens.retain(|_| kept.next().unwrap_or(true));
}

/// How deep the tree of what stands between two commas or semicolons can be.
#[derive(Default, Clone, Copy)]
struct Chain {
    /// AND, OR, UNION, ...: each may be one level.
    connectives: usize,
    /// Other operators since the last of those.
    operators: usize,
    /// The most operators between two connectives.
    operators_max: usize,
}

impl Chain {
    fn take(&mut self, token: &Token) {
        if matches!(token, Token::Comma | Token::SemiColon) {
            *self = Chain::default();
        } else if is_connective(token) {
            self.connectives += 1;
            self.operators = 0;
        } else if is_operator(token) {
            self.operators += 1;
            self.operators_max = self.operators_max.max(self.operators);
        }
    }

    fn depth(self) -> usize {
        self.connectives + self.operators_max
    }
}

/// Refuses statements whose syntax tree would be too deep to walk (54001).
pub(super) fn check_chains(text: &SqlText<'_>, tokens: &[TokenWithSpan]) -> Result<()> {
    let mut chains = vec![Chain::default()];
    let is_topology = creates_topology(tokens);
    for token in tokens {
        match &token.token {
            // Components stand side by side, whatever their number; every expression in them is within brackets.
            component if is_topology && chains.len() == 1 && starts_component(component) => {
                chains[0] = Chain::default()
            }
            Token::LParen | Token::LBracket => chains.push(Chain::default()),
            Token::RParen | Token::RBracket if chains.len() > 1 => {
                chains.pop();
            }
            _ => {}
        }
        let brackets = chains.len();
        let Some(chain) = chains.last_mut() else { continue };
        chain.take(&token.token);
        if chain.depth() > CHAIN_OPERATORS_MAX || brackets > NESTED_BRACKETS_MAX {
            let position = text.char_offset(token.span.start) + 1;
            return Err(too_long(chain.depth()).at(position));
        }
    }
    Ok(())
}

fn starts_component(token: &Token) -> bool {
    is_word(token, "SPOUT") || is_word(token, "BOLT")
}

fn too_long(operators: usize) -> SqlError {
    let limit = if operators > CHAIN_OPERATORS_MAX {
        format!("more than {CHAIN_OPERATORS_MAX} operators in one expression or query")
    } else {
        format!("more than {NESTED_BRACKETS_MAX} brackets within each other")
    };
    SqlError::new("54001", "the statement is too complex")
        .with_detail(limit)
        .with_hint("use IN (...) or a join with VALUES")
}

fn is_connective(token: &Token) -> bool {
    ["and", "or", "union", "intersect", "except"].iter().any(|word| is_word(token, word))
}

/// Whether a token can make an expression longer. Closing brackets count: `a[1][1]`, `f(1)(1)`.
fn is_operator(token: &Token) -> bool {
    const WORDS: &[&str] = &[
        "is", "like", "ilike", "between", "collate", "at", "similar", "not", "in", "isnull", "notnull", "overlaps",
        "xor", "div", "regexp", "rlike", "operator",
    ];
    match token {
        Token::Word(_) => WORDS.iter().any(|word| is_word(token, word)),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::Placeholder(_)
        | Token::Period
        | Token::LParen
        | Token::LBracket
        | Token::Comma => false,
        _ => true,
    }
}
