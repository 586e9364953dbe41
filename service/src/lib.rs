//! The kitchen of Claviger: use cases, who is calling, caches, signing and the work in the
//! background. It knows nothing of HTTP, and SQL only through `claviger_store`.

pub mod caller;
pub mod settings;

pub use caller::{Caller, Credential, FreshUser, Origin};
pub use settings::Settings;
