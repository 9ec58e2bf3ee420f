//! Tests over the whole: the oracle, which holds views against DataFusion's own answers.

pub mod oracle;
