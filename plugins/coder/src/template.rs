//! Templates: what workspaces are made from, and whether something can be made from one as it is wanted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::Error;

use crate::{
    ask::Coder,
    error::{self, About, Trouble},
    path::{encoded, is_id},
};

/// As many names as an error lists.
const MOST_NAMES: usize = 30;

/// A template, as Coder tells of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Template {
    pub(crate) id: String,
    pub(crate) name: String,
    display_name: String,
    description: String,
    pub(crate) organization_id: String,
    organization_name: String,
    pub(crate) active_version_id: String,
    deprecated: bool,
    deprecation_message: String,
}

/// A version of one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    job: Job,
    archived: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Job {
    status: String,
    error: Option<String>,
}

/// What can be set in a version of a template.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    description: String,
    #[serde(rename = "type")]
    kind: String,
    pub(crate) default_value: String,
    required: bool,
    options: Option<Vec<Choice>>,
    validation_min: Option<f64>,
    validation_max: Option<f64>,
}

/// One of the values that a parameter may have.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
struct Choice {
    name: String,
    value: String,
}

/// Values that go together. Coder writes it with capitals, and its document without.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Preset {
    #[serde(alias = "ID")]
    pub(crate) id: String,
    #[serde(alias = "Name")]
    pub(crate) name: String,
    #[serde(alias = "Default")]
    pub(crate) default: bool,
    #[serde(alias = "Parameters")]
    parameters: Option<Vec<PresetValue>>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
struct PresetValue {
    #[serde(alias = "Name")]
    name: String,
    #[serde(alias = "Value")]
    value: String,
}

impl Template {
    /// All that the token may see.
    pub(crate) fn all(coder: &Coder) -> Result<Vec<Self>, Error> {
        coder.get("/api/v2/templates").map_err(|trouble| trouble.about(About::Part))
    }

    /// The one of this name or id, or the only one that there is.
    pub(crate) fn named(coder: &Coder, wanted: Option<&str>) -> Result<Self, Error> {
        let all = Self::all(coder)?;
        let found = match wanted {
            None => all.iter().filter(|template| !template.deprecated).collect(),
            Some(id) if is_id(id) => all.iter().filter(|it| it.id == id).collect(),
            Some(name) if all.iter().any(|it| it.name == name) => {
                all.iter().filter(|it| it.name == name).collect()
            }
            Some(name) => all.iter().filter(|it| it.display_name == name).collect::<Vec<_>>(),
        };
        if let [only] = *found {
            return Ok(only.clone());
        }
        let names: Vec<_> = all.iter().map(|it| it.name.clone()).take(MOST_NAMES).collect();
        let message = match wanted {
            Some(name) if found.is_empty() => format!(
                "there is no template `{name}`, or the token may not use it: there are {}",
                names.join(", ")
            ),
            Some(name) => format!("there are several templates `{name}`: give the id of one"),
            None if found.is_empty() => "this Coder has no template to begin with".to_owned(),
            None => format!("say which template: there are {}", names.join(", ")),
        };
        Err(error::of_choice("template_name", message, &names))
    }

    /// Fails where nothing can be begun with it at the moment.
    pub(crate) fn check(&self, coder: &Coder) -> Result<(), Error> {
        let name = &self.name;
        if self.deprecated {
            let why = &self.deprecation_message;
            let message = format!("template `{name}` is deprecated: {why}");
            return Err(error::of_field("template_name", message.trim_end_matches([':', ' '])));
        }
        let version: Version = self.part(coder, "")?;
        if version.archived || matches!(version.job.status.as_str(), "failed" | "canceled") {
            let why = version.job.error.unwrap_or_else(|| "it was archived".to_owned());
            let message = format!("the active version of template `{name}` cannot be used: {why}");
            return Err(error::of_field("template_name", message));
        }
        Ok(())
    }

    pub(crate) fn parameters(&self, coder: &Coder) -> Result<Vec<Parameter>, Error> {
        self.part(coder, "/rich-parameters")
    }

    pub(crate) fn presets(&self, coder: &Coder) -> Result<Vec<Preset>, Error> {
        let path = format!("/api/v2/templateversions/{}/presets", encoded(&self.active_version_id));
        match coder.get(&path) {
            Ok(presets) => Ok(presets),
            // They came later than templates.
            Err(trouble) if trouble.is_missing() => Ok(Vec::new()),
            Err(trouble) => Err(trouble.about(About::Template)),
        }
    }

