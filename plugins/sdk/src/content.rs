//! What a result or a prompt is made of.

use crate::types::{Blob, Body, Content as Inner, Link, ResourceContents};

pub use crate::types::Content;

impl Inner {
    /// A piece of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A picture.
    pub fn image(data: Vec<u8>, mime_type: &str) -> Self {
        Self::Image(Blob { data, mime_type: mime_type.to_owned() })
    }

    /// A sound.
    pub fn audio(data: Vec<u8>, mime_type: &str) -> Self {
        Self::Audio(Blob { data, mime_type: mime_type.to_owned() })
    }

    /// A resource that the client can read when it wants to.
    pub fn link(uri: &str, name: &str) -> Self {
        Self::Link(Link::new(uri, name))
    }

    /// A text resource, whole.
    pub fn embedded(uri: &str, mime_type: &str, text: impl Into<String>) -> Self {
        Self::Embedded(ResourceContents::text(uri, mime_type, text))
    }
}

impl Link {
    /// A link that says no more than it must.
    pub fn new(uri: &str, name: &str) -> Self {
        Self {
            uri: uri.to_owned(),
            name: name.to_owned(),
            description: None,
            mime_type: None,
            size: None,
        }
    }
}

impl ResourceContents {
    /// Text under a URI.
    pub fn text(uri: &str, mime_type: &str, text: impl Into<String>) -> Self {
        let body = Body::Text(text.into());
        Self { uri: uri.to_owned(), mime_type: Some(mime_type.to_owned()), body }
    }

    /// Bytes under a URI.
    pub fn bytes(uri: &str, mime_type: &str, bytes: Vec<u8>) -> Self {
        let body = Body::Bytes(bytes);
        Self { uri: uri.to_owned(), mime_type: Some(mime_type.to_owned()), body }
    }
}
