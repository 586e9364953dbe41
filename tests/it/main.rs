//! The tests of the whole. One program, so that it is linked once.

mod house;
mod quay_cases;
mod refusals;
mod store;
mod story;
