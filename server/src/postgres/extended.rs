//! The extended protocol: prepared statements and portals.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use monsoon_sql::SqlError;
use monsoon_sql::response::Response;

use super::backend::{Backend, Description, SessionLike};
use super::connection::Connection;
use super::failure::Flow;
use super::message::{Bind, Target};
use super::rows::{self, RowCursor};
use super::{decode, reply};

/// Prepared statements a connection may hold.
const STATEMENTS_MAX: usize = 10_000;
/// Portals a connection may hold.
const PORTALS_MAX: usize = 1_000;

/// A prepared statement.
pub(super) struct Planned<S: SessionLike> {
    /// `None`: the empty statement.
    prepared: Option<S::Prepared>,
    description: Description,
    /// The type in which the client writes each parameter.
    parameter_oids: Vec<u32>,
    sql_bytes: usize,
}

/// A statement with its parameters, being run.
pub(super) struct Portal<S: SessionLike> {
    planned: Arc<Planned<S>>,
    parameters: Vec<ScalarValue>,
    /// One per column.
    formats: Vec<i16>,
    state: PortalState,
}

enum PortalState {
    New,
    Rows(RowCursor),
    /// All rows were sent; asking again gives none.
    Drained(&'static str),
    /// A command has run, and can't run again.
    Done,
}

impl<B: Backend> Connection<B> {
    /// Parse.
    pub(super) async fn parse_message(&mut self, name: String, sql: &str, oids: &[u32]) -> Flow<()> {
        if name.is_empty() {
            self.statements.remove("");
        }
        self.check_room_for_statement(&name, sql.len())?;
        let mut statements = self.parse(sql)?;
        if statements.len() > 1 {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(SqlError::syntax(message).into());
        }
        let planned = match statements.pop() {
            None => Planned {
                prepared: None,
                description: Description { parameters: Vec::new(), columns: None },
                parameter_oids: Vec::new(),
                sql_bytes: sql.len(),
            },
            Some(statement) => {
                let guard = self.guard();
                let prepared = guard.run(&mut self.frames, self.session.prepare(&statement, oids)).await??;
                let description = <B::Session as SessionLike>::describe(&prepared);
                let parameter_oids = parameter_oids::<B>(&description, oids);
                Planned { prepared: Some(prepared), description, parameter_oids, sql_bytes: sql.len() }
            }
        };
        self.send_notices();
        self.statements.insert(name, Arc::new(planned));
        reply::parse_complete(self.writer.buffer());
        Ok(())
    }

    fn check_room_for_statement(&self, name: &str, sql_bytes: usize) -> Result<(), SqlError> {
        if self.statements.contains_key(name) {
            return Err(SqlError::new("42P05", format!("prepared statement \"{name}\" already exists")));
        }
        let held: usize = self.statements.values().map(|planned| planned.sql_bytes).sum();
        if self.statements.len() >= STATEMENTS_MAX || held + sql_bytes > 2 * self.limits.message_bytes_max {
            let message = format!("this connection already holds {} prepared statements", self.statements.len());
            return Err(SqlError::new("54000", message).with_hint("close or DEALLOCATE those no longer needed"));
        }
        Ok(())
    }

    /// Bind.
    pub(super) fn bind(&mut self, bind: Bind) -> Flow<()> {
        let planned = self.statement(&bind.statement)?.clone();
        if !bind.portal.is_empty() && self.portals.contains_key(&bind.portal) {
            return Err(SqlError::new("42P03", format!("portal \"{}\" already exists", bind.portal)).into());
        }
        if self.portals.len() >= PORTALS_MAX {
            return Err(SqlError::new("54000", format!("this connection already holds {PORTALS_MAX} portals")).into());
        }
        let parameters = parameters(&planned, &bind)?;
        let columns = planned.description.columns.as_ref().map_or(0, |schema| schema.fields().len());
        let formats = spread(&bind.result_formats, columns).ok_or_else(|| {
            let given = bind.result_formats.len();
            protocol_error(format!("bind message has {given} result formats but query has {columns} columns"))
        })?;
        self.portals.insert(bind.portal, Portal { planned, parameters, formats, state: PortalState::New });
        reply::bind_complete(self.writer.buffer());
        Ok(())
    }

    /// Describe.
    pub(super) fn describe(&mut self, target: Target, name: &str) -> Flow<()> {
        let planned;
        let formats = match target {
            Target::Statement => {
                planned = self.statement(name)?.clone();
                reply::parameter_description(self.writer.buffer(), &planned.parameter_oids);
                Vec::new()
            }
            Target::Portal => {
                let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
                planned = portal.planned.clone();
                portal.formats.clone()
            }
        };
        match &planned.description.columns {
            Some(schema) => reply::row_description(self.writer.buffer(), &rows::columns::<B>(schema, &formats)),
            None => reply::no_data(self.writer.buffer()),
        }
        Ok(())
    }

    /// Execute. A portal whose run fails is gone.
    pub(super) async fn execute_portal(&mut self, name: &str, rows_max: u32) -> Flow<()> {
        let (name, mut portal) = self.portals.remove_entry(name).ok_or_else(|| no_portal(name))?;
        self.run_portal(&name, &mut portal, rows_max).await?;
        self.send_notices();
        self.send_parameter_changes();
        self.portals.insert(name, portal);
        Ok(())
    }

