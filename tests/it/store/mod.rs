//! The store, held to the same on both engines.

mod acceptance;
mod endings;
mod schema;
