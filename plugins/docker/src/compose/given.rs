//! `configs` and `secrets`: files that a container gets before it starts.

use windlass_sdk::{
    Error,
    engine::{File, FileContent},
};

use super::{load::Context, mounts::mode, read::Node};

/// Who may read a file where nobody says: all in the container.
const MODE: u32 = 0o444;

pub(crate) fn files(service: &Node<'_>, context: &Context<'_>) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    for (kind, folder) in [("configs", "/"), ("secrets", "/run/secrets/")] {
        for item in service.items_at(kind)? {
            files.push(file(&item, kind, folder, context)?);
        }
    }
    Ok(files)
}

fn file(item: &Node<'_>, kind: &str, folder: &str, context: &Context<'_>) -> Result<File, Error> {
    let is_long = item.value.is_object();
    let source = if is_long { item.need("source")?.text()? } else { item.text()? };
    let target = item.text_at("target")?.unwrap_or_else(|| source.clone());
    let path = if target.starts_with('/') { target } else { format!("{folder}{target}") };
    if path.split('/').any(|step| step == "..") {
        return Err(item.wrong("`target` has no `..`"));
    }
    let content = content(item, kind, &source, context)?;
    let mode = item.get("mode").map_or(Ok(MODE), |it| mode(&it))?;
    let uid = item.number_at("uid")?.unwrap_or(0);
    let gid = item.number_at("gid")?.unwrap_or(0);
    Ok(File { path, content, mode, uid, gid })
}

fn content(
    item: &Node<'_>,
    kind: &str,
    source: &str,
    context: &Context<'_>,
) -> Result<FileContent, Error> {
    let top = Node::new(context.file, "").get(kind).and_then(|it| it.get(source));
    let Some(top) = top else {
        return Err(item.wrong(format!("the file has no `{kind}.{source}`")));
    };
    if let Some(file) = top.get("file") {
        let path = context.place.absolute(&file.text()?).map_err(|why| file.wrong(why))?;
        let bytes = (context.read)(&path)?;
        return bytes
            .map(FileContent::Bytes)
            .ok_or_else(|| file.wrong(format!("`{path}` is not there")));
    }
    if let Some(text) = top.text_at("content")? {
        return Ok(FileContent::Bytes(text.into_bytes()));
    }
    let Some(variable) = top.get("environment") else {
        return Err(top.wrong("it has a `file`, a `content` or an `environment`"));
    };
    let name = variable.text()?;
    match context.passed(&name) {
        Some(windlass_sdk::types::Value::Plain(value)) => Ok(FileContent::Bytes(value.into_bytes())),
        Some(windlass_sdk::types::Value::Secret(name)) => Ok(FileContent::Secret(name)),
        None => Err(variable.wrong(format!(
            "`{name}` is not set: give it in `environment`, or name it in `plugins.docker.config.secrets`"
        ))),
    }
}
