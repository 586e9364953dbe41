//! The store, held to the same on both engines.

mod acceptance;
mod alike;
mod endings;
mod schema;
