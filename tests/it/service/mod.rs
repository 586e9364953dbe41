mod decisions;
mod facts;
mod lists;
mod naive;
mod read_only;
