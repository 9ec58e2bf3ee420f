//! Tests of windows: Storm's cases, random events against the definition, pages, snapshots.

use super::*;

mod cases;
