//! `volumes` and `tmpfs` of a service.

use windlass_sdk::{
    Error,
    engine::{Bind, Mount, Tmpfs, VolumeMount},
};

use super::{load::Context, read::Node};

pub(crate) fn mounts(service: &Node<'_>, context: &Context<'_>) -> Result<Vec<Mount>, Error> {
    let mut mounts = Vec::new();
    for item in service.items_at("volumes")? {
        mounts.push(if item.value.is_object() {
            long(&item, context)?
        } else {
            short(&item, context)?
        });
    }
    for item in service.one_or_more_at("tmpfs")? {
        mounts.push(Mount::Tmpfs(tmpfs(&item)?));
    }
    Ok(mounts)
}

/// `source:target:options`.
fn short(item: &Node<'_>, context: &Context<'_>) -> Result<Mount, Error> {
    let text = item.text()?;
    let parts: Vec<_> = text.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [target] => return Ok(Mount::Volume(volume(None, absolute(item, target)?))),
        [source, target] => (*source, *target, ""),
        [source, target, options] => (*source, *target, *options),
        _ => return Err(item.wrong("it is `source:target` or `source:target:options`")),
    };
    let target = absolute(item, target)?;
    let mut mount = if source.starts_with(['/', '.', '~']) {
        let source = context.place.absolute(source).map_err(|why| item.wrong(why))?;
        Mount::Bind(Bind { source, target, read_only: false, create: true, propagation: None })
    } else {
        Mount::Volume(volume(Some(context.volume(item, source)?), target))
    };
    for option in options.split(',').filter(|it| !it.is_empty()) {
        apply(&mut mount, option).map_err(|why| item.wrong(why))?;
    }
    Ok(mount)
}

fn apply(mount: &mut Mount, option: &str) -> Result<(), String> {
    match (option, mount) {
        ("rw" | "cached" | "delegated" | "consistent", _) => {}
        ("ro", Mount::Bind(bind)) => bind.read_only = true,
        ("ro", Mount::Volume(volume)) => volume.read_only = true,
        ("nocopy", Mount::Volume(volume)) => volume.no_copy = true,
        ("private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave", Mount::Bind(bind)) => {
            bind.propagation = Some(option.to_owned());
        }
        ("z" | "Z", _) => {
            return Err("labels of SELinux are not set here: leave `z` and `Z` out".to_owned());
        }
        _ => return Err(format!("`{option}` is no option here")),
    }
    Ok(())
}

fn long(item: &Node<'_>, context: &Context<'_>) -> Result<Mount, Error> {
    let kind = item.need("type")?.text()?;
    let target = absolute(item, &item.need("target")?.text()?)?;
    let read_only = item.flag_at("read_only")?;
    match kind.as_str() {
        "bind" => {
            let source = item.need("source")?;
            let path = context.place.absolute(&source.text()?).map_err(|why| source.wrong(why))?;
            let options = item.get("bind");
            let create = options.as_ref().and_then(|it| it.get("create_host_path"));
            let create = create.map_or(Ok(true), |it| it.flag())?;
            let propagation = options.map_or(Ok(None), |it| it.text_at("propagation"))?;
            Ok(Mount::Bind(Bind { source: path, target, read_only, create, propagation }))
        }
        "volume" => {
            let source = item.get("source");
            let name = source.map(|it| context.volume(&it, &it.text()?)).transpose()?;
            let no_copy = item.get("volume").map_or(Ok(false), |it| it.flag_at("nocopy"))?;
            Ok(Mount::Volume(VolumeMount { name, target, read_only, no_copy }))
        }
        "tmpfs" => {
            let options = item.get("tmpfs");
            let size_bytes = options.as_ref().map_or(Ok(None), |it| it.bytes_at("size"))?;
            let mode = options.and_then(|it| it.get("mode")).map(|it| mode(&it)).transpose()?;
            Ok(Mount::Tmpfs(Tmpfs { target, size_bytes, mode }))
        }
        _ => Err(item.wrong(format!("`type` is `bind`, `volume` or `tmpfs`, and not `{kind}`"))),
    }
}

/// `/run:size=64m,mode=1777`.
fn tmpfs(item: &Node<'_>) -> Result<Tmpfs, Error> {
    let text = item.text()?;
    let (target, options) = text.split_once(':').unwrap_or((&text, ""));
    let mut tmpfs = Tmpfs { target: absolute(item, target)?, size_bytes: None, mode: None };
    for option in options.split(',').filter(|it| !it.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = serde_json::Value::from(value);
        let value = Node::new(&value, item.path.clone());
        match name {
            "size" => tmpfs.size_bytes = Some(value.bytes()?),
            "mode" => {
                let text = value.text()?;
                let parsed = u32::from_str_radix(&text, 8);
                tmpfs.mode = Some(parsed.map_err(|_| item.wrong("`mode` is an octal number"))?);
            }
            // The engine mounts memory like that anyway.
            "rw" | "noexec" | "nosuid" | "nodev" => {}
            _ => {
                return Err(
                    item.wrong(format!("`{option}` is no option here: `size` and `mode` are"))
                );
            }
        }
    }
    Ok(tmpfs)
}

/// A mode of a file: octal where it begins with a zero, as YAML has it.
pub(crate) fn mode(node: &Node<'_>) -> Result<u32, Error> {
    let text = node.text()?;
    let parsed = match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u32::from_str_radix(octal.trim_start_matches('o'), 8),
        _ => text.parse(),
    };
    parsed
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| node.wrong("it is a mode such as `0440`"))
}

fn absolute(item: &Node<'_>, target: &str) -> Result<String, Error> {
    if target.starts_with('/') {
        return Ok(target.to_owned());
    }
    Err(item.wrong(format!("`{target}` is in the container, where paths are absolute")))
}

fn volume(name: Option<String>, target: String) -> VolumeMount {
    VolumeMount { name, target, read_only: false, no_copy: false }
}
