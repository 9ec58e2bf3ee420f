//! Event-time windows. The reference says the same with `date_bin`, without our functions.

use super::aggregate::Need;
use super::{Column, Generator, Item, Kind, Named, Query, Source};

impl Generator<'_> {
    /// TUMBLE or HOP over the timed stream.
    fn window_source(&mut self) -> Source {
        let alias = self.name("a");
        let token = format!("@{}@", self.name("W"));
        let (stream, time) = (self.timed.name.clone(), "ts");
        let slide = *self.random.pick(&[2_i64, 5, 10]);
        let start = |back: i64| format!("date_bin(INTERVAL '{slide} seconds', {time}) - INTERVAL '{back} seconds'");
        let piece = |back: i64, size: i64| {
            format!(
                "SELECT *, {} AS window_start, {} + INTERVAL '{size} seconds' AS window_end FROM {stream} WHERE {time} IS NOT NULL",
                start(back),
                start(back)
            )
        };
        let (monsoon, reference) = if self.random.one_in(2) {
            (format!("TUMBLE({stream}, {time}, INTERVAL '{slide} seconds')"), piece(0, slide))
        } else {
            let windows = self.random.between(2, 3);
            let size = slide * windows;
            let pieces: Vec<String> = (0..windows).map(|back| piece(back * slide, size)).collect();
            let call = format!("HOP({stream}, {time}, INTERVAL '{slide} seconds', INTERVAL '{size} seconds')");
            (call, pieces.join(" UNION ALL "))
        };
        self.windows.push((token.clone(), monsoon, format!("({reference})")));
        let mut columns = self.timed.columns.clone();
        for name in ["window_start", "window_end"] {
            columns.push(Column { name: name.to_owned(), kind: Kind::Moment });
        }
        super::aliased(token, &columns, &alias)
    }

    /// A query over windows: rows as they are, or groups per window.
    pub(super) fn windowed(&mut self) -> Query {
        let source = self.window_source();
        if self.random.one_in(4) {
            let items = self.items(&source.scope);
            let filter = self.maybe_where(&source.scope);
            return self.selected(items, &source, &filter);
        }
        self.per_window(&source)
    }

    /// EMIT ON WINDOW CLOSE, and what DataFusion is asked instead.
    pub(super) fn emitting(&mut self) -> (Query, String) {
        let source = self.window_source();
        let query = self.per_window(&source);
        let end = &query.columns[0].name;
        let reference = format!("SELECT * FROM ({}) WHERE {end} <= @WATERMARK", query.text);
        (query, reference)
    }

    /// Groups per window; the end of the window is the first column.
    fn per_window(&mut self, source: &Source) -> Query {
        let bound = |name: &str| source.scope.iter().find(|named| named.text.ends_with(name)).map(|named| named.text.clone());
        let (start, end) = (bound("window_start").unwrap_or_default(), bound("window_end").unwrap_or_default());
        let mut groups = vec![end, start];
        let mut items: Vec<Item> = groups.iter().map(|text| Item { text: text.clone(), kind: Kind::Moment }).collect();
        if self.random.one_in(2) {
            let column = self.column(&source.scope);
            if !groups.contains(&column.text) {
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
        query
    }
}
