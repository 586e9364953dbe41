//! The store, held to the same on both engines.

mod acceptance;
mod alike;
mod collection;
mod endings;
mod schema;
