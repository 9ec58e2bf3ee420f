//! Queries and what they are lowered to, as data: `tests/*.plans` hold a title, a query (or the name of a file in
//! `benchmarks/queries`), and the circuit or the refusal. `UPDATE_PLANS=1 cargo test` rewrites what differs; every plan
//! there has been read and found right by hand, and a rewritten one has to be again.

mod oracle;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::SessionState;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use futures::executor::block_on;
use monsoon_circuit::{Operator, RelationId};

use super::{
    Lowered, LoweringContext, RelationInfo, RelationLabel, RelationLookup, explain, fingerprint, plan_view,
    view_session_state,
};
use crate::error::SqlError;
use crate::parser::parse_query;
use crate::window_function::rewrite_query;

/// Said after a query in the files.
const EMIT: &str = "EMIT ON WINDOW CLOSE";

/// The relations queries read: Nexmark's streams, and two tables.
struct Relations(HashMap<String, RelationInfo>);

impl Relations {
    fn new() -> Relations {
        let us = DataType::Timestamp(TimeUnit::Microsecond, None);
        let (int, text) = (DataType::Int64, DataType::Utf8);
        let stream = |columns: &[(&str, &DataType)]| {
            let fields: Vec<Field> =
                columns.iter().map(|(name, kind)| Field::new(*name, (*kind).clone(), true)).collect();
            Schema::new(fields)
        };
        let person = stream(&[
            ("id", &int),
            ("name", &text),
            ("email_address", &text),
            ("credit_card", &text),
            ("city", &text),
            ("state", &text),
            ("date_time", &us),
            ("extra", &text),
        ]);
        let auction = stream(&[
            ("id", &int),
            ("item_name", &text),
            ("description", &text),
            ("initial_bid", &int),
            ("reserve", &int),
            ("date_time", &us),
            ("expires", &us),
            ("seller", &int),
            ("category", &int),
            ("extra", &text),
        ]);
        let bid = stream(&[
            ("auction", &int),
            ("bidder", &int),
            ("price", &int),
            ("channel", &text),
            ("url", &text),
            ("date_time", &us),
            ("extra", &text),
        ]);
        let tags = DataType::List(Arc::new(Field::new_list_field(text.clone(), true)));
        let users = Schema::new(vec![
            Field::new("id", int.clone(), false),
            Field::new("name", text.clone(), true),
            Field::new("age", DataType::Int32, true),
            Field::new("tags", tags, true),
        ]);
        let sales = Schema::new(vec![
            Field::new("user_id", int.clone(), true),
            Field::new("item", text, true),
            Field::new("amount", DataType::Float64, true),
        ]);
        let all = [
            ("person", person, true, Some(6), vec![]),
            ("auction", auction, true, Some(5), vec![]),
            ("bid", bid, true, Some(5), vec![]),
            ("users", users, false, None, vec![0]),
            ("sales", sales, false, None, vec![]),
        ];
        let info = |(id, (name, schema, append_only, watermark, key)): (
            usize,
            (&str, Schema, bool, Option<usize>, Vec<usize>),
        )| {
            let id = RelationId(id as u32 + 1);
            (name.to_owned(), RelationInfo { id, schema: Arc::new(schema), append_only, watermark, key })
        };
        Relations(all.into_iter().enumerate().map(info).collect())
    }

    fn label(&self, id: RelationId) -> RelationLabel {
        let (name, info) = self.0.iter().find(|(_, info)| info.id == id).expect("a known relation");
        RelationLabel { name: name.clone(), append_only: info.append_only }
    }

    fn session(&self) -> SessionState {
        let context = SessionContext::new_with_config(SessionConfig::new().with_information_schema(true));
        for (name, info) in &self.0 {
            let table = EmptyTable::new(Arc::clone(&info.schema));
            context.register_table(name.as_str(), Arc::new(table)).expect("a fresh catalog");
        }
        let mut state = context.state();
        crate::function::register_pure(&mut state).expect("a fresh session");
        state
    }
}

impl RelationLookup for Relations {
    fn relation(&self, name: &TableReference) -> Option<RelationInfo> {
        self.0.get(name.table()).filter(|_| name.schema() != Some("information_schema")).cloned()
    }
}

