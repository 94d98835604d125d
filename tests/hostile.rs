//! What a program inside does to get out, to stay, or to harm those beside it; and what the world does to the host.

mod room;
mod greed;
mod network;
mod engine;
