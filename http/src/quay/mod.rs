//! The Quay door: `/api/v1`.

mod ascii;
mod avatar;
mod body;
mod date;
mod error;
mod face;
mod json;
mod path;
mod schema;