fn lowered(relations: &Relations, sql: &str) -> Result<Lowered, SqlError> {
    let (sql, emit) = match sql.strip_suffix(EMIT) {
        Some(sql) => (sql, true),
        None => (sql, false),
    };
    let mut query = parse_query(sql)?;
    rewrite_query(&mut query, sql, 0)?;
    let state = view_session_state(&relations.session());
    let statement = Statement::Statement(Box::new(ast::Statement::Query(query)));
    let plan = block_on(state.statement_to_plan(statement))
        .map_err(|error| crate::diagnostic::from_datafusion(error, sql, 0))?;
    let context = LoweringContext { relations, emit_on_window_close: emit, sql: Some(sql) };
    let lowered = plan_view(&state, &plan, &context)?;
    check_invariants(&lowered, &plan);
    Ok(lowered)
}

/// What holds for every plan: order of nodes, types of the output, places in range.
fn check_invariants(lowered: &Lowered, query: &datafusion::logical_expr::LogicalPlan) {
    let nodes = &lowered.plan.nodes;
    for (id, node) in nodes.iter().enumerate() {
        assert!(node.inputs.iter().all(|&input| input < id), "node {id} reads what comes later");
        let input = |place: usize| &nodes[node.inputs[place]].schema;
        match &node.operator {
            Operator::Project { expressions } => {
                assert_eq!(expressions.len(), node.schema.fields().len());
                for (expression, field) in expressions.iter().zip(node.schema.fields()) {
                    assert_eq!(&expression.data_type(input(0)).expect("a type"), field.data_type(), "{expression}");
                }
            }
            Operator::Filter { .. } => assert_eq!(input(0).fields(), node.schema.fields()),
            Operator::Aggregate(aggregate) => {
                assert_eq!(aggregate.group.len() + aggregate.aggregates.len(), node.schema.fields().len());
                for (group, field) in aggregate.group.iter().zip(node.schema.fields()) {
                    assert_eq!(&group.data_type(input(0)).expect("a type"), field.data_type());
                }
                for (call, field) in aggregate.aggregates.iter().zip(&node.schema.fields()[aggregate.group.len()..]) {
                    assert_eq!(call.function.field().data_type(), field.data_type());
                }
            }
            Operator::TopN(top_n) => {
                assert_eq!(input(0).fields().len() + usize::from(top_n.with_rank), node.schema.fields().len());
            }
            Operator::Union => {
                for place in 0..node.inputs.len() {
                    let types = |schema: &Schema| {
                        schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>()
                    };
                    assert_eq!(types(input(place)), types(&node.schema));
                }
            }
            _ => {}
        }
    }
    let output = &nodes.last().expect("an output").schema;
    let columns = |schema: &Schema| -> Vec<(String, DataType)> {
        schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
    };
    let names = |schema: &Schema| columns(schema).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(output), names(query.schema().as_arrow()), "names of the output");
    assert!(lowered.plan.key.is_sorted() && lowered.plan.key.iter().all(|&column| column < output.fields().len()));
}

