//! `StatementCatalog`: the tables one statement sees. It notes which relations were looked up, and holds the rows they are
//! read with, so that all of them are of one txid.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use monsoon_circuit::RelationId;
use parking_lot::Mutex;

use super::Scope;
use super::output_column::renamed;
use super::planner::statement_state;
use super::relation_table::{RelationTable, RowHolder};
use super::scope::{CATALOG, SCHEMA};
use crate::catalog::{Kind, Relation, Snapshot};
use crate::column_name::name_columns;
use crate::error::SqlError;
use crate::parser::parse_query;
use crate::window_function::rewrite_query;

/// The tables of a statement. Cheap to clone.
#[derive(Clone)]
pub(crate) struct StatementCatalog {
    inner: Arc<Inner>,
}

struct Inner {
    scope: Arc<Scope>,
    snapshot: Arc<Snapshot>,
    rows: Arc<RowHolder>,
    used: Mutex<BTreeSet<u32>>,
}

impl StatementCatalog {
    pub(crate) fn new(scope: Arc<Scope>, snapshot: Arc<Snapshot>) -> StatementCatalog {
        StatementCatalog { inner: Arc::new(Inner { scope, snapshot, rows: Arc::default(), used: Mutex::default() }) }
    }

    /// The relations that were looked up, through plain views too.
    pub(crate) fn used(&self) -> Vec<RelationId> {
        self.inner.used.lock().iter().map(|id| RelationId(*id)).collect()
    }

    /// Where the rows of the statement's relations are put before it runs.
    pub(crate) fn rows(&self) -> &Arc<RowHolder> {
        &self.inner.rows
    }

    /// The relations as of the statement's beginning.
    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.inner.snapshot
    }

    async fn relation_table(&self, relation: &Arc<Relation>) -> Result<Arc<dyn TableProvider>> {
        self.inner.used.lock().insert(relation.id.0);
        match relation.kind {
            Kind::Sink => {
                let error = SqlError::new("42809", format!("\"{}\" is a sink: it can't be read", relation.name));
                Err(DataFusionError::External(Box::new(error)))
            }
            Kind::View => {
                let plan = Box::pin(self.view_plan(relation)).await?;
                Ok(Arc::new(ViewTable::new(plan, relation.query.clone())))
            }
            _ => Ok(Arc::new(RelationTable::new(Arc::clone(relation), Arc::clone(&self.inner.rows)))),
        }
    }

    /// A plain view is its query, planned anew wherever it is named.
    async fn view_plan(&self, relation: &Relation) -> Result<LogicalPlan> {
        let external = |error: SqlError| DataFusionError::External(Box::new(error));
        let sql = relation.query.as_deref().unwrap_or_default();
        let mut query = parse_query(sql).map_err(external)?;
        rewrite_query(&mut query, sql, 0).map_err(external)?;
        name_columns(&mut query);
        let state = statement_state(self);
        let plan = state.statement_to_plan(Statement::Statement(Box::new(ast::Statement::Query(query)))).await?;
        renamed(plan, &relation.column_names)
    }

    pub(super) fn scope(&self) -> &Arc<Scope> {
        &self.inner.scope
    }
}

impl fmt::Debug for StatementCatalog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StatementCatalog")
    }
}

impl CatalogProviderList for StatementCatalog {
    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| Arc::new(self.clone()) as Arc<dyn CatalogProvider>)
    }
}

impl CatalogProvider for StatementCatalog {
    fn schema_names(&self) -> Vec<String> {
        [SCHEMA, "pg_catalog", "information_schema", "monsoon"].map(str::to_owned).to_vec()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let scope = &self.inner.scope;
        match name {
            SCHEMA => Some(Arc::new(self.clone())),
            "pg_catalog" => Some(Arc::clone(&scope.pg_catalog)),
            "information_schema" => Some(Arc::clone(&scope.information_schema)),
            "monsoon" => Some(Arc::clone(&scope.monsoon)),
            _ => None,
        }
    }
}

#[async_trait]
impl SchemaProvider for StatementCatalog {
    fn table_names(&self) -> Vec<String> {
        self.inner.snapshot.relations().map(|relation| relation.name.clone()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.inner.snapshot.by_name(name) {
            Some(relation) => self.relation_table(relation).await.map(Some),
            // Postgres's search path has pg_catalog in it.
            None if name.starts_with("pg_") => self.inner.scope.pg_catalog.table(name).await,
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.inner.snapshot.by_name(name).is_some() || self.inner.scope.pg_catalog.table_exist(name)
    }
}