    async fn run_portal(&mut self, name: &str, portal: &mut Portal<B::Session>, rows_max: u32) -> Flow<()> {
        match &portal.state {
            PortalState::New => return self.start_portal(portal, rows_max).await,
            PortalState::Rows(_) => {}
            PortalState::Drained(tag) => reply::command_complete(self.writer.buffer(), &format!("{tag} 0")),
            PortalState::Done => {
                return Err(SqlError::new("55000", format!("portal \"{name}\" cannot be run anymore")).into());
            }
        }
        self.continue_portal(portal, rows_max).await
    }

    async fn start_portal(&mut self, portal: &mut Portal<B::Session>, rows_max: u32) -> Flow<()> {
        let planned = portal.planned.clone();
        let mut guard = self.guard();
        portal.state = PortalState::Done;
        let response = match &planned.prepared {
            None => Response::Empty,
            Some(prepared) => guard.run(&mut self.frames, self.session.execute(prepared, &portal.parameters)).await??,
        };
        self.send_notices();
        let rows = match response {
            Response::Rows(rows) => rows,
            other => return self.send_other(other, &mut guard).await,
        };
        // What was announced is what the client will read by.
        let announced = planned.description.columns.as_ref().unwrap_or(&rows.schema);
        let columns = rows::columns::<B>(announced, &portal.formats);
        portal.state = PortalState::Rows(RowCursor::new(rows, columns));
        self.continue_portal(portal, rows_max).await
    }

    /// Sends the next rows of a portal that has some.
    async fn continue_portal(&mut self, portal: &mut Portal<B::Session>, rows_max: u32) -> Flow<()> {
        let PortalState::Rows(cursor) = &mut portal.state else { return Ok(()) };
        let mut guard = self.guard();
        guard.endless = cursor.is_live();
        let limit = (rows_max > 0).then_some(u64::from(rows_max));
        let sent = cursor.send(limit, &guard, &mut self.frames, &mut self.writer).await?;
        if sent.finished {
            let tag = cursor.tag();
            reply::command_complete(self.writer.buffer(), &format!("{tag} {}", sent.rows));
            portal.state = PortalState::Drained(tag);
        } else {
            reply::portal_suspended(self.writer.buffer());
        }
        Ok(())
    }

    /// Close. What doesn't exist is closed already. A statement's portals end with it.
    pub(super) fn close(&mut self, target: Target, name: &str) {
        match target {
            Target::Statement => {
                if let Some(planned) = self.statements.remove(name) {
                    self.portals.retain(|_, portal| !Arc::ptr_eq(&portal.planned, &planned));
                }
            }
            Target::Portal => {
                self.portals.remove(name);
            }
        }
        reply::close_complete(self.writer.buffer());
    }

    fn statement(&self, name: &str) -> Result<&Arc<Planned<B::Session>>, SqlError> {
        self.statements.get(name).ok_or_else(|| match name {
            "" => SqlError::new("26000", "unnamed prepared statement does not exist"),
            name => SqlError::new("26000", format!("prepared statement \"{name}\" does not exist")),
        })
    }
}

fn no_portal(name: &str) -> SqlError {
    SqlError::new("34000", format!("portal \"{name}\" does not exist"))
}

fn protocol_error(message: String) -> SqlError {
    SqlError::new("08P01", message)
}

/// What the client declared, or else what was inferred.
fn parameter_oids<B: Backend>(description: &Description, declared: &[u32]) -> Vec<u32> {
    let fields = description.parameters.iter().enumerate();
    let oid = |(index, field): (usize, &arrow::datatypes::FieldRef)| match declared.get(index) {
        Some(&oid) if oid != 0 => oid,
        _ => B::wire_type(field).oid,
    };
    fields.map(oid).collect()
}

/// No code means text for all, one means that one for all.
fn spread(codes: &[i16], count: usize) -> Option<Vec<i16>> {
    match codes {
        [] => Some(vec![0; count]),
        [one] => Some(vec![*one; count]),
        // A statement without rows has no use for them.
        _ if count == 0 => Some(Vec::new()),
        many => (many.len() == count).then(|| many.to_vec()),
    }
}

fn parameters<S: SessionLike>(planned: &Planned<S>, bind: &Bind) -> Result<Vec<ScalarValue>, SqlError> {
    let fields = &planned.description.parameters;
    let given = bind.parameters.len();
    if given != fields.len() {
        let wanted = fields.len();
        let name = &bind.statement;
        return Err(protocol_error(format!(
            "bind message supplies {given} parameters, but prepared statement \"{name}\" requires {wanted}"
        )));
    }
    if bind.parameter_formats.len() > 1 && bind.parameter_formats.len() != given {
        let formats = bind.parameter_formats.len();
        return Err(protocol_error(format!("bind message has {formats} parameter formats but {given} parameters")));
    }
    let formats = spread(&bind.parameter_formats, given).unwrap_or_default();
    let decode = |(index, value): (usize, &Option<bytes::Bytes>)| {
        let oid = planned.parameter_oids.get(index).copied().unwrap_or(0);
        let format = formats.get(index).copied().unwrap_or(0);
        decode::parameter(value.as_deref(), format, oid, fields[index].data_type(), index + 1)
    };
    bind.parameters.iter().enumerate().map(decode).collect()
}
