//! The schemas as DataFusion's `SchemaProvider`s.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::Result;

use super::catalog_table::{CatalogTable, Definition};
use super::static_tables::static_tables;
use super::{information_schema, relation_tables, server_tables};
use crate::function::SessionFacts;

/// The schema `pg_catalog` of a session.
pub fn schema_provider(facts: &Arc<dyn SessionFacts>) -> Arc<dyn SchemaProvider> {
    let mut tables: BTreeMap<String, Arc<dyn TableProvider>> =
        static_tables().iter().map(|(name, table)| ((*name).to_owned(), Arc::clone(table))).collect();
    add(&mut tables, relation_tables::TABLES, facts);
    add(&mut tables, server_tables::TABLES, facts);
    Arc::new(FixedSchema { tables })
}

/// The schema `information_schema` of a session.
pub fn information_schema_provider(facts: &Arc<dyn SessionFacts>) -> Arc<dyn SchemaProvider> {
    let mut tables = BTreeMap::new();
    add(&mut tables, information_schema::TABLES, facts);
    Arc::new(FixedSchema { tables })
}

fn add(
    tables: &mut BTreeMap<String, Arc<dyn TableProvider>>,
    definitions: &[Definition],
    facts: &Arc<dyn SessionFacts>,
) {
    for definition in definitions {
        tables.insert(definition.0.to_owned(), Arc::new(CatalogTable::new(*definition, Arc::clone(facts))));
    }
}

/// A schema whose tables don't change (their rows do).
#[derive(Debug)]
struct FixedSchema {
    tables: BTreeMap<String, Arc<dyn TableProvider>>,
}

#[async_trait]
impl SchemaProvider for FixedSchema {
    fn table_names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(self.tables.get(name).cloned())
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }
}
