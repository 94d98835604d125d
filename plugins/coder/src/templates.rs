//! `list_templates`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Hints, Result, Tool};

use crate::{
    LOOKS,
    ask::Coder,
    template::{Parameter, Preset, Template},
};

/// Lists the templates that agents can be made from; of one that is named, also its parameters and presets.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListTemplates {
    /// The name or the id of one.
    template_name: Option<String>,
    /// Which Coder, where the configuration names more than one.
    deployment: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Templates {
    success: bool,
    data: Vec<Row>,
}

#[derive(Serialize, JsonSchema)]
struct Row {
    #[serde(flatten)]
    template: Template,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Vec<Parameter>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presets: Option<Vec<Preset>>,
}

impl Tool for ListTemplates {
    const NAME: &'static str = "list_templates";
    const TITLE: Option<&'static str> = Some("List templates");
    const HINTS: Hints = LOOKS;
    type Output = Templates;

    fn run(self, call: &Call) -> Result<Templates> {
        let coder = Coder::of(call, self.deployment.as_deref())?;
        let data = match &self.template_name {
            None => {
                let row = |template| Row { template, parameters: None, presets: None };
                Template::all(&coder)?.into_iter().map(row).collect()
            }
            Some(name) => {
                let template = Template::named(&coder, Some(name))?;
                let parameters = Some(template.parameters(&coder)?);
                let presets = Some(template.presets(&coder)?);
                vec![Row { template, parameters, presets }]
            }
        };
        Ok(Templates { success: true, data })
    }
}
