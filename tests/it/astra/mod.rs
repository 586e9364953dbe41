//! The Astra door.

mod cases;
mod gate;
mod lists;
mod tenants;
mod tokens;
mod users;
mod world;
