//! Numbers of Postgres's own catalog tables, and of types by name.

use crate::data_type;
use crate::parser::parse_data_type;
use crate::pg_type::pg_type;

/// Sorted by name.
const RELATIONS: &[(&str, u32)] = &[
    ("pg_am", 2601),
    ("pg_attrdef", 2604),
    ("pg_attribute", 1249),
    ("pg_authid", 1260),
    ("pg_cast", 2605),
    ("pg_class", 1259),
    ("pg_collation", 3456),
    ("pg_constraint", 2606),
    ("pg_conversion", 2607),
    ("pg_database", 1262),
    ("pg_depend", 2608),
    ("pg_description", 2609),
    ("pg_enum", 3501),
    ("pg_event_trigger", 3466),
    ("pg_extension", 3079),
    ("pg_foreign_data_wrapper", 2328),
    ("pg_foreign_server", 1417),
    ("pg_index", 2610),
    ("pg_language", 2612),
    ("pg_namespace", 2615),
    ("pg_opclass", 2616),
    ("pg_operator", 2617),
    ("pg_opfamily", 2753),
    ("pg_policy", 3256),
    ("pg_proc", 1255),
    ("pg_publication", 6104),
    ("pg_rewrite", 2618),
    ("pg_tablespace", 1213),
    ("pg_trigger", 2620),
    ("pg_ts_config", 3602),
    ("pg_ts_dict", 3600),
    ("pg_type", 1247),
];

/// The number of a catalog table.
pub(crate) fn system_relation_oid(name: &str) -> Option<u32> {
    RELATIONS.binary_search_by_key(&name, |(relation, _)| relation).ok().map(|place| RELATIONS[place].1)
}

/// The catalog table of a number.
pub(crate) fn system_relation_name(oid: u32) -> Option<&'static str> {
    RELATIONS.iter().find(|(_, number)| *number == oid).map(|(name, _)| *name)
}

/// The number of the type that a text names, as SQL would name it; a number stays itself.
pub(crate) fn oid_of_type_name(name: &str) -> Option<u32> {
    if let Ok(oid) = name.trim().parse() {
        return Some(oid);
    }
    let sql_type = parse_data_type(name).ok()?;
    data_type::field("", &sql_type, true).ok().map(|field| pg_type(&field).oid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_both_ways() {
        assert!(RELATIONS.is_sorted());
        assert_eq!(system_relation_oid("pg_class"), Some(1259));
        assert_eq!(system_relation_name(1247), Some("pg_type"));
        assert_eq!(oid_of_type_name("integer[]"), Some(1007));
        assert_eq!(oid_of_type_name("hstore"), None);
    }
}
