//! Tables that are the same in every Postgres, as `datafusion-pg-catalog` has recorded them.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, Int32Array, RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion_pg_catalog::pg_catalog::{ArrowTable, PgCatalogStaticTables};

use super::system_relation::system_relation_oid;
use crate::pg_type::named_field;

type Tables = HashMap<&'static str, Arc<dyn TableProvider>>;

macro_rules! tables {
    ($recorded:expr; $($name:ident)*) => {
        [$((stringify!($name), $recorded.$name)),*]
    };
}

/// The tables by name. Decoded once per process; none if the recording can't be read.
pub(super) fn static_tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let Ok(recorded) = PgCatalogStaticTables::try_new() else {
            tracing::error!("the recorded catalog tables can't be read");
            return Tables::new();
        };
        let tables = tables!(recorded;
            pg_aggregate pg_am pg_amop pg_amproc pg_cast pg_collation pg_conversion pg_language pg_opclass pg_operator
            pg_opfamily pg_proc pg_range pg_ts_config pg_ts_dict pg_ts_parser pg_ts_template pg_type pg_attrdef
            pg_auth_members pg_authid pg_default_acl pg_depend pg_enum pg_event_trigger pg_extension
            pg_foreign_data_wrapper pg_foreign_server pg_foreign_table pg_inherits pg_init_privs pg_largeobject
            pg_largeobject_metadata pg_partitioned_table pg_policy pg_publication pg_publication_namespace
            pg_publication_rel pg_replication_origin pg_rewrite pg_seclabel pg_sequence pg_shdepend pg_shdescription
            pg_shseclabel pg_statistic pg_statistic_ext pg_statistic_ext_data pg_subscription pg_subscription_rel
            pg_tablespace pg_trigger pg_user_mapping
        );
        tables.into_iter().filter_map(|(name, table)| Some((name, provide(name, &table)?))).collect()
    })
}

/// The recorded table with the columns that some client asks for and the recording lacks: the number of the table
/// itself, which is a hidden column in Postgres, and names of columns in other versions.
fn provide(name: &'static str, recorded: &ArrowTable) -> Option<Arc<dyn TableProvider>> {
    let mut added: Vec<(Field, Option<i32>)> = Vec::new();
    if let Some(oid) = system_relation_oid(name) {
        added.push((named_field("tableoid", "oid"), i32::try_from(oid).ok()));
    }
    if name == "pg_collation" && recorded.schema().field_with_name("colliculocale").is_err() {
        added.push((named_field("colliculocale", "text"), None));
    }
    let mut fields: Vec<Arc<Field>> = recorded.schema().fields().iter().cloned().collect();
    fields.extend(added.iter().map(|(field, _)| Arc::new(field.clone())));
    let schema = Arc::new(Schema::new(fields));
    let mut batches = Vec::new();
    for batch in recorded.data() {
        let mut columns = batch.columns().to_vec();
        for (field, number) in &added {
            let column: ArrayRef = match number {
                Some(number) => Arc::new(Int32Array::from(vec![*number; batch.num_rows()])),
                None => new_null_array(field.data_type(), batch.num_rows()),
            };
            columns.push(column);
        }
        batches.push(RecordBatch::try_new(Arc::clone(&schema), columns).ok()?);
    }
    Some(Arc::new(MemTable::try_new(schema, vec![batches]).ok()?))
}