    fn part<T: serde::de::DeserializeOwned>(&self, coder: &Coder, below: &str) -> Result<T, Error> {
        let id = encoded(&self.active_version_id);
        let part = coder.get(&format!("/api/v2/templateversions/{id}{below}"));
        part.map_err(|trouble: Trouble| trouble.about(About::Template))
    }
}

impl Preset {
    /// The one of this name or id; where nobody says, the usual one.
    pub(crate) fn named<'a>(
        presets: &'a [Self],
        wanted: Option<&str>,
    ) -> Result<Option<&'a Self>, Error> {
        let Some(wanted) = wanted else { return Ok(presets.iter().find(|it| it.default)) };
        let found = presets.iter().find(|it| it.id == wanted || it.name == wanted);
        let names: Vec<_> = presets.iter().map(|it| it.name.clone()).collect();
        let message = || match names.is_empty() {
            true => format!("there is no preset `{wanted}`: this template has none"),
            false => format!("there is no preset `{wanted}`: there are {}", names.join(", ")),
        };
        found.map(Some).ok_or_else(|| error::of_choice("preset", message(), &names))
    }

    /// Whether it says nothing else of what is given.
    pub(crate) fn agrees_with(&self, given: &BTreeMap<String, String>) -> bool {
        let values = self.values();
        given.iter().all(|(name, value)| values.get(name.as_str()).is_none_or(|it| it == value))
    }

    pub(crate) fn values(&self) -> BTreeMap<&str, &str> {
        let values = self.parameters.iter().flatten();
        values.map(|it| (it.name.as_str(), it.value.as_str())).collect()
    }
}

/// Fails where these values are not all that is needed, or more than there is.
pub(crate) fn check_values(
    parameters: &[Parameter],
    given: &BTreeMap<String, String>,
    preset: Option<&Preset>,
) -> Result<(), Error> {
    let names: Vec<_> = parameters.iter().map(|it| it.name.clone()).collect();
    if let Some(name) = given.keys().find(|name| !names.contains(name)) {
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let message = format!("the template has no parameter `{name}`: there are {known}");
        return Err(error::of_choice("rich_parameters", message, &names));
    }
    let preset = preset.map(Preset::values).unwrap_or_default();
    for parameter in parameters {
        let name = parameter.name.as_str();
        let (chosen, wanted) = (preset.get(name).copied(), given.get(name).map(String::as_str));
        if let (Some(chosen), Some(wanted)) = (chosen, wanted)
            && chosen != wanted
        {
            let message = format!(
                "the preset says `{chosen}` for parameter `{name}`, not `{wanted}`: leave one of them out"
            );
            return Err(error::of_field("rich_parameters", message));
        }
        match chosen.or(wanted) {
            Some(value) => parameter.check(value)?,
            None if parameter.required => {
                let message = format!("the template needs a value for its parameter `{name}`");
                return Err(error::of_choice("rich_parameters", message, &parameter.choices()));
            }
            None => {}
        }
    }
    Ok(())
}

impl Parameter {
    fn check(&self, value: &str) -> Result<(), Error> {
        let (name, choices) = (&self.name, self.choices());
        let is_choice = choices.is_empty() || choices.iter().any(|choice| choice == value);
        if self.kind != "list(string)" && !is_choice {
            let message =
                format!("parameter `{name}` is one of {}, not `{value}`", choices.join(", "));
            return Err(error::of_choice("rich_parameters", message, &choices));
        }
        let fits = match self.kind.as_str() {
            "bool" => matches!(value, "true" | "false"),
            "number" => value.parse().is_ok_and(|number: f64| {
                self.validation_min.is_none_or(|least| number >= least)
                    && self.validation_max.is_none_or(|most| number <= most)
            }),
            _ => true,
        };
        let message = || match (self.validation_min, self.validation_max) {
            (None, None) => format!("parameter `{name}` is a {}, not `{value}`", self.kind),
            (least, most) => {
                let [least, most] =
                    [least, most].map(|it| it.map(|it| it.to_string()).unwrap_or_default());
                format!("parameter `{name}` is a number in {least}…{most}, not `{value}`")
            }
        };
        if fits { Ok(()) } else { Err(error::of_field("rich_parameters", message())) }
    }

    fn choices(&self) -> Vec<String> {
        self.options.iter().flatten().map(|choice| choice.value.clone()).collect()
    }
}
