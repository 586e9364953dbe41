//! The native door.

mod gate;
