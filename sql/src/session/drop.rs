//! DROP.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::ObjectName;
use monsoon_circuit::RelationId;

use super::Session;
use super::resolve::{folded, position, simple_name};
use super::text_rows::complete;
use crate::catalog::{Kind, Relation, Snapshot};
use crate::database::EngineChange;
use crate::error::{Result, SqlError};
use crate::response::Response;
use crate::statement::{Drop, Statement};

impl Session {
    pub(super) async fn drop_relations(&mut self, statement: &Statement, drop: &Drop) -> Result<Response> {
        let Some(kind) = Kind::of_object(drop.kind) else {
            return Err(SqlError::unsupported("DROP COLUMN is not supported"));
        };
        let tag = format!("DROP {}", kind.word().to_uppercase());
        let change = self.database.begin_change().await;
        let mut dropped: Vec<Arc<Relation>> = Vec::new();
        for name in &drop.names {
            if let Some(relation) = self.to_drop(statement, &change.before, kind, name, drop.if_exists)?
                && !dropped.iter().any(|known| known.id == relation.id)
            {
                dropped.push(relation);
            }
        }
        if dropped.is_empty() {
            return complete(tag);
        }
        let dependants = dependants(&change.before, &dropped);
        if !drop.cascade {
            refuse_dependants(&dropped, &dependants)?;
        }
        let named = dropped.len();
        let all: Vec<Arc<Relation>> =
            dropped.into_iter().chain(dependants.into_iter().map(|(dependant, _)| dependant)).collect();
        if let Some((relation, user)) =
            all.iter().find_map(|relation| Some((relation, self.database.topologies.user_of(relation.id)?)))
        {
            let (kind, name) = (relation.kind.word(), &relation.name);
            return Err(SqlError::new("2BP01", format!("cannot drop {kind} {name} because topology {user} uses it"))
                .with_hint("use KILL TOPOLOGY first"));
        }
        for dependant in &all[named..] {
            self.notice("NOTICE", "00000", format!("drop cascades to {} {}", dependant.kind.word(), dependant.name));
        }
        let ids: Vec<RelationId> = all.iter().map(|relation| relation.id).collect();
        let run: Vec<RelationId> =
            all.iter().filter(|relation| relation.is_run()).map(|relation| relation.id).collect();
        let after = change.before.without(&ids);
        let engine = if run.is_empty() { EngineChange::Nothing } else { EngineChange::Drop(run) };
        change.commit(after, engine).await?;
        complete(tag)
    }

    fn to_drop(
        &mut self,
        statement: &Statement,
        snapshot: &Snapshot,
        kind: Kind,
        name: &ObjectName,
        if_exists: bool,
    ) -> Result<Option<Arc<Relation>>> {
        let ident = simple_name(statement, name)?;
        let name = folded(ident);
        let word = kind.word();
        match snapshot.by_name(&name) {
            Some(relation) if relation.kind == kind => Ok(Some(Arc::clone(relation))),
            Some(relation) => {
                let other = relation.kind.word();
                Err(SqlError::new("42809", format!("\"{name}\" is not a {word}"))
                    .with_hint(format!("use DROP {} to remove a {other}", other.to_uppercase()))
                    .at(position(statement, ident)))
            }
            None if if_exists => {
                self.notice("NOTICE", "00000", format!("{word} \"{name}\" does not exist, skipping"));
                Ok(None)
            }
            None => {
                Err(SqlError::new("42P01", format!("{word} \"{name}\" does not exist")).at(position(statement, ident)))
            }
        }
    }
}

/// What reads any of `dropped` and isn't among them, each with what it reads.
fn dependants(snapshot: &Snapshot, dropped: &[Arc<Relation>]) -> Vec<(Arc<Relation>, Arc<Relation>)> {
    let mut gone: Vec<Arc<Relation>> = dropped.to_vec();
    let mut found = Vec::new();
    let mut next = 0;
    while let Some(relation) = gone.get(next).cloned() {
        next += 1;
        for dependant in snapshot.dependants(relation.id) {
            if !gone.iter().any(|known| known.id == dependant.id) {
                gone.push(Arc::clone(&dependant));
                found.push((dependant, Arc::clone(&relation)));
            }
        }
    }
    found
}

fn refuse_dependants(dropped: &[Arc<Relation>], dependants: &[(Arc<Relation>, Arc<Relation>)]) -> Result<()> {
    let (Some(first), false) = (dropped.first(), dependants.is_empty()) else { return Ok(()) };
    let line = |(dependant, on): &(Arc<Relation>, Arc<Relation>)| {
        format!("{} {} depends on {} {}", dependant.kind.word(), dependant.name, on.kind.word(), on.name)
    };
    let (kind, name) = (first.kind.word(), &first.name);
    Err(SqlError::new("2BP01", format!("cannot drop {kind} {name} because other objects depend on it"))
        .with_detail(dependants.iter().map(line).collect::<Vec<_>>().join("\n"))
        .with_hint("use DROP ... CASCADE to drop the dependent objects too"))
}
