//! The tests of the whole. One program, so that it is linked once.

mod app_tokens;
mod astra;
mod crash;
mod decisions;
mod felt;
mod house;
mod large;
mod logs;
mod native;
mod oauth;
mod openshift;
mod operators;
mod organisations;
mod quay_cases;
mod quay_clients;
mod quay_tour;
mod refusals;
mod registry;
mod repositories;
mod secrecy;
mod service;
mod still;
mod store;
mod story;
mod superusers;
mod users;
