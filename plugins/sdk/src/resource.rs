//! Resources: what a plugin offers to read.

use crate::{
    Error,
    private::resources::Description,
    types::{Link, ResourceContents},
};

pub use crate::private::resources::Template;

/// All resources of a plugin.
pub trait Resources {
    /// URI schemes that belong to this plugin, without the colon.
    const SCHEMES: &'static [&'static str];

    /// The families of resources.
    fn templates() -> Vec<Template> {
        Vec::new()
    }

    /// The resources that there are at this moment.
    fn all(config: &str) -> Result<Vec<Link>, Error>;

    /// What the URI holds.
    fn read(uri: &str, config: &str) -> Result<Vec<ResourceContents>, Error>;

    /// Values that a template's variable may take, best first.
    fn complete(
        template: &str,
        variable: &str,
        typed: &str,
        others: &[(String, String)],
    ) -> Result<Vec<String>, Error> {
        let _ = (template, variable, typed, others);
        Ok(Vec::new())
    }

    #[doc(hidden)]
    fn describe() -> Description {
        let schemes = Self::SCHEMES.iter().map(|&scheme| scheme.to_owned()).collect();
        Description { schemes, templates: Self::templates() }
    }
}

/// For a plugin without resources.
pub struct NoResources;

impl Resources for NoResources {
    const SCHEMES: &'static [&'static str] = &[];

    fn all(_: &str) -> Result<Vec<Link>, Error> {
        Ok(Vec::new())
    }

    fn read(uri: &str, _: &str) -> Result<Vec<ResourceContents>, Error> {
        Err(Error::not_found(format!("nothing at `{uri}`")))
    }
}
