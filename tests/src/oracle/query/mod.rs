//! Queries by seed: every form a view's query may take, over relations, earlier views, and each other.
//!
//! Two rules keep answers determined: order-dependent parts order by every column they can see, and values that depend on
//! the order of additions ([`Kind::Opaque`]) are only ever shown, never computed with.

mod aggregate;
#[cfg(test)]
mod coverage;
mod expression;
mod failing;
mod function;
mod join;
mod ranking;
mod select;
mod subquery;
mod window;

use std::collections::BTreeSet;

use monsoon_circuit::RelationId;

use super::column::{Column, Kind};
use super::random::Random;
use super::view::Definition;
use super::world::{self, Scale, World};

/// Number of the first view that is created.
pub const FIRST_VIEW: RelationId = RelationId(101);

/// The views of a seed, one to three; later ones may read earlier ones.
pub fn define_views(world: &World, random: &mut Random) -> Vec<Definition> {
    let mut generator = Generator::new(world, random);
    let count = *generator.random.pick(&[1, 2, 2, 3]);
    for place in 1..=count {
        let definition = generator.define(format!("v{place}"));
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

/// A part of a query that Monsoon and DataFusion are given differently.
#[derive(Debug, Clone)]
struct Substitute {
    /// What stands for it in the text.
    token: String,
    monsoon: String,
    reference: String,
}

/// A form of queries.
struct Form {
    name: &'static str,
    /// How often it is made, compared with others.
    weight: usize,
    make: fn(&mut Generator<'_>, usize) -> Query,
    /// Whether it stays cheap over thousands of rows: nothing in it pairs every row with every other.
    scales: bool,
}

/// Every form but [`EMITTING`] and [`FAILING`].
const FORMS: [Form; 14] = [
    Form { name: "projection", weight: 3, make: |generator, depth| generator.projection(depth), scales: true },
    Form { name: "DISTINCT", weight: 1, make: |generator, depth| generator.distinct(depth), scales: true },
    Form { name: "set operation", weight: 2, make: |generator, depth| generator.set_operation(depth), scales: true },
    Form { name: "GROUP BY", weight: 4, make: |generator, depth| generator.grouping(depth), scales: true },
    Form {
        name: "aggregates over everything",
        weight: 1,
        make: |generator, depth| generator.global_aggregate(depth),
        scales: true,
    },
    Form { name: "join", weight: 4, make: |generator, depth| generator.join(depth), scales: true },
    Form {
        name: "GROUP BY over a join",
        weight: 2,
        make: |generator, depth| generator.grouping_of_join(depth),
        scales: true,
    },
    Form { name: "IN or EXISTS", weight: 2, make: |generator, depth| generator.semi_join(depth), scales: false },
    Form {
        name: "scalar subquery",
        weight: 1,
        make: |generator, depth| generator.scalar_subquery(depth),
        scales: false,
    },
    Form { name: "windows", weight: 2, make: |generator, _| generator.windowed(), scales: true },
    Form { name: "row_number()", weight: 2, make: |generator, depth| generator.numbered(depth), scales: true },
    Form { name: "ORDER BY with LIMIT", weight: 2, make: |generator, depth| generator.limited(depth), scales: true },
    Form { name: "DISTINCT ON", weight: 1, make: |generator, depth| generator.distinct_on(depth), scales: true },
    Form { name: "unnest()", weight: 1, make: |generator, depth| generator.unnested(depth), scales: true },
];

/// A query with EMIT ON WINDOW CLOSE.
const EMITTING: &str = "EMIT ON WINDOW CLOSE";
/// A query with an expression that fails on some rows.
const FAILING: &str = "failing expression";

/// The names of all forms.
pub fn form_names() -> Vec<&'static str> {
    FORMS.iter().map(|form| form.name).chain([EMITTING, FAILING]).collect()
}

struct Generator<'a> {
    random: &'a mut Random,
    readable: Vec<Readable>,
    views: Vec<Definition>,
    /// How many rows there will be.
    scale: Scale,
    /// The timed stream.
    timed: Readable,
    /// A table whose key is its column `k`.
    keyed: Readable,
    /// What Monsoon and DataFusion are given differently; a later one may have earlier ones in it.
    substitutes: Vec<Substitute>,
    names: usize,
    /// How many queries the one that is being made is inside of.
    inside: usize,
    /// Names of the forms in the query that is being made.
    forms: BTreeSet<&'static str>,
}

impl<'a> Generator<'a> {
    fn new(world: &World, random: &'a mut Random) -> Generator<'a> {
        let readable = |base: &super::world::Base| Readable { name: base.name.clone(), columns: base.columns.clone() };
        let found = |wanted: fn(&world::Form) -> bool| {
            readable(world.bases.iter().find(|base| wanted(&base.form)).expect("every world has one"))
        };
        let timed = found(|form| matches!(form, world::Form::Timed(_)));
        let keyed = found(|form| matches!(form, world::Form::Keyed(key) if key.len() == 1));
        let scale = world.scale;
        let readable = world.bases.iter().map(readable).collect();
        Generator {
            random,
            readable,
            views: Vec::new(),
            scale,
            timed,
            keyed,
            substitutes: Vec::new(),
            names: 0,
            inside: 0,
            forms: BTreeSet::new(),
        }
    }

    fn define(&mut self, name: String) -> Definition {
        let depth = self.random.below(3);
        let (query, reference, failing) = if self.random.one_in(10) {
            self.forms.insert(EMITTING);
            let (query, reference) = self.emitting();
            (query, reference, None)
        } else if self.random.one_in(25) {
            self.forms.insert(FAILING);
            let (query, failures) = self.failing();
            let reference = query.text.clone();
            (query, reference, Some(failures))
        } else {
            let query = self.query(depth);
            let reference = query.text.clone();
            (query, reference, None)
        };
        let substitutes = std::mem::take(&mut self.substitutes);
        let fill = |text: &str, which: fn(&Substitute) -> &String| {
            substitutes.iter().rev().fold(text.to_owned(), |text, part| text.replace(&part.token, which(part)))
        };
        let forms = std::mem::take(&mut self.forms);
        Definition {
            id: FIRST_VIEW,
            name,
            sql: fill(&query.text, |part| &part.monsoon),
            emit_on_window_close: forms.contains(EMITTING),
            reference: fill(&reference, |part| &part.reference),
            columns: query.columns,
            forms,
            failing,
        }
    }

    /// A text that Monsoon and DataFusion read differently.
    fn substitute(&mut self, monsoon: String, reference: String) -> String {
        let token = format!("@{}@", self.name("S"));
        self.substitutes.push(Substitute { token: token.clone(), monsoon, reference });
        token
    }

    /// A query of any form; `depth` is how many more may be inside.
    fn query(&mut self, depth: usize) -> Query {
        let forms: Vec<&Form> = FORMS.iter().filter(|form| form.scales || self.scale == Scale::Small).collect();
        let mut place = self.random.below(forms.iter().map(|form| form.weight).sum());
        let form = forms.into_iter().find(|form| {
            let found = place < form.weight;
            place = place.saturating_sub(form.weight);
            found
        });
        let form = form.expect("a place below the sum of the weights");
        self.forms.insert(form.name);
        (form.make)(self, depth)
    }

    /// Something to select from: a relation, an earlier view, or a query.
    fn source(&mut self, depth: usize) -> Source {
        let alias = self.name("a");
        if depth > 0 && self.random.one_in(2) {
            self.inside += 1;
            let query = self.query(depth - 1);
            self.inside -= 1;
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
