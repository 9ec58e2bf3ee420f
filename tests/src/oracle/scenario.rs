//! One seed from beginning to end.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result, anyhow, bail};
use monsoon_circuit::RelationId;

use super::compare::{Multiset, check_types};
use super::plan::Relations;
use super::query::{FIRST_VIEW, define_views};
use super::random::Random;
use super::reference::{Answer, Unanswered, answers};
use super::server::Server;
use super::view::{Definition, View};
use super::world::{Base, Batch, Scale, World};

/// How a seed went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every comparison held.
    Same,
    /// A comparison failed: what was compared, and the difference.
    Different(String),
    /// DataFusion itself couldn't answer (it fails, or panics, on some of its own aggregates): nothing to compare with.
    Unanswered(String),
}

/// What happened in a seed.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How it went.
    pub outcome: Outcome,
    /// Queries that Monsoon refuses, with the reason.
    pub refused: Vec<String>,
    /// Views that were kept.
    pub views: usize,
    /// How many of them have which form of query in them.
    pub forms: BTreeMap<&'static str, usize>,
    /// Rows of views that were compared.
    pub rows: usize,
    /// Crashes.
    pub crashes: usize,
    /// Chunks that were folded ones when an engine came back.
    pub folded: usize,
    /// Everything that was done, for people.
    pub log: String,
}

/// Plays a seed.
pub async fn run_seed(seed: u64) -> Report {
    let mut random = Random::new(seed);
    let scale = if random.one_in(50) { Scale::Large } else { Scale::Small };
    let world = World::new(scale, &mut random);
    let report = Report {
        seed,
        outcome: Outcome::Same,
        refused: Vec::new(),
        views: 0,
        forms: BTreeMap::new(),
        rows: 0,
        crashes: 0,
        folded: 0,
        log: String::new(),
    };
    let mut scenario = Scenario {
        random,
        world,
        known: Relations::default(),
        views: Vec::new(),
        may_fail: HashSet::new(),
        next_view: FIRST_VIEW,
        report,
    };
    if let Err(error) = scenario.play().await {
        let unanswered = error.downcast_ref::<Unanswered>().is_some();
        let told = format!("{error:#}");
        scenario.report.outcome = if unanswered { Outcome::Unanswered(told) } else { Outcome::Different(told) };
    }
    scenario.report
}

struct Scenario {
    random: Random,
    world: World,
    known: Relations,
    /// Those that exist, in the order of their creation.
    views: Vec<View>,
    /// Views that have or had an expression that may fail on a row.
    may_fail: HashSet<RelationId>,
    /// The number of the next view: what a relation reads has a smaller one.
    next_view: RelationId,
    report: Report,
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is acknowledged.
    Kept,
    /// The process dies before the commit.
    Lost,
    /// The process dies right after the commit, before anything that follows it.
    KeptThenCrash,
    /// The process dies when all is quiet.
    QuietThenCrash,
}

impl Scenario {
    async fn play(&mut self) -> Result<()> {
        let large = self.world.scale == Scale::Large;
        let long = !large && self.random.one_in(6);
        let (batches, rows_max) = match (large, long) {
            (true, _) => (3, 6_000),
            (_, true) => (36, 4),
            _ => (4 + self.random.below(7), *self.random.pick(&[3, 8, 20])),
        };
        let definitions = define_views(&self.world, &mut self.random);
        self.describe(&definitions);
        let mut due: Vec<(usize, Definition)> = Vec::new();
        for definition in definitions {
            let earliest = due.last().map_or(0, |(batch, _)| *batch);
            let batch = if self.random.one_in(2) { 0 } else { self.random.below(batches) };
            due.push((batch.max(earliest), definition));
        }
        let tasks = 1 + self.random.below(3);
        let mut server = Server::start(tasks).await?;
        self.log(format_args!("{tasks} tasks"));
        for base in &self.world.bases {
            self.known.add_base(base);
            server.create_base(base).await?;
        }
        for number in 0..batches {
            if self.random.one_in(12)
                && let Some(definition) = self.drop_last(&mut server).await?
            {
                self.create(&mut server, definition).await?;
            }
            while due.first().is_some_and(|(batch, _)| *batch <= number) {
                let (_, definition) = due.remove(0);
                self.create(&mut server, definition).await?;
            }
            let next = self.batch(server, number, rows_max).await;
            server = next.with_context(|| format!("batch {number}"))?;
            if !long || number % 6 == 5 || number + 1 == batches {
                self.compare(&mut server).await.with_context(|| format!("after batch {number}"))?;
            }
        }
        server.stop().await;
        Ok(())
    }

