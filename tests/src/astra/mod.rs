//! The cases of `cases/astra.jsonl`: the world they are asked in, and how one is run.

mod case;
mod check;
mod seed;

pub use self::{
    case::{Case, Known, all},
    seed::world,
};
