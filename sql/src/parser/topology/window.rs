//! The clauses of a bolt USING WINDOW.

use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::super::reader::Reader;
use super::literal::{duration_ms, positive_duration_ms, whole_number};
use super::set_once;
use crate::error::{Result, SqlError};
use crate::statement::{Window, WindowExtent, WindowForm};

/// The clauses, in the order messages tell them.
const CLAUSES: &[&[&str]] = &[
    &["LENGTH"],
    &["SLIDE"],
    &["TUMBLING"],
    &["SESSION", "GAP"],
    &["TIMESTAMP", "FIELD"],
    &["LAG"],
    &["WATERMARK"],
    &["LATE", "STREAM"],
    &["ALLOWED", "LATENESS"],
    &["IDLE", "TIMEOUT"],
];

/// What has been read of a window.
#[derive(Default)]
pub(super) struct WindowClauses {
    length: Option<Length>,
    step: Option<Step>,
    timestamp_field: Option<Ident>,
    lag_ms: Option<u64>,
    watermark_interval_ms: Option<u64>,
    late_stream: Option<Ident>,
    allowed_lateness_ms: Option<u64>,
    idle_timeout_ms: Option<u64>,
}

struct Length {
    extent: WindowExtent,
    position: usize,
}

/// Which window comes next.
enum Step {
    Slide(WindowExtent),
    Tumbling,
    SessionGap(u64),
}

/// Takes the words of the clause that is next, if it is one of a window.
pub(super) fn clause_words(reader: &mut Reader<'_>) -> Option<String> {
    let words = CLAUSES.iter().find(|words| reader.words(words))?;
    Some(words.join(" "))
}

impl WindowClauses {
    /// Reads a clause after its words, which stand at `position`.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, clause: &str, position: usize) -> Result<()> {
        match clause {
            "LENGTH" => {
                let length = Length { extent: extent(reader, clause)?, position };
                set_once(&mut self.length, length, clause, position)
            }
            "SLIDE" => {
                let slide = Step::Slide(extent(reader, clause)?);
                self.set_step(slide, position)
            }
            "TUMBLING" => self.set_step(Step::Tumbling, position),
            "SESSION GAP" => {
                let gap = Step::SessionGap(positive_duration_ms(reader, clause)?);
                self.set_step(gap, position)
            }
            "TIMESTAMP FIELD" => set_once(&mut self.timestamp_field, reader.identifier()?, clause, position),
            "LAG" => set_once(&mut self.lag_ms, duration_ms(reader, clause)?, clause, position),
            "WATERMARK" => {
                set_once(&mut self.watermark_interval_ms, positive_duration_ms(reader, clause)?, clause, position)
            }
            "LATE STREAM" => set_once(&mut self.late_stream, reader.identifier()?, clause, position),
            "ALLOWED LATENESS" => {
                set_once(&mut self.allowed_lateness_ms, duration_ms(reader, clause)?, clause, position)
            }
            _ => set_once(&mut self.idle_timeout_ms, duration_ms(reader, clause)?, clause, position),
        }
    }

    fn set_step(&mut self, step: Step, position: usize) -> Result<()> {
        if self.step.replace(step).is_some() {
            return Err(SqlError::syntax("a window has one of SLIDE, TUMBLING and SESSION GAP, once").at(position));
        }
        Ok(())
    }

    /// The window of a bolt, whose name stands at `position`.
    pub(super) fn finish(self, bolt: &Ident, position: usize) -> Result<Window> {
        let form = match (self.length, self.step) {
            (Some(length), None) => WindowForm::Sliding { length: length.extent, slide: None },
            (Some(length), Some(Step::Slide(slide))) => {
                WindowForm::Sliding { length: length.extent, slide: Some(slide) }
            }
            (Some(length), Some(Step::Tumbling)) => WindowForm::Tumbling(length.extent),
            (None, Some(Step::SessionGap(gap_ms))) => WindowForm::Session { gap_ms },
            (Some(length), Some(Step::SessionGap(_))) => {
                return Err(SqlError::syntax("a window with SESSION GAP has no LENGTH").at(length.position));
            }
            (None, _) => {
                let message = format!("the window of bolt \"{}\" has no LENGTH and no SESSION GAP", bolt.value);
                return Err(SqlError::syntax(message).at(position));
            }
        };
        Ok(Window {
            form,
            timestamp_field: self.timestamp_field,
            lag_ms: self.lag_ms,
            watermark_interval_ms: self.watermark_interval_ms,
            late_stream: self.late_stream,
            allowed_lateness_ms: self.allowed_lateness_ms,
            idle_timeout_ms: self.idle_timeout_ms,
        })
    }
}

/// `INTERVAL '10 s'` or `100 ROWS`.
fn extent(reader: &mut Reader<'_>, clause: &str) -> Result<WindowExtent> {
    if !matches!(reader.peek().token, Token::Number(..)) {
        return positive_duration_ms(reader, clause).map(WindowExtent::TimeMs);
    }
    let rows = whole_number(reader, clause)?;
    match reader.one_of(&["ROWS", "ROW"]) {
        Some(_) => Ok(WindowExtent::Rows(rows)),
        None => Err(reader.expected("ROWS")),
    }
}
