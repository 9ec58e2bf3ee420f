//! The page `docs/settings.md`, written from the table.

use std::fmt::Write;

use super::TABLE;

/// The whole page.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Settings\n\n\
         Written from the table in `server/src/settings.rs`; a test keeps it so (`UPDATE_DOCS=1 cargo test -p monsoon settings` rewrites it).\n\n\
         A value comes from the first of: flag (`--memory-limit 1GB`), environment (`MONSOON_MEMORY_LIMIT=1GB`), file \
         (`memory-limit = \"1GB\"` in the TOML file that `--config` or `MONSOON_CONFIG` names), default.\n\
         Bytes take `kB`, `MB`, `GB`, `TB` (powers of 1024); durations take `ms`, `s`, `min`, `h`, `d`, and are milliseconds without a unit.\n\n\
         | setting | default | kind | environment | meaning |\n|---|---|---|---|---|\n",
    );
    for setting in TABLE {
        // Writing to a string can't fail.
        let _ = writeln!(
            page,
            "| `{}` | `{}` | {} | `{}` | {} |",
            setting.name,
            setting.default,
            setting.kind,
            setting.environment(),
            setting.doc.trim()
        );
    }
    page
}
