//! Tables of `pg_catalog` about our relations.

use arrow::datatypes::Field;

use super::catalog_table::Definition;
use super::snapshot::{NAMESPACE_PUBLIC, OWNER, OWNER_OID, RelationInfo, RelationKind};
use super::table_spec::{Row, Value};
use crate::function::SessionFacts;
use crate::pg_type::pg_type;

/// `btree` and `heap` in `pg_am`.
const AM_BTREE: u32 = 403;
const AM_HEAP: u32 = 2;
/// The default collation.
const COLLATION_DEFAULT: u32 = 100;

/// The tables.
pub(super) const TABLES: &[Definition] = &[
    (
        "pg_class",
        "oid:oid relname:name relnamespace:oid reltype:oid=0 reloftype:oid=0 relowner:oid relam:oid=0 relfilenode:oid=0 \
         reltablespace:oid=0 relpages:int4=0 reltuples:float4=-1 relallvisible:int4=0 reltoastrelid:oid=0 relhasindex:bool=f \
         relisshared:bool=f relpersistence:char=p relkind:char relnatts:int2 relchecks:int2=0 relhasrules:bool=f \
         relhastriggers:bool=f relhassubclass:bool=f relrowsecurity:bool=f relforcerowsecurity:bool=f relispopulated:bool=t \
         relreplident:char=d relispartition:bool=f relrewrite:oid=0 relfrozenxid:xid=0 relminmxid:xid=0 relacl:text[] \
         reloptions:text[] relpartbound:text tableoid:oid=1259",
        classes,
    ),
    (
        "pg_attribute",
        "attrelid:oid attname:name atttypid:oid attstattarget:int4=-1 attlen:int2 attnum:int2 attndims:int4=0 \
         attcacheoff:int4=-1 atttypmod:int4 attbyval:bool=f attalign:char=i attstorage:char attcompression:char='' \
         attnotnull:bool atthasdef:bool=f atthasmissing:bool=f attidentity:char='' attgenerated:char='' attisdropped:bool=f \
         attislocal:bool=t attinhcount:int4=0 attcollation:oid attacl:text[] attoptions:text[] attfdwoptions:text[] \
         attmissingval:text tableoid:oid=1249",
        attributes,
    ),
    (
        "pg_index",
        "indexrelid:oid indrelid:oid indnatts:int2 indnkeyatts:int2 indisunique:bool=t indnullsnotdistinct:bool=f \
         indisprimary:bool=t indisexclusion:bool=f indimmediate:bool=t indisclustered:bool=f indisvalid:bool=t \
         indcheckxmin:bool=f indisready:bool=t indislive:bool=t indisreplident:bool=f indkey:int2vector \
         indcollation:oidvector indclass:oidvector indoption:int2vector indexprs:text indpred:text",
        indexes,
    ),
    (
        "pg_constraint",
        "oid:oid conname:name connamespace:oid contype:char=p condeferrable:bool=f condeferred:bool=f convalidated:bool=t \
         conrelid:oid contypid:oid=0 conindid:oid conparentid:oid=0 confrelid:oid=0 confupdtype:char='' confdeltype:char='' \
         confmatchtype:char='' conislocal:bool=t coninhcount:int4=0 connoinherit:bool=t conkey:int2[] confkey:int2[] \
         conpfeqop:oid[] conppeqop:oid[] conffeqop:oid[] confdelsetcols:int2[] conexclop:oid[] conbin:text tableoid:oid=2606",
        constraints,
    ),
    ("pg_description", "objoid:oid classoid:oid=1259 objsubid:int4 description:text", descriptions),
    (
        "pg_tables",
        "schemaname:name=public tablename:name tableowner:name tablespace:name hasindexes:bool hasrules:bool=f \
         hastriggers:bool=f rowsecurity:bool=f",
        tables,
    ),
    ("pg_views", "schemaname:name=public viewname:name viewowner:name definition:text", views),
    (
        "pg_matviews",
        "schemaname:name=public matviewname:name matviewowner:name tablespace:name hasindexes:bool=f ispopulated:bool=t \
         definition:text",
        materialized_views,
    ),
    ("pg_indexes", "schemaname:name=public tablename:name indexname:name tablespace:name indexdef:text", index_list),
    (
        "pg_stat_user_tables",
        "relid:oid schemaname:name=public relname:name seq_scan:int8=0 seq_tup_read:int8=0 idx_scan:int8=0 \
         idx_tup_fetch:int8=0 n_tup_ins:int8=0 n_tup_upd:int8=0 n_tup_del:int8=0 n_live_tup:int8=0 n_dead_tup:int8=0",
        table_statistics,
    ),
    (
        "monsoon_primary_key_column",
        "table_schem:name=public table_name:name column_name:name key_seq:int4 pk_name:name",
        key_columns,
    ),
];

