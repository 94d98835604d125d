//! Names of what is in the engine, checked before anything is asked of it. Pure.
//!
//! The engine has its own mind about names; this keeps out what could be taken for something else, such as an option
//! or a path. Who may touch what is the host's to say.

use windlass_sdk::Error;

use crate::error::validation;

/// Longer ones are no name of the engine's.
const LONGEST: usize = 255;

/// A container, network or volume by name or id.
pub(crate) fn check(field: &str, name: &str) -> Result<(), Error> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let is_name = name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
        && name.chars().all(plain)
        && name.len() <= LONGEST;
    if is_name {
        return Ok(());
    }
    Err(validation(
        field,
        format!(
            "`{field}` is `{}`: a name begins with a letter or a digit, and goes on with letters, digits, `_`, `.` and `-`",
            shown(name)
        ),
    ))
}

/// An image by name, digest or id.
pub(crate) fn image(field: &str, name: &str) -> Result<(), Error> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-/:@".contains(letter);
    let is_name = name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
        && name.chars().all(plain)
        && name.len() <= 2 * LONGEST;
    if is_name {
        return Ok(());
    }
    Err(validation(
        field,
        format!(
            "`{field}` is `{}`: an image is named as in `nginx`, `nginx:1.27`, `ghcr.io/me/app:2` or `nginx@sha256:…`",
            shown(name)
        ),
    ))
}

/// As much of a wrong name as an error repeats.
fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}

/// A name for a container of this image that no other has: `nginx-3fa9c1d2`.
pub(crate) fn for_image(image: &str, random: &[u8]) -> String {
    let path = image.split('@').next().unwrap_or(image);
    let last = path.rsplit('/').next().unwrap_or(path);
    let stem = last.split(':').next().unwrap_or(last);
    let stem: String = stem.chars().filter(|&it| it.is_ascii_alphanumeric() || it == '-').collect();
    let suffix: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{suffix}", if stem.is_empty() { "container" } else { &stem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_option_and_no_path() {
        for good in ["web", "Web_1.2-x", "0", &"a".repeat(255)] {
            assert!(check("name", good).is_ok(), "{good}");
        }
        let wrong = ["", "--help", "-f", ".x", "a b", "a/b", "../x", "a\n", "a\0", "ä", "a:b", "~"];
        for wrong in wrong.into_iter().chain([&*"a".repeat(256)]) {
            assert!(check("name", wrong).is_err(), "{wrong}");
        }
        let error = check("container_name", "--help").unwrap_err();
        assert!(error.message.starts_with("`container_name` is `--help`: a name begins with"));
        assert_eq!(error.known()["field"], "container_name");
    }

    #[test]
    fn an_image_is_no_option_either() {
        let digest = format!("nginx@sha256:{}", "a".repeat(64));
        for good in ["nginx", "nginx:1.27", "localhost:5000/a/b:c", "ghcr.io/me/app", &digest] {
            assert!(image("image", good).is_ok(), "{good}");
        }
        for wrong in ["", "--privileged nginx", "-x", "a b", "a\tb", "/a", "a;b", "$(a)"] {
            assert!(image("image", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_container_is_named_after_its_image() {
        assert_eq!(for_image("ghcr.io/me/app:2", &[1, 255]), "app-01ff");
        assert_eq!(for_image("localhost:5000/a_b@sha256:0", &[0]), "ab-00");
        assert_eq!(for_image("___", &[0]), "container-00");
    }
}
