//! The OpenShift door: its cases, what the real client sends, who gets in, and a model of what
//! lives.

mod cases;
mod client;
mod model;
mod rules;
