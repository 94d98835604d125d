//! `list-containers`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Hints, Result, Tool,
    engine::{self, Filter},
};

/// Lists containers.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListContainers {
    /// Also those that do not run.
    #[serde(default = "yes")]
    all: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Listed {
    names: Vec<String>,
}

impl Tool for ListContainers {
    const NAME: &'static str = "list-containers";
    const TITLE: Option<&'static str> = Some("List containers");
    const HINTS: Hints = Hints::READ_ONLY;
    type Output = Listed;

    fn run(self, _: &Call) -> Result<Listed> {
        let listed = engine::list(&Filter { all: self.all, labels: Vec::new() })?;
        Ok(Listed { names: listed.into_iter().map(|it| it.name).collect() })
    }
}

fn yes() -> bool {
    true
}
