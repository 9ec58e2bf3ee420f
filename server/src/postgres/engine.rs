//! The front door's view of Monsoon's database: the one place where the wire meets `monsoon-sql`.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::Field;
use datafusion::common::ScalarValue;
use monsoon_sql::database::Database;
use monsoon_sql::error::Result;
use monsoon_sql::pg_type::pg_type;
use monsoon_sql::response::{Notice, Response, TransactionStatus};
use monsoon_sql::session::{Prepared, Session, SessionStart};
use monsoon_sql::statement::Statement;

use super::backend::{Backend, Description, Login, SessionLike, WireType};

/// A database, and what its sessions start with.
pub struct Engine {
    database: Arc<Database>,
    statement_timeout: Option<Duration>,
}

impl Engine {
    /// Sessions of `database`, whose statements run no longer than `statement_timeout` unless they say otherwise.
    pub fn new(database: Arc<Database>, statement_timeout: Option<Duration>) -> Engine {
        Engine { database, statement_timeout }
    }
}

impl Backend for Engine {
    type Session = Session;

    fn session(self: &Arc<Self>, login: Login) -> Session {
        let Login { user, database, mut options } = login;
        if let Some(timeout) = self.statement_timeout {
            // First, so that what the client asks for wins.
            options.insert(0, ("statement_timeout".to_owned(), timeout.as_millis().to_string()));
        }
        self.database.session(SessionStart { user, database, options })
    }

    fn wire_type(field: &Field) -> WireType {
        let known = pg_type(field);
        WireType { oid: known.oid, size: known.size, typmod: known.typmod, array_element: known.array_element }
    }
}

impl SessionLike for Session {
    type Statement = Statement;
    type Prepared = Prepared;

    fn parameters(&self) -> Vec<(String, String)> {
        Session::parameters(self)
    }

    fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        Session::take_parameter_changes(self)
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        Session::take_notices(self)
    }

    fn transaction_status(&self) -> TransactionStatus {
        Session::transaction_status(self)
    }

    fn fail_transaction(&mut self) {
        Session::fail_transaction(self);
    }

    fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        Session::parse(self, sql)
    }

    async fn prepare(&mut self, statement: &Statement, parameter_oids: &[u32]) -> Result<Prepared> {
        Session::prepare(self, statement, parameter_oids).await
    }

    fn describe(prepared: &Prepared) -> Description {
        Description { parameters: prepared.parameters.clone(), columns: prepared.columns.clone() }
    }

    fn refuse_parameters(prepared: &Prepared) -> Result<()> {
        prepared.refuse_parameters()
    }

    async fn execute(&mut self, prepared: &Prepared, parameters: &[ScalarValue]) -> Result<Response> {
        Session::execute(self, prepared, parameters).await
    }

    fn statement_timeout(&self) -> Option<Duration> {
        Session::statement_timeout(self)
    }
}
