//! The kitchen of Claviger: use cases, who is calling, caches, signing and the work in the
//! background. It knows nothing of HTTP, and SQL only through `claviger_store`.

mod access;
mod accounts;
pub mod activity;
pub mod app;
pub mod app_tokens;
pub mod applications;
mod authn;
pub mod authorizations;
pub mod caller;
pub mod decisions;
pub mod entities;
pub mod facts;
pub mod install;
pub mod keys;
pub mod logs;
mod minting;
mod names;
pub mod oauth_assign;
pub mod oauth_authorize;
pub mod oauth_token;
pub mod organisations;
pub mod own_user;
pub mod passwords;
pub mod permissions;
pub mod program;
pub mod prototypes;
pub mod reach;
pub mod registry;
mod replica;
pub mod repositories;
pub mod robots;
pub mod search;
pub mod sessions;
pub mod settings;
pub mod signing;
pub mod stars;
pub mod superusers;
pub mod sweep;
pub mod teams;
pub mod throttle;
pub mod users;

pub use access::NamespaceAdmin;
pub use app::{App, Opened};
pub use caller::{Caller, Credential, FreshUser, Origin};
pub use settings::Settings;
