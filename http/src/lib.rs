//! The front rooms of Claviger: one door for each dialect, and the porch that they share.
//!
//! A request passes [`server`] (connections, TLS), [`routes`] (which door), the porch (request id,
//! client address, limits, headers, one log line) and then its door, which alone decides the order
//! of checks and the words. Nothing here knows the store.

pub mod access;
pub mod astra;
mod basic;
pub mod client_ip;
pub mod cross_site;
pub mod doors;
pub mod forward;
pub mod headers;
pub mod health;
pub mod limit;
pub mod log;
pub mod metrics;
pub mod native;
mod numbers;
pub mod oauth;
pub mod openshift;
pub mod origin;
mod parameters;
pub mod porch;
pub mod quay;
pub mod registry;
pub mod routes;
pub mod server;
mod told;
pub mod trace;

pub use origin::Visit;
pub use porch::Porch;
pub use routes::{Door, Face, Routes, Site};
