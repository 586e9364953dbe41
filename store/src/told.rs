//! What is told of statements, at the level `trace`: their text, never their values. Tests count
//! them.

/// Says that a statement is run.
pub(crate) fn sql(sql: &str) {
    tracing::trace!(target: "claviger_store::sql", sql);
}
