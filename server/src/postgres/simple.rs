//! The simple protocol: a string of statements, run one after the other; the first error stops the rest. Each statement is
//! committed by itself unless a transaction was begun.

use monsoon_sql::SqlError;
use monsoon_sql::response::{Response, RowStream};

use super::backend::{Backend, SessionLike};
use super::connection::Connection;
use super::failure::{Failure, Flow};
use super::guard::Guard;
use super::reply;
use super::rows::{self, RowCursor};

impl<B: Backend> Connection<B> {
    /// Answers a Query message.
    pub(super) async fn simple_query(&mut self, sql: &str) -> Flow<()> {
        // As in Postgres, a simple query ends the unnamed statement and portal.
        self.statements.remove("");
        self.portals.remove("");
        match self.run_simple(sql).await {
            Err(Failure::Statement(error)) => self.report(error),
            other => other?,
        }
        self.ready().await
    }

    async fn run_simple(&mut self, sql: &str) -> Flow<()> {
        let statements = self.parse(sql)?;
        if statements.is_empty() {
            reply::empty_query(self.writer.buffer());
        }
        for statement in &statements {
            let mut guard = self.guard();
            let prepared = guard.run(&mut self.frames, self.session.prepare(statement, &[])).await??;
            <B::Session as SessionLike>::refuse_parameters(&prepared)?;
            let response = guard.run(&mut self.frames, self.session.execute(&prepared, &[])).await??;
            self.send_notices();
            match response {
                Response::Rows(rows) => self.send_all_rows(rows, &mut guard).await?,
                other => self.send_other(other, &mut guard).await?,
            }
            self.send_notices();
            self.send_parameter_changes();
        }
        Ok(())
    }

    async fn send_all_rows(&mut self, rows: RowStream, guard: &mut Guard) -> Flow<()> {
        let columns = rows::columns::<B>(&rows.schema, &[]);
        reply::row_description(self.writer.buffer(), &columns);
        let mut cursor = RowCursor::new(rows, columns);
        guard.endless = cursor.is_live();
        let sent = cursor.send(None, guard, &mut self.frames, &mut self.writer).await?;
        reply::command_complete(self.writer.buffer(), &format!("{} {}", cursor.tag(), sent.rows));
        Ok(())
    }

    /// Everything that isn't rows.
    pub(super) async fn send_other(&mut self, response: Response, guard: &mut Guard) -> Flow<()> {
        match response {
            Response::Empty => reply::empty_query(self.writer.buffer()),
            Response::Complete { tag } => reply::command_complete(self.writer.buffer(), &tag),
            Response::CopyOut(copy) => self.copy_out(copy, guard).await?,
            Response::CopyIn(copy) => self.copy_in(copy, guard).await?,
            Response::Rows(_) => return Err(SqlError::internal("rows where none were expected").into()),
        }
        Ok(())
    }
}
