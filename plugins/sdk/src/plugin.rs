//! The macros that turn tools, prompts and resources into a plugin.

use schemars::JsonSchema;

use crate::schema;

/// Exports some tools as a plugin that needs no configuration.
#[macro_export]
macro_rules! tools {
    ($($tool:ty),+ $(,)?) => {
        $crate::plugin! { tools: [$($tool),+] }
    };
}

/// Exports a plugin. All parts but `tools` may be left out; their order is fixed.
///
/// ```text
/// plugin! {
///     instructions: "What a model should know about the tools together.",
///     asks: include_str!("../grants.toml"),
///     config: Settings,
///     tools: [Clone, Run],
///     prompts: [Review],
///     resources: Notes,
///     jobs: [Build],
/// }
/// ```
#[macro_export]
macro_rules! plugin {
    (
        $(instructions: $instructions:expr,)?
        $(asks: $asks:expr,)?
        $(config: $config:ty,)?
        tools: [$($tool:ty),* $(,)?]
        $(, prompts: [$($prompt:ty),* $(,)?])?
        $(, resources: $resources:ty)?
        $(, jobs: [$($job:ty),* $(,)?])?
        $(,)?
    ) => {
        struct Plugin;

        impl $crate::private::tools::Guest for Plugin {
            fn describe() -> $crate::private::tools::Plugin {
                #[allow(unused_mut, unused_assignments, reason = "each part may be left out")]
                let (mut instructions, mut asks, mut config_schema) = (String::new(), String::new(), None);
                $(instructions = String::from($instructions);)?
                $(asks = String::from($asks);)?
                $(config_schema = Some($crate::private::config_schema::<$config>());)?
                $crate::private::tools::Plugin {
                    name: env!("CARGO_PKG_NAME").to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    instructions,
                    tools: vec![$($crate::private::describe_tool::<$tool>()),*],
                    asks,
                    config_schema,
                }
            }

            fn call(
                request: $crate::private::tools::Request,
            ) -> Result<$crate::private::tools::Outcome, $crate::types::Error> {
                $(if request.tool == <$tool as $crate::Tool>::NAME {
                    return $crate::private::run::<$tool>(request);
                })*
                Err($crate::Error::not_found(format!("no tool `{}`", request.tool)))
            }
        }

        impl $crate::private::prompts::Guest for Plugin {
            fn describe() -> Vec<$crate::private::prompts::Prompt> {
                vec![$($($crate::private::describe_prompt::<$prompt>()),*)?]
            }

            fn get(
                request: $crate::private::prompts::Request,
            ) -> Result<$crate::private::prompts::Outcome, $crate::types::Error> {
                $($(if request.prompt == <$prompt as $crate::Prompt>::NAME {
                    return $crate::private::get::<$prompt>(request);
                })*)?
                Err($crate::Error::not_found(format!("no prompt `{}`", request.prompt)))
            }

            fn complete(
                prompt: String,
                argument: String,
                typed: String,
                others: Vec<(String, String)>,
            ) -> Result<Vec<String>, $crate::types::Error> {
                $($(if prompt == <$prompt as $crate::Prompt>::NAME {
                    return $crate::private::complete::<$prompt>(&argument, &typed, others);
                })*)?
                let _ = (argument, typed, others);
                Err($crate::Error::not_found(format!("no prompt `{prompt}`")))
            }
        }

        $crate::jobs_or_none!($($($job),*)?);
        $crate::resources_or_none!($($resources)?);
        $crate::private::export!(Plugin with_types_in $crate::bindings);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! jobs_or_none {
    ($($job:ty),*) => {
        impl $crate::private::work::Guest for Plugin {
            fn run(
                job: $crate::private::work::Job,
            ) -> Result<$crate::private::work::Outcome, $crate::types::Error> {
                $(if job.kind == <$job as $crate::Job>::KIND {
                    return $crate::private::run_job::<$job>(job);
                })*
                Err($crate::Error::not_found(format!("no job of kind `{}`", job.kind)))
            }

            fn stopped(job: $crate::private::work::Job) -> Result<(), $crate::types::Error> {
                $(if job.kind == <$job as $crate::Job>::KIND {
                    return $crate::private::stopped_job::<$job>(job);
                })*
                Err($crate::Error::not_found(format!("no job of kind `{}`", job.kind)))
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! resources_or_none {
    () => {
        $crate::resources_or_none!($crate::NoResources);
    };
    ($resources:ty) => {
        impl $crate::private::resources::Guest for Plugin {
            fn describe() -> $crate::private::resources::Description {
                <$resources as $crate::Resources>::describe()
            }

            fn all(config: String) -> Result<Vec<$crate::types::Link>, $crate::types::Error> {
                <$resources as $crate::Resources>::all(&config)
            }

            fn read(
                uri: String,
                config: String,
            ) -> Result<Vec<$crate::types::ResourceContents>, $crate::types::Error> {
                <$resources as $crate::Resources>::read(&uri, &config)
            }

            fn complete(
                template: String,
                variable: String,
                typed: String,
                others: Vec<(String, String)>,
            ) -> Result<Vec<String>, $crate::types::Error> {
                <$resources as $crate::Resources>::complete(&template, &variable, &typed, &others)
            }
        }
    };
}

pub fn config_schema<T: JsonSchema>() -> String {
    schema::of::<T>().to_string()
}
