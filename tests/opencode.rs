//! The plugin `opencode`: the real opencode, in containers of the real engine, with a model that does as it is told.

mod desk;
mod tasks;
mod ends;
mod permissions;
mod crashes;
mod sessions;
mod extras;
mod network;
mod together;
mod many;
mod surface;
