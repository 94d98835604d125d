//! What the author of a plugin needs: tools, prompts, resources and the capabilities of `wit/`.
//!
//! A tool is a struct. Its fields are the arguments, its doc comment is the description that models
//! read, and [`Tool::run`] is what it does. [`tools!`] makes a plugin of some tools; [`plugin!`]
//! names prompts, resources, configuration and grants besides.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use windlass_sdk::{Call, Hints, Result, Tool};
//!
//! /// Greets somebody.
//! #[derive(Deserialize, JsonSchema)]
//! struct Greet {
//!     /// Who is greeted.
//!     name: String,
//! }
//!
//! impl Tool for Greet {
//!     const NAME: &'static str = "greet";
//!     const HINTS: Hints = Hints::READ_ONLY;
//!     type Output = String;
//!
//!     fn run(self, _: &Call) -> Result<String> {
//!         Ok(format!("Hello, {}!", self.name))
//!     }
//! }
//!
//! windlass_sdk::tools![Greet];
//! # fn main() {}
//! ```

pub mod call;
pub mod clock;
pub mod content;
pub mod engine;
pub mod error;
pub mod http;
pub mod workspaces;
pub mod containers;
pub mod jobs;
pub mod port;
pub mod processes;
pub mod prompt;
pub mod resource;
pub mod schema;
pub mod settings;
pub mod store;
pub mod tool;
mod plugin;

#[doc(hidden)]
pub mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: "../../wit",
        world: "plugin",
        pub_export_macro: true,
        default_bindings_module: "windlass_sdk::bindings",
    });
}

pub use bindings::{
    exports::windlass::plugin::tools::Hints,
    windlass::plugin::{
        changes, files, images, log, memory, metrics, networks, progress, random, types, volumes,
    },
};
pub use call::{Call, Form, Questions, Stop};
pub use content::Content;
pub use error::Error;
pub use jobs::{Job, Run};
pub use prompt::{Message, Prompt};
pub use resource::{NoResources, Resources};
pub use tool::{Told, Tool};

/// What a tool or a prompt comes to: its output, or why it stopped.
pub type Result<T, E = Stop> = std::result::Result<T, E>;

#[doc(hidden)]
pub mod private {
    pub use crate::{
        bindings::{
            export,
            exports::windlass::plugin::{prompts, resources, tools, work},
        },
        jobs::{run as run_job, stopped as stopped_job},
        plugin::config_schema,
        prompt::{complete, describe as describe_prompt, get},
        tool::{describe as describe_tool, run},
    };
}
