//! The plugin `docker`: containers, networks, volumes and images that people name, on the real engine.

mod desk;
mod create;
mod containers;
mod networks;
mod volumes;
mod images;
mod exec;
mod prune;
mod refused;
mod consent;
mod together;
mod prompts;
mod surface;
mod compose;