fn visible(facts: &dyn SessionFacts) -> Vec<RelationInfo> {
    let mut relations = facts.relations();
    relations.retain(|relation| relation.kind.relkind().is_some());
    relations.sort_by_key(|relation| relation.oid);
    relations
}

fn with_key(facts: &dyn SessionFacts) -> Vec<RelationInfo> {
    let mut relations = visible(facts);
    relations.retain(RelationInfo::has_key);
    relations
}

fn classes(facts: &dyn SessionFacts) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in visible(facts) {
        let is_stored = relation.kind != RelationKind::View;
        rows.push(vec![
            ("oid", relation.oid.into()),
            ("relname", relation.name.as_str().into()),
            ("relnamespace", NAMESPACE_PUBLIC.into()),
            ("relowner", OWNER_OID.into()),
            ("relam", if is_stored { AM_HEAP } else { 0 }.into()),
            ("relfilenode", if is_stored { relation.oid } else { 0 }.into()),
            ("relkind", relation.kind.relkind().into()),
            ("relnatts", relation.columns.fields().len().into()),
            ("relhasindex", relation.has_key().into()),
        ]);
        if relation.has_key() {
            rows.push(vec![
                ("oid", relation.index_oid().into()),
                ("relname", relation.key_name().into()),
                ("relnamespace", NAMESPACE_PUBLIC.into()),
                ("relowner", OWNER_OID.into()),
                ("relam", AM_BTREE.into()),
                ("relfilenode", relation.index_oid().into()),
                ("relkind", "i".into()),
                ("relnatts", relation.key.len().into()),
                ("relreplident", "n".into()),
            ]);
        }
    }
    rows
}

fn attributes(facts: &dyn SessionFacts) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in visible(facts) {
        for (place, field) in relation.columns.fields().iter().enumerate() {
            rows.push(attribute(relation.oid, place, field));
        }
        if relation.has_key() {
            for (place, column) in relation.key.iter().enumerate() {
                if let Some(field) = relation.columns.fields().get(*column) {
                    rows.push(attribute(relation.index_oid(), place, field));
                }
            }
        }
    }
    rows
}

fn attribute(relation_oid: u32, place: usize, field: &Field) -> Row {
    let pg_type = pg_type(field);
    let is_text = matches!(pg_type.name, "text" | "varchar" | "bpchar");
    let is_array = pg_type.array_element.is_some();
    let storage = match (pg_type.name, pg_type.size) {
        ("numeric", _) => "m",
        (_, -1) => "x",
        _ => "p",
    };
    vec![
        ("attrelid", relation_oid.into()),
        ("attname", field.name().as_str().into()),
        ("atttypid", pg_type.oid.into()),
        ("attlen", i32::from(pg_type.size).into()),
        ("attnum", (place + 1).into()),
        ("attndims", i32::from(is_array).into()),
        ("atttypmod", pg_type.typmod.into()),
        ("attbyval", (1..=8).contains(&pg_type.size).into()),
        ("attalign", if pg_type.size == 8 { "d" } else { "i" }.into()),
        ("attstorage", storage.into()),
        ("attnotnull", (!field.is_nullable()).into()),
        ("attcollation", if is_text { COLLATION_DEFAULT } else { 0 }.into()),
    ]
}

/// Column numbers from 1.
fn key_numbers(relation: &RelationInfo) -> Value {
    Value::Ints(relation.key.iter().map(|place| i64::try_from(place + 1).unwrap_or(i64::MAX)).collect())
}

fn indexes(facts: &dyn SessionFacts) -> Vec<Row> {
    let row = |relation: &RelationInfo| -> Row {
        let zeros = Value::Ints(vec![0; relation.key.len()]);
        vec![
            ("indexrelid", relation.index_oid().into()),
            ("indrelid", relation.oid.into()),
            ("indnatts", relation.key.len().into()),
            ("indnkeyatts", relation.key.len().into()),
            ("indkey", key_numbers(relation)),
            ("indcollation", zeros.clone()),
            ("indclass", zeros.clone()),
            ("indoption", zeros),
        ]
    };
    with_key(facts).iter().map(row).collect()
}