    fn log(&mut self, text: std::fmt::Arguments<'_>) {
        self.report.log.push_str(&format!("{text}\n"));
    }

    fn describe(&mut self, definitions: &[Definition]) {
        for base in self.world.bases.clone() {
            let columns: Vec<String> =
                base.columns.iter().map(|column| format!("{} {:?}", column.name, column.kind)).collect();
            self.log(format_args!("{} {:?} ({})", base.name, base.form, columns.join(", ")));
        }
        for view in definitions {
            let emit = if view.emit_on_window_close { " EMIT ON WINDOW CLOSE" } else { "" };
            self.log(format_args!("{} AS {}{emit}", view.name, view.sql));
            if view.reference != view.sql {
                self.log(format_args!("  expected: {}", view.reference));
            }
        }
    }

    async fn create(&mut self, server: &mut Server, definition: Definition) -> Result<()> {
        let definition = Definition { id: self.next_view, ..definition };
        self.next_view = RelationId(self.next_view.0 + 1);
        let name = definition.name.clone();
        // What DataFusion can't plan is the generator's fault, not Monsoon's.
        answers(&self.world, &self.definitions_with(&definition)).await?;
        let view = match self.known.plan(&definition).await {
            Ok(view) => view,
            Err(error) if error.sqlstate == "0A000" => return self.refuse(name, error.message),
            Err(error) if error.sqlstate == "42P01" && !self.report.refused.is_empty() => return Ok(()),
            Err(error) => bail!("planning {name}: {} {}", error.sqlstate, error.message),
        };
        if definition.failing.is_some() {
            self.may_fail.insert(definition.id);
        }
        match server.create_view(&view).await {
            Ok(()) => {}
            Err(monsoon_batch::Error::Unsupported(reason)) => return self.refuse(name, reason),
            Err(error) => bail!("creating {name}: {error}"),
        }
        self.log(format_args!("created {name}, key {:?}", view.plan.key));
        self.known.add_view(&view);
        self.views.push(view);
        self.report.views += 1;
        for form in &self.views[self.views.len() - 1].definition.forms {
            *self.report.forms.entry(form).or_default() += 1;
        }
        self.compare(server).await.with_context(|| format!("after creating {name}"))
    }

    /// Drops the last view; answers what to create it from once more, as another relation of the same name.
    async fn drop_last(&mut self, server: &mut Server) -> Result<Option<Definition>> {
        let Some(view) = self.views.pop() else { return Ok(None) };
        self.log(format_args!("drop {}", view.definition.name));
        server.drop_view(&view).await?;
        self.known.remove_view(&view);
        Ok(Some(view.definition))
    }

    fn refuse(&mut self, name: String, reason: String) -> Result<()> {
        self.log(format_args!("refused {name}: {reason}"));
        self.report.refused.push(reason);
        Ok(())
    }

    fn definitions_with<'a>(&'a self, new: &'a Definition) -> Vec<&'a Definition> {
        self.views.iter().map(|view| &view.definition).chain([new]).collect()
    }

