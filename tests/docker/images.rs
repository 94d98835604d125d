//! Images: listed, pulled from a registry, removed.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::desk::{Desk, Wish};
use crate::support::{
    engine::{IMAGE, api::Api},
    site::Site,
};

/// A registry with one image, at `name:1`. What it has is taken from the engine at the end.
pub(super) struct Registry {
    site: Site,
    engine: Api,
    pub(super) name: String,
}

impl Registry {
    fn new(desk: &Desk) -> Self {
        let content = desk.mark.clone();
        let site = Site::answering(move |request| answer(request, &content));
        let name = format!("127.0.0.1:{}/{}:1", site.port(), desk.mark);
        Self { site, engine: desk.engine.clone(), name }
    }

    /// How often somebody wanted to know what the image is.
    pub(super) fn pulls(&self) -> usize {
        let requests = self.site.requests();
        requests.iter().filter(|it| it.contains("/manifests/1 ")).count()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // A test that went well has removed it itself.
        let _ = self.engine.delete(&format!("/images/{}?force=1", self.name));
    }
}

/// The registry's part of the distribution protocol: a manifest, a configuration and a layer.
fn answer(request: &str, content: &str) -> String {
    let layer = layer(content);
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/hello"], "Labels": {"wlt": content}},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    });
    let config = config.to_string();
    let part = |kind: &str, text: &str| json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "size": text.len(), "digest": digest(text)});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": part("config.v1+json", &config), "layers": [part("layer.v1.tar", &layer)],
    });
    let manifest = manifest.to_string();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (kind, body) = match path.rsplit('/').next().unwrap_or_default() {
        "" => ("application/json", "{}"),
        last if last == digest(&layer) => ("application/octet-stream", layer.as_str()),
        last if last == digest(&config) => ("application/octet-stream", config.as_str()),
        last if last == "1" || last == digest(&manifest) => {
            ("application/vnd.oci.image.manifest.v1+json", manifest.as_str())
        }
        _ => {
            return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                .to_owned();
        }
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\nConnection: close\r\n\r\n",
        body.len(),
        digest(body)
    );
    if request.starts_with("HEAD ") { head } else { head + body }
}

/// An archive with one file.
fn layer(content: &str) -> String {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "hello", content.as_bytes()).unwrap();
    String::from_utf8(archive.into_inner().unwrap()).unwrap()
}

fn digest(text: &str) -> String {
    let digits: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// With a registry on loopback, whose port is not known before it listens.
pub(super) fn desk() -> Option<(Desk, Registry)> {
    let grant = "names = ['{mark}-*']\nnetworks = ['bridge']\nregistries = ['docker.io', '127.0.0.1:*']\nimages = ['*/windlass-test/*', '127.0.0.1:*/{mark}*']";
    let desk = Desk::with(&Wish { grant, ..Wish::default() })?;
    let registry = Registry::new(&desk);
    Some((desk, registry))
}

#[test]
fn dk_17_images_are_listed() {
    let Some(mut desk) = Desk::new() else { return };
    let (text, rows) = desk.told("list-images", json!({}));
    assert!(text.starts_with("Docker Images:\nREPOSITORY "), "{text}");
    let has = |it: &Value| it["tags"].as_array().unwrap().contains(&json!(IMAGE));
    let row = rows["images"].as_array().unwrap().iter().find(|it| has(it)).unwrap().clone();
    let seen = desk.seen("images", IMAGE).unwrap();
    assert_eq!((&row["id"], &row["size_bytes"]), (&seen["Id"], &seen["Size"]));
}

#[test]
fn dk_17_an_image_is_pulled_used_and_removed() {
    let Some((mut desk, registry)) = desk() else { return };
    let image = registry.name.clone();
    let (text, rows) = desk.told("pull-image", json!({"image": image}));
    assert!(text.starts_with(&format!("Image '{image}' pulled successfully (ID: ")), "{text}");
    assert_eq!(rows["image"]["tags"], json!([image]));
    assert_eq!(rows["image"]["labels"]["wlt"], desk.mark);
    let (text, rows) = desk.told("remove-image", json!({"image": image}));
    assert_eq!(text, format!("Image '{image}' removed successfully"));
    assert!(rows["deleted"].to_string().contains("sha256:"), "{rows}");
    assert!(desk.seen("images", &image).is_none());
    let failed = desk.fails("remove-image", json!({"image": image}));
    assert!(
        failed.starts_with(&format!("IMAGE_NOT_FOUND: there is no image `{image}`")),
        "{failed}"
    );
}

#[test]
fn an_image_is_pulled_only_where_it_is_missing_or_always_wanted() {
    let Some((mut desk, registry)) = desk() else { return };
    let image = registry.name.clone();
    let mut make = |end: &str, pull: &str| {
        let wanted = json!({"image": image, "name": desk.name(end), "start": false, "pull": pull});
        desk.call("create-container", wanted)["pulled"].clone()
    };
    assert_eq!(make("one", "missing"), true);
    let pulls = registry.pulls();
    assert!(pulls > 0);
    assert_eq!(make("two", "missing"), false);
    assert_eq!(make("three", "never"), false);
    assert_eq!(registry.pulls(), pulls);
    assert_eq!(make("four", "always"), true);
    assert!(registry.pulls() > pulls);
    for end in ["one", "two", "three", "four"] {
        desk.call("remove-container", json!({"container_name": desk.name(end)}));
    }
}

#[test]
fn an_image_that_no_registry_has_says_so() {
    let Some((mut desk, registry)) = desk() else { return };
    let image = registry.name.replace(":1", ":2").replace("127.0.0.1:2", "127.0.0.1:1");
    let failed = desk.fails("pull-image", json!({"image": image}));
    assert!(failed.contains(&format!("Error pulling image '{image}': ")), "{failed}");
    let name = desk.name("web");
    let failed = desk.fails("create-container", json!({"image": image, "name": name}));
    assert!(failed.contains(&format!("Error pulling image '{image}': ")), "{failed}");
    assert!(desk.seen("containers", &name).is_none());
}
