//! Queries by seed: every form a view's query may take, over relations, earlier views, and each other.
//!
//! Two rules keep answers determined: order-dependent parts order by every column they can see, and values that depend on
//! the order of additions ([`Kind::Opaque`]) are only ever shown, never computed with.

mod aggregate;
mod expression;
mod join;
mod ranking;
mod select;
mod subquery;
mod window;

use monsoon_circuit::RelationId;

use super::column::{Column, Kind};
use super::random::Random;
use super::view::Definition;
use super::world::{Form, World};

/// Number of the first view.
const FIRST_VIEW: u32 = 101;

/// The views of a seed, one to three; later ones may read earlier ones.
pub fn define_views(world: &World, random: &mut Random) -> Vec<Definition> {
    let mut generator = Generator::new(world, random);
    let count = *generator.random.pick(&[1, 2, 2, 3]);
    for place in 0..count {
        let definition = generator.define(FIRST_VIEW + place);
        let readable = Readable { name: definition.name.clone(), columns: definition.columns.clone() };
        generator.readable.push(readable);
        generator.views.push(definition);
    }
    generator.views
}

/// A relation or view that a query may name.
#[derive(Debug, Clone)]
struct Readable {
    name: String,
    columns: Vec<Column>,
}

/// A column that an expression may name.
#[derive(Debug, Clone)]
struct Named {
    text: String,
    kind: Kind,
}

/// An item of FROM, with its alias, and what it brings into scope.
#[derive(Debug, Clone)]
struct Source {
    text: String,
    scope: Vec<Named>,
}

/// A query and its columns.
#[derive(Debug, Clone)]
struct Query {
    text: String,
    columns: Vec<Column>,
}

/// A column of a SELECT list.
#[derive(Debug, Clone)]
struct Item {
    text: String,
    kind: Kind,
}

struct Generator<'a> {
    random: &'a mut Random,
    readable: Vec<Readable>,
    views: Vec<Definition>,
    /// The timed stream.
    timed: Readable,
    /// Window functions: what stands in the text, what Monsoon is given, what DataFusion is given.
    windows: Vec<(String, String, String)>,
    names: usize,
}

impl<'a> Generator<'a> {
    fn new(world: &World, random: &'a mut Random) -> Generator<'a> {
        let readable = |base: &super::world::Base| Readable { name: base.name.clone(), columns: base.columns.clone() };
        let timed = world.bases.iter().find(|base| matches!(base.form, Form::Timed(_))).unwrap_or(&world.bases[0]);
        let timed = readable(timed);
        let readable = world.bases.iter().map(readable).collect();
        Generator { random, readable, views: Vec::new(), timed, windows: Vec::new(), names: 0 }
    }

    fn define(&mut self, number: u32) -> Definition {
        let emits = self.random.one_in(10);
        let depth = self.random.below(3);
        let (query, reference) = if emits {
            self.emitting()
        } else {
            let query = self.query(depth);
            let reference = query.text.clone();
            (query, reference)
        };
        let windows = std::mem::take(&mut self.windows);
        let fill = |text: &str, which: fn(&(String, String, String)) -> &String| {
            windows.iter().rev().fold(text.to_owned(), |text, window| text.replace(&window.0, which(window)))
        };
        Definition {
            id: RelationId(number),
            name: format!("v{}", number - FIRST_VIEW + 1),
            sql: fill(&query.text, |window| &window.1),
            emit_on_window_close: emits,
            reference: fill(&reference, |window| &window.2),
            columns: query.columns,
        }
    }

    /// A query of any form; `depth` is how many more may be inside.
    fn query(&mut self, depth: usize) -> Query {
        match self.random.below(24) {
            0 | 1 => self.projection(depth),
            2 => self.distinct(depth),
            3 | 4 => self.set_operation(depth),
            5..=8 => self.grouping(depth),
            9 => self.global_aggregate(depth),
            10..=13 => self.join(depth),
            14 | 15 => self.semi_join(depth),
            16 => self.scalar_subquery(depth),
            17 | 18 => self.windowed(),
            19 | 20 => self.numbered(depth),
            21 => self.limited(depth),
            _ => self.grouping_of_join(depth),
        }
    }

    /// Something to select from: a relation, an earlier view, or a query.
    fn source(&mut self, depth: usize) -> Source {
        let alias = self.name("a");
        if depth > 0 && self.random.one_in(2) {
            let query = self.query(depth - 1);
            // Without a column to compute with there is nothing to do for what stands around it.
            if query.columns.iter().any(|column| column.kind != Kind::Opaque) {
                return aliased(format!("({})", query.text), &query.columns, &alias);
            }
        }
        let plain = |readable: &&Readable| readable.columns.iter().any(|column| column.kind != Kind::Opaque);
        let candidates: Vec<Readable> = self.readable.iter().filter(plain).cloned().collect();
        let readable = self.random.pick(&candidates).clone();
        aliased(readable.name, &readable.columns, &alias)
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// `SELECT items` with fresh names.
    fn select_list(&mut self, items: Vec<Item>) -> (String, Vec<Column>) {
        let mut texts = Vec::with_capacity(items.len());
        let mut columns = Vec::with_capacity(items.len());
        for item in items {
            let name = self.name("c");
            texts.push(format!("{} AS {name}", item.text));
            columns.push(Column { name, kind: item.kind });
        }
        (texts.join(", "), columns)
    }
}

fn aliased(text: String, columns: &[Column], alias: &str) -> Source {
    let named = |column: &Column| Named { text: format!("{alias}.{}", column.name), kind: column.kind };
    Source { text: format!("{text} AS {alias}"), scope: columns.iter().map(named).collect() }
}

/// The columns that may be computed with.
fn plain(scope: &[Named]) -> Vec<Named> {
    scope.iter().filter(|named| named.kind != Kind::Opaque).cloned().collect()
}
