//! From a plugin's file to machine code, and the cache that spares it.
//!
//! A cache entry is trusted only from a directory that nobody else can write, and only when its
//! digest is right. Anything else is compiled again and replaced.

use std::{
    fmt::Write as _,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};
use wasmtime::{Engine, component::Component};
use wit_component::ComponentEncoder;

use super::Digest;
use crate::private;

/// How much of an entry is read at a time: little enough to stay in the processor's cache.
const CHUNK: usize = 32 << 10;

/// A plugin's code as it comes.
#[derive(Clone, Copy)]
pub enum Code<'a> {
    /// A component, or a core module with its WIT in a custom section.
    Wasm(&'a [u8]),
    /// The same, and what this program's own build made of it.
    Bundled { wasm: &'static [u8], compiled: &'static [u8] },
}

impl Code<'_> {
    pub fn digest(self) -> Digest {
        match self {
            Self::Wasm(wasm) => Digest::of(wasm),
            Self::Bundled { wasm, .. } => Digest::of_bundled(wasm),
        }
    }
}

/// The directory of compiled code. None: nothing is kept.
#[derive(Clone, Debug, Default)]
pub struct Cache(Option<PathBuf>);

impl Cache {
    /// A cache in this directory, if it is fit to be trusted.
    pub fn in_directory(directory: &Path) -> Self {
        match private::make_folder(directory) {
            Ok(()) => Self(Some(directory.to_owned())),
            Err(error) => {
                let directory = directory.display();
                tracing::warn!("compiled code is not cached in `{directory}`: {error:#}");
                Self(None)
            }
        }
    }

    /// The component, compiled: from the bundle, from the cache, or afresh.
    pub fn component(&self, engine: &Engine, code: Code<'_>) -> anyhow::Result<Component> {
        let (Code::Wasm(wasm) | Code::Bundled { wasm, .. }) = code;
        if let Code::Bundled { compiled, .. } = code
            && let Some(component) = bundled(engine, compiled)
        {
            return Ok(component);
        }
        let Some(path) = self.entry(engine, wasm) else { return compile(engine, wasm) };
        if let Some(component) = from_entry(engine, &path) {
            return Ok(component);
        }
        let component = compile(engine, wasm)?;
        if let Err(error) = keep(&component, &path) {
            tracing::warn!("compiled code is not kept in `{}`: {error:#}", path.display());
        }
        Ok(component)
    }

    /// Where code from these bytes for this engine would be.
    fn entry(&self, engine: &Engine, wasm: &[u8]) -> Option<PathBuf> {
        use std::hash::{Hash as _, Hasher as _};

        let mut fit = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut fit);
        let name = format!("{}-{:016x}.cwasm", hex(&Sha256::digest(wasm)), fit.finish());
        Some(self.0.as_ref()?.join(name))
    }
}

/// Compiles for a bundle.
pub fn compile_for_bundle(engine: &Engine, wasm: &[u8]) -> anyhow::Result<Vec<u8>> {
    Ok(compile(engine, wasm)?.serialize()?)
}

/// Compiles a component, or a core module with embedded WIT.
pub fn compile(engine: &Engine, wasm: &[u8]) -> anyhow::Result<Component> {
    ensure!(wasm.starts_with(b"\0asm"), "it is no WebAssembly: it does not start with `\\0asm`");
    // The layer, after the version: 0 in a core module, 1 in a component.
    let component = if wasm.get(6) == Some(&0) {
        encode(wasm).context(
            "it is a core module and cannot be made a component; was it built with the SDK, for `wasm32-unknown-unknown`?",
        )?
    } else {
        wasm.to_vec()
    };
    Component::new(engine, component)
        .map_err(anyhow::Error::from)
        .context("it is no valid WebAssembly component")
}

fn encode(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(module)?.encode()
}

#[allow(unsafe_code, reason = "wasmtime takes machine code on trust")]
fn bundled(engine: &Engine, compiled: &[u8]) -> Option<Component> {
    // SAFETY: these bytes are part of this program, whose build made them with wasmtime.
    unsafe { Component::deserialize(engine, compiled) }
        .inspect_err(|error| tracing::info!("bundled code does not fit this machine: {error:#}"))
        .ok()
}

#[allow(unsafe_code, reason = "wasmtime takes machine code on trust")]
fn from_entry(engine: &Engine, path: &Path) -> Option<Component> {
    let file = fs::File::open(path).ok()?;
    if !private::is_ours(&file.metadata().ok()?) {
        tracing::warn!("`{}` can be written by others, so it is not used", path.display());
        return None;
    }
    let expected = fs::read_to_string(seal_of(path)).ok()?;
    if digest(file).ok()? != expected {
        tracing::warn!("`{}` is damaged and is made again", path.display());
        return None;
    }
    // SAFETY: the bytes are what `keep` wrote, to a file that only this user can write. They are mapped, not read.
    unsafe { Component::deserialize_file(engine, path) }
        .inspect_err(|error| tracing::warn!("`{}` does not fit: {error:#}", path.display()))
        .ok()
}

/// Writes an entry, and then its digest, each whole or not at all.
fn keep(component: &Component, path: &Path) -> anyhow::Result<()> {
    let compiled = component.serialize()?;
    private::write_whole(path, &compiled)?;
    private::write_whole(&seal_of(path), hex(&Sha256::digest(&compiled)).as_bytes())
}

/// Where the digest of an entry stands.
fn seal_of(entry: &Path) -> PathBuf {
    entry.with_extension("sha256")
}

fn digest(mut file: fs::File) -> std::io::Result<String> {
    let mut digest = Sha256::new();
    let mut chunk = [0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&digest.finalize())),
            read => digest.update(chunk.get(..read).unwrap_or_default()),
        }
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
