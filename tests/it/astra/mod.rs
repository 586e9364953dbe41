//! The Astra door.

mod cases;
mod gate;
mod tokens;
mod world;
