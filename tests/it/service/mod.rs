mod decisions;
mod facts;
