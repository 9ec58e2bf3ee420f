//! `/api/v1/topology/...`: what runs, and what can be done to it, at the paths and with the names of Storm's UI. A topology's id is its name.
//!
//! Everything is asked of the database in SQL. What Monsoon doesn't have (hosts, ports, memory per worker, latencies) is left out, not made up.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::Shared;
use super::body::read_text;
use super::failure::Failure;
use super::statement::run;
use crate::topology::quoted_name;

/// A row of SHOW or DESCRIBE.
type Row = Map<String, Value>;
/// The topology that the path names.
type Named = Result<Path<String>, PathRejection>;
/// The topology, and how many seconds tuples under way have.
type NamedWithWait = Result<Path<(String, String)>, PathRejection>;
/// An answer in JSON.
type Answer = Result<Json, Failure>;

/// A JSON value as an answer.
pub(super) struct Json(Value);

impl IntoResponse for Json {
    fn into_response(self) -> axum::response::Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0.to_string()).into_response()
    }
}

/// `GET /api/v1/topology/summary`.
pub(super) async fn summary(State(shared): State<Arc<Shared>>) -> Answer {
    let rows = run(&shared.database, "SHOW TOPOLOGIES").await?;
    let topologies: Vec<Value> = rows.iter().map(|row| Value::Object(topology(row))).collect();
    Ok(Json(json!({ "topologies": topologies })))
}

/// `GET /api/v1/topology/{name}`: its components and what they have counted.
pub(super) async fn page(State(shared): State<Arc<Shared>>, path: Named) -> Answer {
    let Path(name) = path?;
    let components = run(&shared.database, &format!("DESCRIBE TOPOLOGY {}", quoted_name(&name))).await?;
    let all = run(&shared.database, "SHOW TOPOLOGIES").await?;
    let found = all.iter().find(|row| row.get("name").and_then(Value::as_str) == Some(name.as_str()));
    let mut page = found.map(topology).unwrap_or_default();
    let of_kind = |kind: &str| -> Value {
        let wanted = components.iter().filter(|row| row.get("kind").and_then(Value::as_str) == Some(kind));
        wanted.map(|row| component(kind, row)).collect()
    };
    page.insert("spouts".to_owned(), of_kind("spout"));
    page.insert("bolts".to_owned(), of_kind("bolt"));
    Ok(Json(Value::Object(page)))
}

/// What is done to a topology and needs nothing more than its name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    Activate,
    Deactivate,
}

impl Operation {
    /// `POST /api/v1/topology/{name}/activate` or `deactivate`.
    pub(super) async fn run(self, State(shared): State<Arc<Shared>>, path: Named) -> Answer {
        let Path(name) = path?;
        let (verb, word) = match self {
            Operation::Activate => ("ACTIVATE", "activate"),
            Operation::Deactivate => ("DEACTIVATE", "deactivate"),
        };
        run(&shared.database, &format!("{verb} TOPOLOGY {}", quoted_name(&name))).await?;
        Ok(done(word, &name))
    }
}

/// `POST /api/v1/topology/{name}/kill/{wait}`: answers when it has ended.
pub(super) async fn kill(State(shared): State<Arc<Shared>>, path: NamedWithWait) -> Answer {
    let Path((name, wait)) = path?;
    let wait = seconds(&wait)?;
    run(&shared.database, &format!("KILL TOPOLOGY {} WAIT '{wait} s'", quoted_name(&name))).await?;
    Ok(done("kill", &name))
}

/// `POST /api/v1/topology/{name}/rebalance/{wait}`, with `{"rebalanceOptions": {"executors": {"component": 2}}}`.
pub(super) async fn rebalance(State(shared): State<Arc<Shared>>, path: NamedWithWait, request: Request) -> Answer {
    let Path((name, wait)) = path?;
    // Tasks move without being stopped for long, so there is nothing to wait for.
    seconds(&wait)?;
    let options = executors(&read_text(request, &shared.limits).await?)?;
    run(&shared.database, &format!("ALTER TOPOLOGY {} REBALANCE ({options})", quoted_name(&name))).await?;
    Ok(done("rebalance", &name))
}

