//! Which arguments git may be given. Pure.

use windlass_sdk::Error;

use crate::failure::validation;

/// Refuses what is no name of a branch, or would be taken for an option.
pub(crate) fn check_branch(name: &str) -> Result<(), Error> {
    let wrong = name.is_empty()
        || name.len() > 200
        || name.starts_with(['-', '/'])
        || name.ends_with(['/', '.'])
        || name == "@"
        || name == "HEAD"
        || name.contains(|letter: char| letter.is_control() || " ~^:?*[\\".contains(letter))
        || ["..", "@{", "//"].iter().any(|part| name.contains(part))
        || name.split('/').any(|part| part.starts_with('.') || part.ends_with(".lock"));
    if wrong {
        return Err(validation(format!("`{}` is no name of a branch", name.escape_debug())));
    }
    Ok(())
}

/// Refuses what would be taken for an option.
pub(crate) fn check_revision(revision: &str) -> Result<(), Error> {
    if revision.is_empty()
        || revision.starts_with('-')
        || revision.len() > 500
        || revision.contains(char::is_control)
    {
        return Err(validation(format!("`{}` is no revision", revision.escape_debug())));
    }
    Ok(())
}
