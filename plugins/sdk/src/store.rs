//! The plugin's own documents, as Rust values.

use serde::{Serialize, de::DeserializeOwned};

use crate::Error;

pub use crate::bindings::windlass::plugin::store::{Entry, delete, get, list, put, swap};

/// The document as a value, if there is one.
pub fn get_as<T: DeserializeOwned>(collection: &str, key: &str) -> Result<Option<T>, Error> {
    Ok(get(collection, key)?.map(|document| serde_json::from_str(&document)).transpose()?)
}

/// Writes a value, whatever was there.
pub fn put_as<T: Serialize>(collection: &str, key: &str, value: &T) -> Result<(), Error> {
    put(collection, key, &serde_json::to_string(value)?)
}
