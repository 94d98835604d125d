//! Images: looked up in the engine, fetched only when they are missing.

use bollard::models::ImageInspect;

use super::{Docker, failure::Trouble, pull};
use crate::{
    capability::types::{Code, Error},
    error::{Failure, Result},
    policy::{Approved, NewContainer},
};

/// What a container needs to know of its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// What the engine calls it, whatever name is moved to another one meanwhile.
    pub id: String,
    /// What registries call it. None for one that was never in any.
    pub digest: Option<String>,
    pub user: Option<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
}

impl Docker {
    /// The image of a container. Fetches it if it is missing, and says how far that is: bytes done, bytes known of, words.
    pub async fn ensure_image(
        &self,
        container: &Approved<NewContainer>,
        progress: impl FnMut(u64, u64, &str),
    ) -> Result<Picture> {
        let name = &container.request().image.name;
        if let Some(picture) = self.picture(name).await? {
            return Ok(picture);
        }
        pull::join(self, name, None, progress).await?;
        self.picture(name).await?.ok_or_else(|| {
            let message = format!("`{name}` was fetched, but the engine does not have it");
            Failure::Answer(Error::new(Code::Failed, message))
        })
    }

    async fn picture(&self, name: &str) -> Result<Option<Picture>> {
        Ok(self.look_for_image(name).await?.map(|image| Picture::of(image, name)))
    }

    /// What the engine says of an image, whichever way it writes the name.
    pub(super) async fn look_for_image(&self, name: &str) -> Result<Option<ImageInspect>> {
        for spelling in spellings(name) {
            let found = self.quickly(async |client| client.inspect_image(&spelling).await).await?;
            match found {
                Ok(image) => return Ok(Some(image)),
                Err(trouble) if is_missing(&trouble) => {}
                Err(trouble) => return Err(trouble.doing(&format!("look up image `{name}`"))),
            }
        }
        Ok(None)
    }
}

impl Picture {
    fn of(image: ImageInspect, name: &str) -> Self {
        let config = image.config.unwrap_or_default();
        let digests = image.repo_digests.unwrap_or_default();
        let asked = name.split_once('@').map(|(_, digest)| digest.to_owned());
        let first = || digests.first()?.split_once('@').map(|(_, digest)| digest.to_owned());
        Self {
            id: image.id.unwrap_or_default(),
            digest: asked.or_else(first),
            user: config.user.filter(|user| !user.is_empty()),
            env: config.env.unwrap_or_default(),
        }
    }
}

/// Podman answers 500 where it finds several that a short name could mean, or knows nowhere to look for it.
fn is_missing(trouble: &Trouble) -> bool {
    trouble.is(404) || trouble.says(&["short-name", "did not resolve to an alias", "no such image"])
}

/// What engines call an image. Docker leaves out `docker.io` and `library`; Podman keeps them, and says `localhost` of what
/// was made on the spot, which Docker would call `docker.io` as well.
fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    if let Some(short) = name.strip_prefix("docker.io/") {
        let short = short.strip_prefix("library/").unwrap_or(short);
        all.extend([short.to_owned(), format!("localhost/{short}")]);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_many_names() {
        let python = ["docker.io/library/python:3", "python:3", "localhost/python:3"];
        assert_eq!(spellings("docker.io/library/python:3"), python);
        assert_eq!(spellings("docker.io/a/b:1"), ["docker.io/a/b:1", "a/b:1", "localhost/a/b:1"]);
        assert_eq!(spellings("ghcr.io/a/b:1"), ["ghcr.io/a/b:1"]);
    }
}
