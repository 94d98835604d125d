//! What the host and the supervisor say to each other. The host links this; the program is in `main.rs`.

pub mod protocol;
pub mod frames;
