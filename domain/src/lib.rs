//! The hearth of Claviger: names, tokens, scopes, roles, collections and the decision. Pure: no
//! clock, no chance, no I/O; what it needs is passed in.

pub mod access;
pub mod account;
mod base62;
pub mod collection;
pub mod duration;
pub mod error;
pub mod id;
pub mod inline;
pub mod lifetime;
pub mod name;
pub mod principal;
pub mod redirect;
pub mod role;
pub mod scope;
pub mod secret;
pub mod time;
pub mod token;

pub use error::{BadCredential, Conflict, Error};
pub use time::{Chance, Clock, UnixMillis};
pub use token::TokenKind;
