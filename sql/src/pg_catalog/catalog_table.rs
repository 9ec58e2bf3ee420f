//! `CatalogTable`: a table whose rows are made when it is read.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::table_spec::{Row, TableSpec};
use crate::function::SessionFacts;

/// Makes the rows of a table.
pub(super) type Rows = fn(&dyn SessionFacts) -> Vec<Row>;

/// A table of the catalog: name, columns, rows.
pub(super) type Definition = (&'static str, &'static str, Rows);

/// A table made from the session's facts.
pub(super) struct CatalogTable {
    name: &'static str,
    spec: TableSpec,
    rows: Rows,
    facts: Arc<dyn SessionFacts>,
}

impl CatalogTable {
    /// The table of a definition.
    pub(super) fn new((name, columns, rows): Definition, facts: Arc<dyn SessionFacts>) -> CatalogTable {
        CatalogTable { name, spec: TableSpec::parse(columns), rows, facts }
    }
}

impl fmt::Debug for CatalogTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CatalogTable").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for CatalogTable {
    fn schema(&self) -> SchemaRef {
        self.spec.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = (self.rows)(self.facts.as_ref());
        let table = MemTable::try_new(self.spec.schema(), vec![vec![self.spec.batch(&rows)?]])?;
        table.scan(state, projection, filters, limit).await
    }
}
