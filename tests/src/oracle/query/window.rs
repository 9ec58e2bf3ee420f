//! Event-time windows. The reference says the same with `date_bin`, without our functions.

use super::aggregate::Need;
use super::{Column, Generator, Item, Kind, Named, Query, Source};

/// Rows by window.
pub(super) struct Windows {
    pub source: Source,
    /// Length of a window.
    size_s: i64,
}

/// Groups per window.
struct PerWindow {
    query: Query,
    /// Whether the window of a group is over, as a condition on the query's first column.
    is_over: String,
}

impl Generator<'_> {
    /// TUMBLE or HOP over the timed stream.
    pub(super) fn windows(&mut self) -> Windows {
        let alias = self.name("a");
        let (stream, time) = (self.timed.name.clone(), "ts");
        let slide_s = *self.random.pick(&[2_i64, 5, 10]);
        let offset_s = if self.random.one_in(4) { self.random.between(1, slide_s) } else { 0 };
        let offset = if offset_s > 0 { format!(", INTERVAL '{offset_s} seconds'") } else { String::new() };
        let (size_s, monsoon) = if self.random.one_in(2) {
            (slide_s, format!("TUMBLE({stream}, {time}, INTERVAL '{slide_s} seconds'{offset})"))
        } else {
            // Not always a multiple of the slide, and sometimes smaller.
            let size_s = if self.random.one_in(3) {
                self.random.between(1, 3 * slide_s)
            } else {
                slide_s * self.random.between(2, 3)
            };
            (
                size_s,
                format!("HOP({stream}, {time}, INTERVAL '{slide_s} seconds', INTERVAL '{size_s} seconds'{offset})"),
            )
        };
        let bin = format!(
            "date_bin(INTERVAL '{slide_s} seconds', {time}, TIMESTAMP '1970-01-01 00:00:00' + INTERVAL '{offset_s} seconds')"
        );
        let piece = |back: i64| {
            let start = format!("{bin} - INTERVAL '{} seconds'", back * slide_s);
            let end = format!("{start} + INTERVAL '{size_s} seconds'");
            format!(
                "SELECT *, {start} AS window_start, {end} AS window_end FROM {stream} WHERE {time} IS NOT NULL AND {time} < {end}"
            )
        };
        let windows_per_row = (size_s + slide_s - 1) / slide_s;
        let reference: Vec<String> = (0..windows_per_row).map(piece).collect();
        let token = self.substitute(monsoon, format!("({})", reference.join(" UNION ALL ")));
        let mut columns = self.timed.columns.clone();
        for name in ["window_start", "window_end"] {
            columns.push(Column { name: name.to_owned(), kind: Kind::Moment });
        }
        Windows { source: super::aliased(token, &columns, &alias), size_s }
    }

    /// A query over windows: rows as they are, groups per window, or groups of those.
    pub(super) fn windowed(&mut self) -> Query {
        let windows = self.windows();
        match self.random.below(6) {
            0 | 1 => {
                let items = self.items(&windows.source.scope);
                let filter = self.maybe_where(&windows.source.scope);
                self.selected(items, &windows.source, &filter)
            }
            2 => {
                let inner = self.per_window(&windows).query;
                let text = format!("({})", inner.text);
                self.over_windows(&inner, text)
            }
            3 => self.truncated().query,
            _ => self.per_window(&windows).query,
        }
    }

    /// EMIT ON WINDOW CLOSE, and what DataFusion is asked instead.
    pub(super) fn emitting(&mut self) -> (Query, String) {
        let per_window = match self.random.below(5) {
            0 => self.truncated(),
            _ => {
                let windows = self.windows();
                self.per_window(&windows)
            }
        };
        let closed = format!("SELECT * FROM ({}) WHERE {}", per_window.query.text, per_window.is_over);
        if !self.random.one_in(4) {
            return (per_window.query, closed);
        }
        // Nothing comes from the inner groups before their windows are over.
        let token = self.substitute(format!("({})", per_window.query.text), format!("({closed})"));
        let query = self.over_windows(&per_window.query, token);
        let reference = query.text.clone();
        (query, reference)
    }

    /// Groups per window; the end of the window, or else its start, is the first column.
    fn per_window(&mut self, windows: &Windows) -> PerWindow {
        let source = &windows.source;
        let bound =
            |name: &str| source.scope.iter().find(|named| named.text.ends_with(name)).map(|named| named.text.clone());
        let (start, end) = (bound("window_start").unwrap_or_default(), bound("window_end").unwrap_or_default());
        let groups = match self.random.below(5) {
            0 => vec![start],
            1 => vec![end],
            _ => vec![end, start],
        };
        self.per_group(source, groups, windows.size_s)
    }

    /// Groups of the timed stream by a moment that is cut off: windows without a window function.
    fn truncated(&mut self) -> PerWindow {
        let alias = self.name("a");
        let source = super::aliased(self.timed.name.clone(), &self.timed.columns.clone(), &alias);
        let (start, size_s) = match self.random.below(3) {
            0 => (format!("date_trunc('second', {alias}.ts)"), 1),
            1 => (format!("date_trunc('minute', {alias}.ts)"), 60),
            _ => (format!("date_bin(INTERVAL '5 seconds', {alias}.ts)"), 5),
        };
        self.per_group(&source, vec![start], size_s)
    }

    fn per_group(&mut self, source: &Source, mut groups: Vec<String>, size_s: i64) -> PerWindow {
        let mut items: Vec<Item> = groups.iter().map(|text| Item { text: text.clone(), kind: Kind::Moment }).collect();
        if self.random.one_in(2) {
            let column = self.column(&source.scope);
            // By the moment and its window is by the moment alone, to DataFusion's optimiser and so to Monsoon.
            if !groups.iter().any(|group| group.contains(&column.text)) {
                groups.push(column.text.clone());
                items.push(column);
            }
        }
        let scope: Vec<Named> = source.scope.clone();
        for _ in 0..=self.random.below(3) {
            items.push(self.aggregate(&scope, Need::Any));
        }
        let filter = self.maybe_where(&scope);
        let having = self.maybe_having(&scope);
        let mut query = self.selected(items, source, &filter);
        query.text = format!("{} GROUP BY {}{having}", query.text, groups.join(", "));
        let first = &query.columns[0].name;
        let is_over = match groups[0].ends_with("window_end") {
            true => format!("{first} <= @WATERMARK"),
            false => format!("{first} + INTERVAL '{size_s} seconds' <= @WATERMARK"),
        };
        PerWindow { query, is_over }
    }

    /// Groups of groups per window, by window or not.
    fn over_windows(&mut self, inner: &Query, text: String) -> Query {
        let alias = self.name("a");
        let source = super::aliased(text, &inner.columns, &alias);
        let mut items = vec![Item { text: source.scope[0].text.clone(), kind: Kind::Moment }];
        if self.random.one_in(3) {
            items[0] = self.column(&source.scope);
        }
        let by = items[0].text.clone();
        for _ in 0..=self.random.below(2) {
            items.push(self.aggregate(&source.scope, Need::Any));
        }
        let mut query = self.selected(items, &source, "");
        query.text = format!("{} GROUP BY {by}", query.text);
        query
    }
}