fn answer(relations: &Relations, sql: &str) -> String {
    match lowered(relations, sql) {
        Ok(lowered) => {
            let notices: String =
                lowered.notices.iter().map(|notice| format!("notice: {}\n", notice.message)).collect();
            notices + &explain(&lowered.plan, |id| relations.label(id))
        }
        Err(error) => {
            let at = error.position.map(|position| format!(" at {position}")).unwrap_or_default();
            let hint = error.hint.map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
            format!("error {}{at}: {}\n{hint}", error.sqlstate, error.message)
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn path_of(file: &str) -> PathBuf {
    root().join("src/lowering/tests").join(file)
}

/// The parts of a file of cases: `# title`, the query, `----`, the answer, an empty line.
fn parts(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.trim().split("\n\n").map(|case| {
        let (question, _) = case.split_once("\n----").expect("a query, then ----");
        question.split_once('\n').expect("a title, then a query")
    })
}

/// Titles and queries of a file of cases.
fn cases(file: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(path_of(file)).expect("a file of cases");
    parts(&text).map(|(title, query)| (title.trim_start_matches("# ").to_owned(), query_of(query))).collect()
}

fn query_of(query: &str) -> String {
    query.strip_prefix("file ").map_or_else(|| query.to_owned(), from_file)
}

/// Runs a file of cases.
fn check(file: &str) {
    let path = path_of(file);
    let text = std::fs::read_to_string(&path).expect("a file of cases");
    let relations = Relations::new();
    let mut actual = String::new();
    for (title, query) in parts(&text) {
        let answer = answer(&relations, &query_of(query));
        actual.push_str(&format!("{title}\n{query}\n----\n{answer}\n"));
    }
    if std::env::var_os("UPDATE_PLANS").is_some() {
        std::fs::write(&path, actual.trim_end().to_owned() + "\n").expect("a writable source tree");
        return;
    }
    let differing = text
        .trim()
        .split("\n\n")
        .zip(actual.trim().split("\n\n"))
        .find(|(expected, actual)| expected.trim() != actual.trim());
    if let Some((expected, actual)) = differing {
        panic!("{file}: expected\n{expected}\n\ngot\n{actual}");
    }
}

/// `q5`, or `q5 EMIT ON WINDOW CLOSE`.
fn from_file(name: &str) -> String {
    let (name, suffix) = name.split_once(' ').unwrap_or((name, ""));
    let path = root().join("../benchmarks/queries").join(format!("{name}.sql"));
    format!("{} {suffix}", std::fs::read_to_string(path).expect("a benchmark query")).trim().to_owned()
}

#[test]
fn nexmark_queries_become_the_expected_circuits() {
    check("nexmark.plans");
}

#[test]
fn clauses_become_the_expected_circuits() {
    check("clauses.plans");
}

#[test]
fn windows_close_by_the_right_watermarks() {
    check("windows.plans");
}

#[test]
fn what_has_no_incremental_form_is_refused_with_a_reason() {
    check("refusals.plans");
}

#[test]
fn a_union_with_one_input_left_keeps_its_names() {
    let query = "SELECT x.n, x.m FROM (SELECT CAST(0 AS BIGINT) AS n, name AS m FROM users \
                 UNION ALL (SELECT user_id AS c, item AS d FROM sales UNION SELECT user_id AS c, item AS d FROM sales) \
                 EXCEPT ALL SELECT user_id AS e, item AS f FROM sales) AS x WHERE x.n IN (4, 5)";
    let answer = answer(&Relations::new(), query);
    assert!(answer.contains("Input: sales") && !answer.contains("Input: users"), "{answer}");
}

#[test]
fn only_a_count_is_never_null() {
    let relations = Relations::new();
    let calls = "approx_distinct(item) AS d, regr_count(amount, amount) AS r, count(*) AS n FROM sales";
    for query in [
        format!("SELECT user_id, {calls} GROUP BY user_id"),
        format!("SELECT user_id, {calls} GROUP BY ROLLUP (user_id)"),
    ] {
        let nodes = lowered(&relations, &query).expect("a plan").plan.nodes;
        let output = &nodes.last().expect("an output").schema;
        let nullable: Vec<bool> = output.fields().iter().map(|field| field.is_nullable()).collect();
        assert_eq!(nullable, [true, true, true, false], "{query}");
    }
}

#[test]
fn fingerprint_is_stable_and_tells_plans_apart() {
    let relations = Relations::new();
    let print = |sql: &str| fingerprint(&lowered(&relations, sql).expect("a plan").plan);
    let one = "SELECT auction, count(*) AS n FROM bid WHERE price > 5 GROUP BY auction";
    assert_eq!(print(one), print(one));
    assert_eq!(print(one), print("SELECT b.auction, count(*) AS n FROM bid b WHERE b.price > 5 GROUP BY 1"));
    for other in [
        "SELECT auction, count(*) AS m FROM bid WHERE price > 5 GROUP BY auction",
        "SELECT auction, count(*) AS n FROM bid WHERE price > 6 GROUP BY auction",
        "SELECT auction, count(price) AS n FROM bid WHERE price > 5 GROUP BY auction",
        "SELECT auction, count(DISTINCT price) AS n FROM bid WHERE price > 5 GROUP BY auction",
        "SELECT auction, count(*) AS n FROM bid WHERE bidder > 5 GROUP BY auction",
    ] {
        assert_ne!(print(one), print(other), "{other}");
    }
}

#[test]
fn settings_of_the_session_do_not_reach_the_plan() {
    let relations = Relations::new();
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(7));
    let state = view_session_state(&context.state());
    assert_eq!(state.config().target_partitions(), 1);
    assert_eq!(state.config_options().execution.time_zone.as_deref(), Some("UTC"));
    assert!(state.catalog_list().catalog("datafusion").is_some(), "the catalog is the session's own");
    let kept = relations.session();
    let planned = view_session_state(&kept);
    assert!(block_on(planned.schema_for_ref("bid").expect("the schema").table("bid")).expect("no error").is_some());
}
