//! The Astra door.

mod cases;
mod client;
mod gate;
mod lists;
mod overtaken;
mod tenants;
mod tokens;
mod users;
mod walks;
mod world;
