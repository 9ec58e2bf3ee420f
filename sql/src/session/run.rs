//! Which statement does what.

use datafusion::common::ScalarValue;

use super::text_rows::complete;
use super::{Prepared, Session};
use crate::error::{Result, SqlError};
use crate::response::Response;
use crate::statement::{Body, CopyDirection};

impl Session {
    /// After an error in a transaction block only its end helps.
    pub(super) fn check_usable(&self, body: &Body) -> Result<()> {
        let ends = matches!(body, Body::Commit | Body::Rollback | Body::RollbackTo(_) | Body::Empty);
        if ends || !self.transaction.as_ref().is_some_and(super::Transaction::has_failed) {
            return Ok(());
        }
        Err(SqlError::new("25P02", "current transaction is aborted, commands ignored until end of transaction block"))
    }

    pub(super) async fn run(&mut self, prepared: &Prepared, parameters: &[ScalarValue]) -> Result<Response> {
        let statement = &prepared.statement;
        if let Some(word) = catalog_change(&statement.body) {
            self.before_catalog_change(word)?;
        }
        match &statement.body {
            Body::Empty => Ok(Response::Empty),
            Body::Query(query) => self.select(prepared, query, parameters).await.map(Response::Rows),
            Body::Insert(insert) => self.insert(statement, insert, prepared, parameters).await,
            Body::Update(update) => self.update(statement, update, prepared, parameters).await,
            Body::Delete(delete) => self.delete(statement, delete, prepared, parameters).await,
            Body::Truncate(names) => self.truncate(statement, names).await,
            Body::Copy(copy) => match &copy.direction {
                CopyDirection::FromStdin { name, columns } => {
                    self.copy_in(statement, name, columns, &copy.format).await
                }
                CopyDirection::QueryToStdout(query) => self.copy_out(prepared, query, &copy.format).await,
                CopyDirection::SubscribeToStdout(subscribe) => {
                    self.copy_subscription(statement, subscribe, &copy.format).await
                }
            },
            Body::Subscribe(subscribe) => self.subscribe(statement, subscribe).await.map(Response::Rows),
            Body::CreateStream(create) => self.create_stream(statement, create).await,
            Body::CreateTable(create) => self.create_table(statement, create).await,
            Body::CreateMaterializedView(create) => self.create_materialized_view(statement, create).await,
            Body::CreateView(create) => self.create_view(statement, create).await,
            Body::CreateSink(create) => self.create_sink(statement, create).await,
            Body::Topology(topology) => Box::pin(self.topology(statement, topology)).await,
            Body::Drop(drop) => self.drop_relations(statement, drop).await,
            Body::Comment(comment) => self.comment(statement, comment).await,
            Body::Explain(explain) => self.explain(statement, explain).await.map(Response::Rows),
            Body::Show(show) => self.show(statement, show).map(Response::Rows),
            Body::Describe(name) => self.show_columns(statement, name).map(Response::Rows),
            Body::Set { name, value, local } => self.set(name, value.as_deref(), *local),
            Body::Reset(name) => self.reset(name.as_deref()),
            Body::Begin { read_only } => self.begin(*read_only),
            Body::Commit => self.commit().await,
            Body::Rollback => self.rollback(),
            Body::Savepoint(name) => self.savepoint(name),
            Body::Release(name) => self.release(name),
            Body::RollbackTo(name) => self.rollback_to(name),
            Body::SetTransaction { read_only } => self.set_transaction(*read_only),
            Body::SetCharacteristics { read_only } => self.set_characteristics(*read_only),
            Body::Declare(declare) => self.declare(declare).await,
            Body::Fetch { name, count, timeout_ms } => self.fetch(name, *count, *timeout_ms).await.map(Response::Rows),
            Body::Close(name) => self.close(name.as_deref()),
            Body::Prepare { name, types, statement } => self.prepare_named(name, types, statement).await,
            Body::Execute { name, values } => Box::pin(self.execute_named(statement, name, values)).await,
            Body::Deallocate(name) => self.deallocate(name.as_deref()),
            Body::DiscardAll => self.discard_all(),
            Body::Accepted(tag) => complete(*tag),
            Body::Flush => {
                self.database.engine.flush().await.map_err(crate::database::engine_error)?;
                complete("FLUSH")
            }
            Body::Verify(name) => self.verify(statement, name).await.map(Response::Rows),
        }
    }

    /// The catalog isn't part of a transaction: what changes it is committed at once.
    fn before_catalog_change(&mut self, word: &str) -> Result<()> {
        self.check_writable(word)?;
        if self.transaction.is_some() {
            self.notice("WARNING", "25001", format!("{word} is committed at once; ROLLBACK will not undo it"));
        }
        Ok(())
    }
}

fn catalog_change(body: &Body) -> Option<&'static str> {
    match body {
        Body::CreateStream(_) => Some("CREATE STREAM"),
        Body::CreateTable(_) => Some("CREATE TABLE"),
        Body::CreateMaterializedView(_) => Some("CREATE MATERIALIZED VIEW"),
        Body::CreateView(_) => Some("CREATE VIEW"),
        Body::CreateSink(_) => Some("CREATE SINK"),
        Body::Drop(_) => Some("DROP"),
        Body::Comment(_) => Some("COMMENT"),
        Body::Topology(topology) => super::topology::topology_change(topology),
        _ => None,
    }
}
