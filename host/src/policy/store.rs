//! Which documents a plugin may have.

use super::{Approved, Policy};
use crate::error::{Result, denied, invalid, limit};

/// Longer names are a mistake.
const LONGEST_NAME: usize = 512;
/// A larger document belongs into a workspace.
const LARGEST_DOCUMENT: usize = 1 << 20;
/// How many documents are listed at once.
const LARGEST_PAGE: u32 = 1000;

/// The place of one document.
#[derive(Debug)]
pub struct Document {
    pub collection: String,
    pub key: String,
}

/// Part of a collection.
#[derive(Debug)]
pub struct Page {
    pub collection: String,
    pub after: String,
    pub limit: u32,
}

impl Policy {
    pub fn approve_reading(&self, collection: String, key: String) -> Result<Approved<Document>> {
        self.stores("store")?;
        check_name("collection", &collection)?;
        check_name("key", &key)?;
        Ok(self.approved(Document { collection, key }))
    }

    pub fn approve_writing(
        &self,
        collection: String,
        key: String,
        document: &str,
    ) -> Result<Approved<Document>> {
        self.may_write("store")?;
        if document.len() > LARGEST_DOCUMENT {
            let size = document.len();
            return Err(limit(format!(
                "a document of {size} bytes is larger than the {LARGEST_DOCUMENT} that `store` takes"
            )));
        }
        self.approve_reading(collection, key)
    }

    pub fn approve_deleting(&self, collection: String, key: String) -> Result<Approved<Document>> {
        self.approve_writing(collection, key, "")
    }

    pub fn approve_listing(
        &self,
        collection: String,
        after: String,
        limit: u32,
    ) -> Result<Approved<Page>> {
        self.stores("store.list")?;
        check_name("collection", &collection)?;
        Ok(self.approved(Page { collection, after, limit: limit.min(LARGEST_PAGE) }))
    }

    fn stores(&self, what: &str) -> Result<()> {
        if self.grants.store {
            return Ok(());
        }
        Err(denied(format!(
            "not allowed: `{what}` needs `plugins.{}.grants.store = true`",
            self.plugin
        )))
    }
}

fn check_name(what: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains('\0') {
        let length = name.len();
        return Err(invalid(format!(
            "a {what} is 1 to {LONGEST_NAME} bytes of text without NUL, and this one has {length}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{capability::tools::Hints, config::Grants};

    #[track_caller]
    fn check(store: bool, hints: Hints, key: &str, document: &str, allowed: bool) {
        let grants = Grants { store, ..Grants::default() };
        let policy = Policy::new("notes", grants).unwrap().for_tool(&Arc::from("write"), hints);
        let answer = policy.approve_writing("things".to_owned(), key.to_owned(), document);
        assert_eq!(answer.is_ok(), allowed, "{answer:?}");
    }

    #[test]
    fn documents() {
        let large = "x".repeat(LARGEST_DOCUMENT + 1);
        check(true, Hints::empty(), "key", "{}", true);
        check(true, Hints::READ_ONLY, "key", "{}", false);
        check(false, Hints::empty(), "key", "{}", false);
        check(true, Hints::empty(), "", "{}", false);
        check(true, Hints::empty(), "k\0", "{}", false);
        check(true, Hints::empty(), "key", &large, false);
    }
}
