mod decisions;
mod facts;
mod naive;
mod read_only;
