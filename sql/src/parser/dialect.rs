//! `MonsoonDialect`: sqlparser's Postgres dialect, with a bound on the work one statement may cost.
//!
//! sqlparser tries alternatives by going back. On nested input that multiplies: Postgres's own dialect tries every
//! function argument twice, so thirty nested calls would keep a core busy for minutes. Two answers: named arguments are
//! told by their name alone, and every expression prefix takes one unit from a budget; when it is used up, the
//! parser stops with its recursion error, which it never goes back from.
//!
//! sqlparser's own limit of depth doesn't count `INTERVAL INTERVAL ...`, each of which is a level of recursion; we do.

use std::any::TypeId;
use std::cell::Cell;

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};

use super::reader::is_word;

/// Prefixes that any statement may try.
const PREFIXES_MIN: usize = 20_000;
/// And as many more for each token.
const PREFIXES_PER_TOKEN: usize = 20;

/// INTERVALs within each other's value.
const NESTED_INTERVALS_MAX: usize = 10;

/// The dialect of one statement.
#[derive(Debug)]
pub struct MonsoonDialect {
    postgres: PostgreSqlDialect,
    budget: Cell<usize>,
    /// INTERVALs being read.
    intervals: Cell<usize>,
    /// The INTERVAL that is next has been counted: sqlparser may read it.
    is_counted: Cell<bool>,
}

impl MonsoonDialect {
    /// A dialect for a statement of so many tokens.
    pub fn new(tokens: usize) -> MonsoonDialect {
        let budget = PREFIXES_MIN.saturating_add(tokens.saturating_mul(PREFIXES_PER_TOKEN));
        MonsoonDialect {
            postgres: PostgreSqlDialect {},
            budget: Cell::new(budget),
            intervals: Cell::new(0),
            is_counted: Cell::new(false),
        }
    }

    /// Reads an INTERVAL with sqlparser, one level deeper.
    fn parse_interval(&self, parser: &mut Parser) -> Result<Expr, ParserError> {
        let depth = self.intervals.get();
        if depth == NESTED_INTERVALS_MAX {
            return Err(ParserError::RecursionLimitExceeded);
        }
        self.intervals.set(depth + 1);
        self.is_counted.set(true);
        let parsed = parser.parse_prefix();
        self.intervals.set(depth);
        parsed
    }
}

/// Methods that answer what Postgres's dialect answers.
macro_rules! as_postgres {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&self $(, $argument: $type)*) -> $result {
            self.postgres.$name($($argument),*)
        })*
    };
}

impl Dialect for MonsoonDialect {
    fn dialect(&self) -> TypeId {
        self.postgres.dialect()
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        if self.is_counted.take() {
            return None;
        }
        let Some(left) = self.budget.get().checked_sub(1) else {
            return Some(Err(ParserError::RecursionLimitExceeded));
        };
        self.budget.set(left);
        is_word(&parser.peek_token_ref().token, "INTERVAL").then(|| self.parse_interval(parser))
    }

    /// See the top of the file.
    fn supports_named_fn_args_with_expr_name(&self) -> bool {
        false
    }

    /// A comment is never read as a hint.
    fn supports_comment_optimizer_hint(&self) -> bool {
        false
    }

    as_postgres! {
        identifier_quote_style(identifier: &str) -> Option<char>;
        is_delimited_identifier_start(ch: char) -> bool;
        is_identifier_start(ch: char) -> bool;
        is_identifier_part(ch: char) -> bool;
        supports_unicode_string_literal() -> bool;
        is_reserved_for_identifier(kw: Keyword) -> bool;
        is_custom_operator_part(ch: char) -> bool;
        get_next_precedence(parser: &Parser) -> Option<Result<u8, ParserError>>;
        supports_filter_during_aggregation() -> bool;
        supports_group_by_expr() -> bool;
        prec_value(prec: Precedence) -> u8;
        allow_extract_custom() -> bool;
        allow_extract_single_quotes() -> bool;
        supports_create_index_with_clause() -> bool;
        supports_explain_with_utility_options() -> bool;
        supports_listen_notify() -> bool;
        supports_factorial_operator() -> bool;
        supports_bitwise_shift_operators() -> bool;
        supports_comment_on() -> bool;
        supports_load_extension() -> bool;
        supports_named_fn_args_with_colon_operator() -> bool;
        supports_empty_projections() -> bool;
        supports_nested_comments() -> bool;
        supports_string_escape_constant() -> bool;
        supports_numeric_literal_underscores() -> bool;
        supports_array_typedef_with_brackets() -> bool;
        supports_geometric_types() -> bool;
        supports_set_names() -> bool;
        supports_alter_column_type_using() -> bool;
        supports_notnull_operator() -> bool;
        supports_interval_options() -> bool;
        supports_insert_table_alias() -> bool;
        supports_create_table_like_parenthesized() -> bool;
        supports_select_wildcard_with_alias() -> bool;
        supports_comma_separated_trim() -> bool;
        supports_xml_expressions() -> bool;
    }
}