fn constraints(facts: &dyn SessionFacts) -> Vec<Row> {
    let row = |relation: &RelationInfo| -> Row {
        vec![
            ("oid", relation.constraint_oid().into()),
            ("conname", relation.key_name().into()),
            ("connamespace", NAMESPACE_PUBLIC.into()),
            ("conrelid", relation.oid.into()),
            ("conindid", relation.index_oid().into()),
            ("conkey", key_numbers(relation)),
        ]
    };
    with_key(facts).iter().map(row).collect()
}

fn descriptions(facts: &dyn SessionFacts) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in visible(facts) {
        if let Some(comment) = &relation.comment {
            rows.push(vec![
                ("objoid", relation.oid.into()),
                ("objsubid", 0.into()),
                ("description", comment.as_str().into()),
            ]);
        }
        for (place, comment) in &relation.column_comments {
            rows.push(vec![
                ("objoid", relation.oid.into()),
                ("objsubid", (place + 1).into()),
                ("description", comment.as_str().into()),
            ]);
        }
    }
    rows
}

fn of_kinds(facts: &dyn SessionFacts, kinds: &[RelationKind]) -> Vec<RelationInfo> {
    let mut relations = visible(facts);
    relations.retain(|relation| kinds.contains(&relation.kind));
    relations
}

fn tables(facts: &dyn SessionFacts) -> Vec<Row> {
    let row = |relation: &RelationInfo| -> Row {
        vec![
            ("tablename", relation.name.as_str().into()),
            ("tableowner", OWNER.into()),
            ("hasindexes", relation.has_key().into()),
        ]
    };
    of_kinds(facts, &[RelationKind::Stream, RelationKind::Table]).iter().map(row).collect()
}

/// As Postgres shows a view's query.
pub(super) fn definition(relation: &RelationInfo) -> Value {
    relation.definition.as_ref().map(|sql| format!(" {sql};")).into()
}

fn views(facts: &dyn SessionFacts) -> Vec<Row> {
    let row = |relation: &RelationInfo| -> Row {
        vec![
            ("viewname", relation.name.as_str().into()),
            ("viewowner", OWNER.into()),
            ("definition", definition(relation)),
        ]
    };
    of_kinds(facts, &[RelationKind::View]).iter().map(row).collect()
}

fn materialized_views(facts: &dyn SessionFacts) -> Vec<Row> {
    let row = |relation: &RelationInfo| -> Row {
        vec![
            ("matviewname", relation.name.as_str().into()),
            ("matviewowner", OWNER.into()),
            ("definition", definition(relation)),
        ]
    };
    of_kinds(facts, &[RelationKind::MaterializedView]).iter().map(row).collect()
}

fn index_list(facts: &dyn SessionFacts) -> Vec<Row> {
    let row = |relation: &RelationInfo| -> Row {
        let columns = relation.key_columns().join(", ");
        let sql =
            format!("CREATE UNIQUE INDEX {} ON public.{} USING btree ({columns})", relation.key_name(), relation.name);
        vec![
            ("tablename", relation.name.as_str().into()),
            ("indexname", relation.key_name().into()),
            ("indexdef", sql.into()),
        ]
    };
    with_key(facts).iter().map(row).collect()
}

fn table_statistics(facts: &dyn SessionFacts) -> Vec<Row> {
    let row = |relation: &RelationInfo| -> Row {
        vec![("relid", relation.oid.into()), ("relname", relation.name.as_str().into())]
    };
    of_kinds(facts, &[RelationKind::Stream, RelationKind::Table, RelationKind::MaterializedView])
        .iter()
        .map(row)
        .collect()
}

/// What pgjdbc's `getPrimaryKeys` is answered from.
fn key_columns(facts: &dyn SessionFacts) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in with_key(facts) {
        for (place, column) in relation.key_columns().into_iter().enumerate() {
            rows.push(vec![
                ("table_name", relation.name.as_str().into()),
                ("column_name", column.into()),
                ("key_seq", (place + 1).into()),
                ("pk_name", relation.key_name().into()),
            ]);
        }
    }
    rows
}
