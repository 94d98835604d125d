//! Directories that containers work in.

pub use crate::bindings::windlass::plugin::workspaces::{
    Archived, Done, Kind, Moving, Page, Part, Removing, Selection, Stat, Step, Workspace, Writing,
    list,
};
