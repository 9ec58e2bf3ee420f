//! Tables of `pg_catalog` about the server: schemas, databases, roles, settings.

use super::catalog_table::Definition;
use super::snapshot::{
    DATABASE_OID, NAMESPACE_INFORMATION_SCHEMA, NAMESPACE_PG_CATALOG, NAMESPACE_PUBLIC, OWNER, OWNER_OID,
};
use super::table_spec::Row;
use crate::function::SessionFacts;

/// The role of a session that isn't the owner.
const SESSION_ROLE_OID: u32 = 16_383;

/// The tables.
pub(super) const TABLES: &[Definition] = &[
    ("pg_namespace", "oid:oid nspname:name nspowner:oid nspacl:text[] tableoid:oid=2615", namespaces),
    (
        "pg_database",
        "oid:oid datname:name datdba:oid encoding:int4=6 datlocprovider:char=c datistemplate:bool=f datallowconn:bool=t \
         datconnlimit:int4=-1 datfrozenxid:xid=0 datminmxid:xid=1 dattablespace:oid=1663 datcollate:text=C datctype:text=C \
         daticulocale:text datlocale:text daticurules:text datcollversion:text datacl:text[] tableoid:oid=1262",
        databases,
    ),
    ("pg_roles", ROLES, roles),
    (
        "pg_user",
        "usename:name usesysid:oid usecreatedb:bool=t usesuper:bool=t userepl:bool=f usebypassrls:bool=t passwd:text valuntil:timestamptz useconfig:text[]",
        users,
    ),
    ("pg_db_role_setting", "setdatabase:oid setrole:oid setconfig:text[]", nothing),
    ("pg_group", "groname:name grosysid:oid grolist:oid[]", nothing),
    (
        "pg_settings",
        "name:text setting:text unit:text category:text=Monsoon short_desc:text extra_desc:text context:text=user vartype:text=string \
         source:text min_val:text max_val:text enumvals:text[] boot_val:text reset_val:text sourcefile:text sourceline:int4 \
         pending_restart:bool=f",
        settings,
    ),
    (
        "pg_stat_activity",
        "datid:oid=5 datname:name pid:int4 usesysid:oid usename:name application_name:text client_addr:text client_port:int4 \
         backend_start:timestamptz query_start:timestamptz state:text=active wait_event_type:text wait_event:text query:text \
         backend_type:text backend_xid:xid backend_xmin:xid",
        activity,
    ),
    ("pg_locks", "locktype:text database:oid relation:oid pid:int4 mode:text granted:bool", nothing),
    (
        "pg_stat_gssapi",
        "pid:int4 gss_authenticated:bool=f principal:text encrypted:bool=f credentials_delegated:bool=f",
        gssapi,
    ),
    ("pg_stat_ssl", "pid:int4 ssl:bool=f version:text cipher:text bits:int4", gssapi),
    (
        "pg_sequences",
        "schemaname:name sequencename:name sequenceowner:name data_type:text start_value:int8 last_value:int8",
        nothing,
    ),
    ("pg_prepared_statements", "name:text statement:text from_sql:bool", nothing),
    ("pg_prepared_xacts", "transaction:xid gid:text owner:name database:name", nothing),
    ("pg_cursors", "name:text statement:text is_holdable:bool", nothing),
    ("pg_available_extensions", "name:name default_version:text installed_version:text comment:text", nothing),
    ("pg_timezone_names", "name:text abbrev:text utc_offset:text is_dst:bool", nothing),
    ("pg_rules", "schemaname:name tablename:name rulename:name definition:text", nothing),
    ("pg_policies", "schemaname:name tablename:name policyname:name permissive:text", nothing),
    ("pg_publication_tables", "pubname:name schemaname:name tablename:name", nothing),
    ("pg_replication_slots", "slot_name:name plugin:name slot_type:text datoid:oid database:name active:bool", nothing),
];

const ROLES: &str = "oid:oid rolname:name rolsuper:bool=t rolinherit:bool=t rolcreaterole:bool=t rolcreatedb:bool=t \
    rolcanlogin:bool=t rolreplication:bool=f rolconnlimit:int4=-1 rolpassword:text rolvaliduntil:timestamptz rolbypassrls:bool=t \
    rolconfig:text[]";

fn nothing(_: &dyn SessionFacts) -> Vec<Row> {
    Vec::new()
}

fn namespaces(_: &dyn SessionFacts) -> Vec<Row> {
    [
        (NAMESPACE_PG_CATALOG, "pg_catalog"),
        (NAMESPACE_PUBLIC, "public"),
        (NAMESPACE_INFORMATION_SCHEMA, "information_schema"),
    ]
    .map(|(oid, name)| vec![("oid", oid.into()), ("nspname", name.into()), ("nspowner", OWNER_OID.into())])
    .to_vec()
}

fn databases(facts: &dyn SessionFacts) -> Vec<Row> {
    vec![vec![("oid", DATABASE_OID.into()), ("datname", facts.database().into()), ("datdba", OWNER_OID.into())]]
}

/// The owner, and the session's user if it is another.
fn role_names(facts: &dyn SessionFacts) -> Vec<(u32, String)> {
    let mut roles = vec![(OWNER_OID, OWNER.to_owned())];
    let user = facts.user();
    if user != OWNER {
        roles.push((SESSION_ROLE_OID, user));
    }
    roles
}

fn roles(facts: &dyn SessionFacts) -> Vec<Row> {
    role_names(facts).into_iter().map(|(oid, name)| vec![("oid", oid.into()), ("rolname", name.into())]).collect()
}

fn users(facts: &dyn SessionFacts) -> Vec<Row> {
    role_names(facts).into_iter().map(|(oid, name)| vec![("usesysid", oid.into()), ("usename", name.into())]).collect()
}

/// Settings of Postgres that clients ask `pg_settings` for and that mean nothing here.
const POSTGRES_ONLY: &[(&str, &str)] = &[("max_index_keys", "32"), ("max_identifier_length", "63"), ("jit", "off")];

fn settings(facts: &dyn SessionFacts) -> Vec<Row> {
    let mut rows = Vec::new();
    let known = facts.settings();
    for (name, value) in POSTGRES_ONLY {
        if known.iter().all(|setting| setting.name != *name) {
            rows.push(setting_row(name, value, value, ""));
        }
    }
    rows.extend(known.iter().map(|it| setting_row(&it.name, &it.value, &it.default, &it.description)));
    rows
}

fn setting_row(name: &str, value: &str, default: &str, description: &str) -> Row {
    vec![
        ("name", name.into()),
        ("setting", value.into()),
        ("short_desc", description.into()),
        ("source", if value == default { "default" } else { "session" }.into()),
        ("boot_val", default.into()),
        ("reset_val", default.into()),
    ]
}

fn activity(facts: &dyn SessionFacts) -> Vec<Row> {
    vec![vec![
        ("datname", facts.database().into()),
        ("pid", facts.backend_pid().into()),
        ("usename", facts.user().into()),
        ("application_name", facts.setting("application_name").into()),
        ("backend_type", "client backend".into()),
    ]]
}

fn gssapi(facts: &dyn SessionFacts) -> Vec<Row> {
    vec![vec![("pid", facts.backend_pid().into())]]
}
