//! `store`: the plugin's own documents.

use super::{
    CallState,
    bindings::windlass::plugin::store::{Entry, Host},
};
use crate::error::{Result, conflict};

impl Host for CallState {
    async fn get(&mut self, collection: String, key: String) -> Result<Option<String>> {
        let document = self.policy.approve_reading(collection, key)?;
        self.doors.database.get(document).await
    }

    async fn put(&mut self, collection: String, key: String, text: String) -> Result<()> {
        let effect = format!("store write {collection}/{key}");
        let document = self.policy.approve_writing(collection, key, &text)?;
        self.effects.add(effect);
        self.doors.database.put(document, text).await
    }

    async fn swap(
        &mut self,
        collection: String,
        key: String,
        expected: Option<String>,
        text: String,
    ) -> Result<()> {
        let effect = format!("store write {collection}/{key}");
        let document = self.policy.approve_writing(collection, key, &text)?;
        self.effects.add(effect);
        if self.doors.database.swap(document, expected, text).await? {
            return Ok(());
        }
        Err(conflict("the document is not what it was expected to be; read it again"))
    }

    async fn delete(&mut self, collection: String, key: String) -> Result<()> {
        let effect = format!("store delete {collection}/{key}");
        let document = self.policy.approve_deleting(collection, key)?;
        self.effects.add(effect);
        self.doors.database.delete(document).await
    }

    async fn list(&mut self, collection: String, after: String, limit: u32) -> Result<Vec<Entry>> {
        let page = self.policy.approve_listing(collection, after, limit)?;
        let documents = self.doors.database.list(page).await?;
        Ok(documents.into_iter().map(|(key, document)| Entry { key, document }).collect())
    }
}
