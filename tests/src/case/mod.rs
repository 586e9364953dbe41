//! Exchanges recorded against Quay itself: `cases/quay.jsonl`, and the state before each group in
//! `cases/quay_seed.json`.
//!
//! [`mod@line`] reads them, [`template`] fills their placeholders, [`secrets`] puts our secrets in the
//! place of the recorded ones, [`compare`] says what of an answer does not hold, [`run`] sends a
//! group to a server. What is deliberately different, and what is still open, stands in
//! [`exceptions`].

pub mod compare;
pub mod exceptions;
pub mod jwt;
pub mod line;
pub mod run;
pub mod secrets;
pub mod seed;
pub mod settings;
pub mod template;