fn done(operation: &str, name: &str) -> Json {
    Json(json!({"topologyOperation": operation, "topologyId": name, "status": "success"}))
}

fn seconds(text: &str) -> Result<u32, Failure> {
    text.parse().map_err(|_| Failure::bad(format!("the wait must be a number of seconds, not {text:?}")))
}

/// The options of ALTER TOPOLOGY ... REBALANCE that a body asks for. Storm sends numbers of executors as numbers or as texts.
fn executors(body: &str) -> Result<String, Failure> {
    let body: Value =
        serde_json::from_str(body).map_err(|error| Failure::bad(format!("the body is no JSON: {error}")))?;
    let asked =
        body.pointer("/rebalanceOptions/executors").and_then(Value::as_object).filter(|asked| !asked.is_empty());
    let asked = asked.ok_or_else(|| {
        Failure::bad("the body must be {\"rebalanceOptions\": {\"executors\": {\"component\": 2}}}; there are no workers to change")
    })?;
    let option = |(component, executors): (&String, &Value)| {
        let number = executors.as_u64().or_else(|| executors.as_str()?.parse().ok());
        let number = number
            .ok_or_else(|| Failure::bad(format!("{component:?} must have a number of executors, not {executors}")))?;
        Ok(format!("{} = '{number}'", quoted_name(component)))
    };
    Ok(asked.iter().map(option).collect::<Result<Vec<String>, Failure>>()?.join(", "))
}

/// A row of SHOW TOPOLOGIES in Storm's names.
fn topology(row: &Row) -> Row {
    let status = row.get("status").and_then(Value::as_str).unwrap_or_default().to_uppercase();
    let mut topology = Row::new();
    topology.insert("id".to_owned(), text(row, "name"));
    topology.insert("name".to_owned(), text(row, "name"));
    topology.insert("status".to_owned(), status.into());
    topology.insert("guarantee".to_owned(), text(row, "guarantee"));
    // The server's own process.
    topology.insert("workersTotal".to_owned(), 1.into());
    topology.insert("executorsTotal".to_owned(), number(row, "executors"));
    topology.insert("tasksTotal".to_owned(), number(row, "tasks"));
    for name in ["components", "emitted", "failed", "errors"] {
        topology.insert(name.to_owned(), number(row, name));
    }
    topology
}

/// A row of DESCRIBE TOPOLOGY in Storm's names.
fn component(kind: &str, row: &Row) -> Value {
    let mut component = Row::new();
    component.insert(format!("{kind}Id"), text(row, "component"));
    for name in ["executors", "tasks", "emitted", "executed", "acked", "failed", "queued", "restarts"] {
        component.insert(name.to_owned(), number(row, name));
    }
    component.insert("inputs".to_owned(), text(row, "inputs"));
    component.insert("lastError".to_owned(), text(row, "last_error"));
    Value::Object(component)
}

fn text(row: &Row, column: &str) -> Value {
    row.get(column).cloned().unwrap_or(Value::Null)
}

fn number(row: &Row, column: &str) -> Value {
    row.get(column).and_then(Value::as_str).and_then(|text| text.parse::<u64>().ok()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebalance_becomes_options_whatever_is_in_the_names() {
        let body = r#"{"rebalanceOptions": {"numWorkers": 2, "executors": {"a\"b": 4, "c": "2"}}}"#;
        assert_eq!(executors(body).expect("options"), "\"a\"\"b\" = '4', \"c\" = '2'");
        for wrong in [
            "",
            "{}",
            r#"{"rebalanceOptions": {"executors": {}}}"#,
            r#"{"rebalanceOptions": {"executors": {"a": "x'"}}}"#,
        ] {
            assert!(executors(wrong).is_err(), "{wrong}");
        }
    }
}
