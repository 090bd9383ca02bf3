//! Bad input gets a clear answer and changes nothing.

mod bodies;
mod connections;
mod frames;
mod requests;
