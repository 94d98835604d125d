//! Compose: stacks that a file describes, made and kept as it says.
//!
//! What is pure goes from the file's text to a plan; what acts goes from a plan and what there is to what there should be.

mod load;
mod yaml;
mod interpolate;
mod dotenv;
mod extends;
mod place;
mod support;
mod read;
mod service;
mod process;
mod ports;
mod mounts;
mod networking;
mod limits;
mod given;
mod top;
mod plan;
mod levels;
