//! What the tests share: the recorded cases and how they are compared, databases for one test, the
//! application they talk to, and real programs beside it. The tests themselves are in `it`.

pub mod answer;
pub mod app;
pub mod astra;
pub mod case;
pub mod described;
pub mod openshift;
pub mod real;
pub mod scratch;
pub mod server;
pub mod stands;
pub mod statements;
pub mod visitor;
