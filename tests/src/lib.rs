//! What the tests share: the recorded cases and how they are compared, and the application they
//! talk to. The tests themselves are in `it`.

pub mod answer;
pub mod case;
pub mod scratch;
pub mod stands;
