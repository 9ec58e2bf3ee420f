//! `Session`: one connection's conversation with a [`Database`]. One file per kind of statement.
//!
//! What a session promises: a statement sees one committed txid; what it wrote is visible to everyone when it returns; in a
//! transaction block nothing is written before COMMIT, which is one txid. Within the block, tables show its own changes;
//! streams and materialized views show what is committed. Cancelling is dropping the future or the rows.

mod assign;
mod change_buffer;
mod comment;
mod commit_budget;
mod conflict;
mod copy;
mod create_relation;
mod create_view;
mod cursor;
mod describe;
mod drop;
mod explain;
mod facts;
mod insert;
mod literal;
mod lock;
mod named;
mod notices;
mod overlay;
mod parameter;
mod prepare;
mod read_only;
mod resolve;
mod run;
mod select;
mod setting;
mod settings;
mod show;
mod subscribe;
#[cfg(test)]
mod tests;
mod text_rows;
mod topology;
mod transaction;
mod update;
mod verify;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::common::ScalarValue;
use parking_lot::Mutex;

use crate::catalog::Snapshot;
use crate::database::{Database, Planner, Scope};
use crate::error::{Result, SqlError};
use crate::parser;
use crate::response::{Notice, Response, TransactionStatus};
use crate::statement::Statement;
pub(crate) use assign::assign;
use cursor::Cursor;
pub(crate) use facts::Facts;
use named::NamedStatement;
use notices::Notices;
pub(crate) use resolve::{folded, position, simple_name};
use select::PlannedQuery;
use transaction::Transaction;

/// Who connects, and what they want set.
#[derive(Debug, Clone)]
pub struct SessionStart {
    /// The user.
    pub user: String,
    /// The database.
    pub database: String,
    /// Settings from the startup packet.
    pub options: Vec<(String, String)>,
}

impl Default for SessionStart {
    fn default() -> SessionStart {
        SessionStart { user: "monsoon".to_owned(), database: "monsoon".to_owned(), options: Vec::new() }
    }
}

/// One connection's session.
pub struct Session {
    database: Arc<Database>,
    facts: Arc<Facts>,
    /// Made at the first statement that needs it: most of its cost is the table of functions.
    scope: Option<Arc<Scope>>,
    transaction: Option<Transaction>,
    notices: Notices,
    named: HashMap<String, NamedStatement>,
    cursors: HashMap<String, Cursor>,
}

/// A statement with what a client must know before running it.
#[derive(Clone)]
pub struct Prepared {
    /// The statement.
    pub statement: Statement,
    /// One per `$n`.
    pub parameters: Vec<FieldRef>,
    /// The columns it answers with; `None`: no rows.
    pub columns: Option<SchemaRef>,
    /// The plan, for whoever runs it first.
    planned: Arc<Mutex<Option<PlannedQuery>>>,
}

impl Prepared {
    /// 42P02 if it has parameters: for who has no values for them.
    pub fn refuse_parameters(&self) -> Result<()> {
        if self.parameters.is_empty() { Ok(()) } else { Err(parameter::no_parameter(&self.statement)) }
    }
}

impl Session {
    pub(crate) fn new(database: Arc<Database>, start: SessionStart) -> Session {
        let facts = Arc::new(Facts::new(&database, &start));
        Session {
            database,
            facts,
            scope: None,
            transaction: None,
            notices: Notices::default(),
            named: HashMap::new(),
            cursors: HashMap::new(),
        }
    }

    /// What a client is told at the start.
    pub fn parameters(&self) -> Vec<(String, String)> {
        self.facts.reported()
    }

    /// What of it has changed since the last call.
    pub fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        self.facts.take_changes()
    }

    /// Notices since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.notices.take()
    }

    /// The state of the transaction.
    pub fn transaction_status(&self) -> TransactionStatus {
        match &self.transaction {
            None => TransactionStatus::Idle,
            Some(transaction) if transaction.has_failed() => TransactionStatus::Failed,
            Some(_) => TransactionStatus::InTransaction,
        }
    }

    /// An error was sent to the client.
    pub fn fail_transaction(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.fail();
        }
    }

    /// How long a statement may run.
    pub fn statement_timeout(&self) -> Option<Duration> {
        self.facts.statement_timeout()
    }

    /// Parses what a client sent.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        parser::parse(sql)
    }

    /// Finds out a statement's parameters and columns. `parameter_type_oids`: what the client says of them; 0 says nothing.
    pub async fn prepare(&mut self, statement: &Statement, parameter_type_oids: &[u32]) -> Result<Prepared> {
        self.check_usable(&statement.body)?;
        self.prepare_statement(statement, parameter_type_oids).await
    }

    /// Runs a statement.
    pub async fn execute(&mut self, prepared: &Prepared, parameters: &[ScalarValue]) -> Result<Response> {
        self.check_usable(&prepared.statement.body)?;
        if parameters.len() != prepared.parameters.len() {
            let (given, wanted) = (parameters.len(), prepared.parameters.len());
            return Err(SqlError::new(
                "08P01",
                format!("{given} parameters were given, and the statement has {wanted}"),
            ));
        }
        self.run(prepared, parameters).await
    }

    /// The catalog as it is now.
    fn snapshot(&self) -> Arc<Snapshot> {
        self.database.catalog.snapshot()
    }

    fn scope(&mut self) -> Result<Arc<Scope>> {
        if let Some(scope) = &self.scope {
            return Ok(Arc::clone(scope));
        }
        let facts: Arc<dyn crate::function::SessionFacts> = Arc::clone(&self.facts) as _;
        let scope = self.database.template.scope(&self.database, facts)?;
        self.scope = Some(Arc::clone(&scope));
        Ok(scope)
    }

    fn planner(&mut self) -> Result<Planner> {
        let scope = self.scope()?;
        Ok(Planner::new(&scope, &self.snapshot()))
    }

    fn notice(&mut self, severity: &'static str, sqlstate: &'static str, message: impl Into<String>) {
        self.notices.push(Notice { severity, sqlstate, message: message.into() });
    }
}
