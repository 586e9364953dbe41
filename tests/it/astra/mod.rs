//! The Astra door.

mod gate;
mod world;
