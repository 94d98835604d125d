//! `resources/list`, `resources/templates/list` and `resources/read`.
//!
//! A caller sees what plugins have that it may use.

use std::sync::Arc;

use rmcp::{
    ErrorData,
    model::{
        CacheScope, ListResourceTemplatesResult, ListResourcesResult, ReadResourceResponse,
        ReadResourceResult,
    },
};
use serde_json::json;

use super::{Server, answer, convert, notes::observer};
use crate::{
    access::Caller,
    capability::types::{Code, Error},
    plugin::{ListResources, Occasion, Plugin, ReadResource},
    registry::Entry,
};

impl Server {
    /// What all plugins have at this moment. One that fails is left out, and the log says so.
    pub(super) async fn resources(
        &self,
        caller: &Caller,
    ) -> Result<ListResourcesResult, ErrorData> {
        let catalog = self.registry.catalog();
        let mut result = ListResourcesResult::default();
        let shown = |it: &&Arc<Plugin>| self.registry.shows_plugin(caller, it);
        for plugin in catalog.plugins_with_resources().filter(shown) {
            let (observer, _) = observer(&self.registry, plugin.name(), None, None);
            let entry = ListResources { config: plugin.settings.config.to_string() };
            let listed = async {
                let _admission = self.registry.admit(caller, plugin).await?;
                plugin.enter(entry, Occasion::call(&caller.space), observer).await
            };
            match listed.await {
                Ok(links) => result.resources.extend(links.into_iter().map(convert::resource)),
                Err(error) => {
                    tracing::warn!(plugin = plugin.name(), "its resources: {}", error.message);
                }
            }
        }
        let own = [
            self.registry.workspace_links(&caller.space).await,
            self.registry.job_links(&caller.space).await,
        ];
        for links in own {
            match links {
                Ok(links) => result.resources.extend(links.into_iter().map(convert::resource)),
                Err(error) => tracing::warn!("the host's resources: {}", error.message),
            }
        }
        Ok(result.with_ttl_ms(0).with_cache_scope(CacheScope::Private))
    }

    pub(super) fn templates(&self, caller: &Caller) -> ListResourceTemplatesResult {
        let catalog = self.registry.catalog();
        let own = [self.registry.workspace_templates(), self.registry.job_templates()].concat();
        let shown =
            catalog.templates().filter(|(_, plugin)| self.registry.shows_plugin(caller, plugin));
        let templates = shown.map(|(template, _)| template).chain(&own);
        let resource_templates = templates.map(convert::template).collect();
        let result = ListResourceTemplatesResult { resource_templates, ..Default::default() };
        result.with_ttl_ms(0).with_cache_scope(CacheScope::Private)
    }

    pub(super) async fn resource(
        &self,
        uri: &str,
        caller: &Caller,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let entry = self.registry.entry_of_reading(caller, uri);
        let read = self.read(uri, caller, &entry).await;
        match &read {
            Ok(_) => entry.end(),
            Err(error) => entry.failed(error.code.name(), &error.message),
        }
        let read = read.map_err(|error| match error.code {
            Code::NotFound => {
                ErrorData::resource_not_found(error.message, Some(json!({"uri": uri})))
            }
            _ => answer::refused(error),
        })?;
        let result = read.with_ttl_ms(0).with_cache_scope(CacheScope::Private);
        Ok(ReadResourceResponse::Complete(result))
    }

    async fn read(
        &self,
        uri: &str,
        caller: &Caller,
        record: &Entry,
    ) -> Result<ReadResourceResult, Error> {
        let not_there = || Error::new(Code::NotFound, format!("Resource not found: `{uri}`"));
        let catalog = self.registry.catalog();
        if let Some(contents) = self.registry.read_workspace(uri, &caller.space).await {
            return Ok(ReadResourceResult::new(vec![convert::resource_contents(contents?)]));
        }
        if let Some(contents) = self.registry.read_job(uri, &caller.space).await {
            return Ok(ReadResourceResult::new(vec![convert::resource_contents(contents?)]));
        }
        let plugin = catalog.plugin_for(uri);
        let shown = |it: &&Arc<Plugin>| self.registry.shows_plugin(caller, it);
        let plugin = plugin.filter(shown).ok_or_else(not_there)?;
        let _admission = self.registry.admit(caller, plugin).await?;
        let (observer, _) = observer(&self.registry, plugin.name(), None, None);
        let config = plugin.settings.config.to_string();
        let entry = ReadResource { uri: uri.to_owned(), config };
        let occasion = Occasion::call(&caller.space).noting(&record.effects);
        let contents = plugin.enter(entry, occasion, observer).await?;
        if contents.is_empty() {
            return Err(not_there());
        }
        let contents = contents.into_iter().map(convert::resource_contents).collect();
        Ok(ReadResourceResult::new(contents))
    }
}