    async fn batch(&mut self, server: Server, number: usize, rows_max: usize) -> Result<Server> {
        let fate = match self.random.below(14) {
            0 => Fate::Lost,
            1 => Fate::KeptThenCrash,
            2 => Fate::QuietThenCrash,
            _ => Fate::Kept,
        };
        let before = server.engine.flush().await?;
        let mut after = self.world.clone();
        let Batch { changes, text, late } = after.write(&mut self.random, rows_max)?;
        self.log(format_args!("batch {number}, {fate:?}\n{text}"));
        let written = server.engine.write(changes).await.context("writing")?;
        server.engine.flush().await?;
        if written.late != late {
            bail!("{} rows were late, {late} should be", written.late);
        }
        let left = match fate {
            Fate::Lost => server.store.left_after(before),
            Fate::KeptThenCrash => server.store.left_after(written.txid),
            Fate::Kept | Fate::QuietThenCrash => Some(server.store.left_now()),
        };
        if fate != Fate::Lost {
            self.world = after;
        }
        if fate == Fate::Kept {
            return Ok(server);
        }
        let left = left.ok_or_else(|| anyhow!("no snapshot of the commit"))?;
        let tasks = 1 + self.random.below(3);
        self.log(format_args!("crash; {tasks} tasks"));
        self.report.crashes += 1;
        let views: Vec<&View> = self.views.iter().collect();
        let server = server.restart(&left, tasks, &self.world, &views).await?;
        self.report.folded += server.store.folded_chunks();
        Ok(server)
    }

    async fn compare(&mut self, server: &mut Server) -> Result<()> {
        server.engine.flush().await?;
        let bases = self.world.bases.iter().map(|base| base.id);
        let ids: Vec<RelationId> = bases.chain(self.views.iter().map(|view| view.definition.id)).collect();
        let contents = server.read(&ids).await?;
        let content = |id: RelationId| contents.get(&id).map_or(&[][..], Vec::as_slice);
        for base in &self.world.bases {
            compare_base(base, content(base.id))?;
        }
        let definitions: Vec<&Definition> = self.views.iter().map(|view| &view.definition).collect();
        let answers = answers(&self.world, &definitions).await?;
        for view in &self.views {
            let name = &view.definition.name;
            let answer = answers.get(name).ok_or_else(|| anyhow!("no answer"))?;
            check_types(&view.schema, &answer.schemas).with_context(|| name.clone())?;
            let mut kept = Multiset::default();
            kept.add_all(content(view.definition.id))?;
            if let Some(difference) = kept.difference(&answer.rows, &view.rounded()) {
                bail!("{name} differs\n{difference}");
            }
            self.report.rows += kept.len();
            match server.heard(view.definition.id)? {
                None => server.listen(view, &kept).await.with_context(|| name.clone())?,
                Some(heard) => {
                    if let Some(difference) = heard.difference(&kept, &[]) {
                        bail!("what SUBSCRIBE told of {name} adds up to something else\n{difference}");
                    }
                }
            }
        }
        self.check_errors(server, &answers)
    }

    /// Expressions fail where they should, and that is told.
    fn check_errors(&self, server: &Server, answers: &HashMap<String, Answer>) -> Result<()> {
        let errors = server.engine.recent_errors();
        if let Some(error) = errors.iter().find(|error| !self.may_fail.contains(&error.relation)) {
            bail!("an expression failed on a row: {error:?}");
        }
        // Errors are told by the process in which they happened.
        let first_process = self.report.crashes == 0;
        for view in self.views.iter().map(|view| &view.definition) {
            let failures = answers.get(&view.name).map_or(0, |answer| answer.failures);
            if first_process && failures > 0 && errors.iter().all(|error| error.relation != view.id) {
                bail!("an expression of {} failed on {failures} rows, and no error tells of it", view.name);
            }
        }
        Ok(())
    }
}

fn compare_base(base: &Base, content: &[arrow::array::RecordBatch]) -> Result<()> {
    let (mut kept, mut expected) = (Multiset::default(), Multiset::default());
    kept.add_all(content)?;
    expected.add_all(&[base.batch()?])?;
    match kept.difference(&expected, &[]) {
        None => Ok(()),
        Some(difference) => bail!("{} holds something else than was written\n{difference}", base.name),
    }
}
