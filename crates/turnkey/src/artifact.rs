//! From bytes to a module or a component: what a program is, and what it is compiled to.
//!
//! An artifact is the engine's ELF image with a footer of ours behind it: which version made it, for which options, and how
//! long it is, so that a file that was cut short is known by its last bytes. It is mapped, not read: what a guest never runs
//! is never loaded. An artifact is native code, and so the only unsafe thing here: it comes from the private folder of the
//! cache, or from a file that the user vouches for.
#![allow(unsafe_code, reason = "loading native code; each block says who vouches for it")]

use std::fs::File;
use std::path::{Path, PathBuf};

use turnkey_core::host::programs;
use wasmtime::Module;
use wasmtime::component::Component;

use crate::engine::Engines;
use crate::error::Error;
use crate::key::EngineKey;

/// The engine's version, which the cache is keyed by. A test holds it against Cargo.lock.
pub(crate) const ENGINE_VERSION: &str = "48.0.8";

/// The footer: magic, the engine's version, the options, what it is, the bytes before it.
const FOOTER_BYTES: usize = 48;
const MAGIC: &[u8; 8] = b"turnkey1";

/// What a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A module, in binary or text form.
    Module,
    /// A component, in binary or text form.
    Component,
    /// A component that uses the asynchronous ABI: its code is generated for tasks that run beside one another. That a
    /// component is one of these is known when it has been compiled.
    AsyncComponent,
}

impl Kind {
    /// As far as its first bytes tell.
    const fn at_first_sight(self) -> Self {
        match self {
            Kind::Module => Kind::Module,
            Kind::Component | Kind::AsyncComponent => Kind::Component,
        }
    }
}

/// What has been loaded.
pub(crate) enum Loaded {
    Module(Module),
    Component {
        component: Component,
        /// It uses the asynchronous ABI.
        is_async: bool,
    },
}

impl Loaded {
    fn component(kind: Kind, component: Component) -> Self {
        Loaded::Component { component, is_async: kind == Kind::AsyncComponent }
    }
}

/// Looks at what a program is.
pub(crate) fn kind(program: &[u8]) -> Result<Kind, Error> {
    match program {
        [] => Err(Error::NotWebAssembly("it is empty".to_owned())),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Ok(Kind::Module),
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Ok(Kind::Component),
        [0, b'a', b's', b'm', _, _, _, _, ..] => {
            Err(Error::NotWebAssembly("it is WebAssembly of a version that nobody knows".to_owned()))
        }
        [0, b'a', b's', b'm', ..] => Err(Error::Invalid("it ends within its first 8 bytes".to_owned())),
        _ if program.ends_with(&MAGIC[..]) || footer_of(program).is_some() => Err(Error::Precompiled),
        _ => text(program),
    }
}

/// Text form, or something else altogether.
fn text(program: &[u8]) -> Result<Kind, Error> {
    if let Some(what) = FOREIGN.iter().find(|(magic, _)| program.starts_with(magic)) {
        return Err(Error::NotWebAssembly(format!("it is {}", what.1)));
    }
    match std::str::from_utf8(program).map(without_comments) {
        Ok(rest) if rest.starts_with("(component") => Ok(Kind::Component),
        Ok(rest) if rest.starts_with('(') => Ok(Kind::Module),
        Ok(_) => Err(Error::NotWebAssembly("it is text, but not WebAssembly's".to_owned())),
        Err(_) => Err(Error::NotWebAssembly("it has not the first bytes of a module (`00 61 73 6d`)".to_owned())),
    }
}

/// The text from its first parenthesis that begins no comment.
fn without_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        if let Some(comment) = rest.strip_prefix(";;") {
            rest = comment.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
        } else if rest.starts_with("(;") {
            rest = after_comment(rest).trim_start();
        } else {
            return rest;
        }
    }
}

/// The text behind a comment that it begins with; comments can be in comments.
fn after_comment(text: &str) -> &str {
    let (mut depth, mut rest) = (0_usize, text);
    loop {
        depth = match rest {
            _ if rest.starts_with("(;") => depth + 1,
            _ if rest.starts_with(";)") => depth - 1,
            _ => {
                let mut characters = rest.chars();
                if characters.next().is_none() {
                    return rest;
                }
                rest = characters.as_str();
                continue;
            }
        };
        rest = &rest[2..];
        if depth == 0 {
            return rest;
        }
    }
}

/// What people give by mistake.
const FOREIGN: &[(&[u8], &str)] = &[
    (b"\x89PNG", "a PNG image"),
    (b"\x7fELF", "a native program or library (ELF)"),
    (b"\x1f\x8b", "compressed (gzip)"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd)"),
    (b"PK\x03\x04", "a zip archive"),
    (b"!<arch>", "a static library"),
    (b"BC\xc0\xde", "LLVM bitcode"),
    (b"#!", "a script"),
    (b"%PDF", "a PDF document"),
];

/// The name of a program's artifact in the cache: by its content, the engine and its options.
pub(crate) fn cache_name(program: &[u8], key: EngineKey, kind: Kind) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&footer(key, kind, program.len()));
    hasher.update(program);
    hasher.finalize().to_hex().to_string()
}

/// The footer of an artifact.
pub(crate) fn footer(key: EngineKey, kind: Kind, code_bytes: usize) -> [u8; FOOTER_BYTES] {
    let mut footer = [0; FOOTER_BYTES];
    footer[..8].copy_from_slice(MAGIC);
    footer[8..8 + ENGINE_VERSION.len()].copy_from_slice(ENGINE_VERSION.as_bytes());
    footer[32] = u8::from(key.fuel) | u8::from(key.interruptible) << 1 | u8::from(key.deterministic) << 2;
    footer[33] = kind as u8;
    footer[40..].copy_from_slice(&(code_bytes as u64).to_le_bytes());
    footer
}

/// What a footer says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Footer {
    version: String,
    key: EngineKey,
    kind: Kind,
}

fn footer_of(artifact: &[u8]) -> Option<Footer> {
    let (code, footer) = artifact.split_last_chunk::<FOOTER_BYTES>()?;
    parse_footer(footer, code.len() as u64)
}

fn parse_footer(footer: &[u8; FOOTER_BYTES], code_bytes: u64) -> Option<Footer> {
    if !footer.starts_with(MAGIC) || footer[40..] != code_bytes.to_le_bytes() {
        return None;
    }
    let version = footer[8..32].split(|&byte| byte == 0).next()?;
    let flag = |bit: u8| footer[32] & 1 << bit != 0;
    let key = EngineKey { fuel: flag(0), interruptible: flag(1), deterministic: flag(2) };
    let kind = match footer[33] {
        0 => Kind::Module,
        1 => Kind::Component,
        2 => Kind::AsyncComponent,
        _ => return None,
    };
    Some(Footer { version: String::from_utf8_lossy(version).into_owned(), key, kind })
}

fn footer_of_file(file: &File) -> Option<Footer> {
    let (footer, bytes) = programs::read_tail::<FOOTER_BYTES>(file).ok()??;
    parse_footer(&footer, bytes - FOOTER_BYTES as u64)
}

/// Loads what was compiled a moment ago, in this process.
pub(crate) fn load_fresh(engines: &Engines, kind: Kind, code: &[u8]) -> Result<Loaded, Error> {
    let engine = engines.of(kind)?;
    let loaded = match kind {
        // SAFETY: these bytes come from the compiler, and have been nowhere else.
        Kind::Module => unsafe { Module::deserialize(engine, code) }.map(Loaded::Module),
        Kind::Component | Kind::AsyncComponent => {
            // SAFETY: the same.
            let component = unsafe { Component::deserialize(engine, code) };
            component.map(|component| Loaded::component(kind, component))
        }
    };
    loaded.map_err(|error| Error::Engine(format!("{error:#}")))
}

/// Maps an open file.
///
/// # Safety
/// Somebody vouches for it: it is what the engine's compiler made, all of it, and it does not change while it is mapped.
unsafe fn map(engine: &wasmtime::Engine, kind: Kind, file: File) -> wasmtime::Result<Loaded> {
    match kind {
        // SAFETY: the caller's.
        Kind::Module => unsafe { Module::deserialize_open_file(engine, file) }.map(Loaded::Module),
        Kind::Component | Kind::AsyncComponent => {
            // The engine takes components by name only: this name is the file that is open here, and no other.
            let name = programs::name_of_open(&file);
            // SAFETY: the caller's.
            let component = unsafe { Component::deserialize_file(engine, name) };
            component.map(|component| Loaded::component(kind, component))
        }
    }
}

/// Maps an artifact of the cache. `None`: it was cut short, or made by another version, or for another processor.
pub(crate) fn load_cached(engines: &Engines, kind: Kind, file: File) -> Option<Loaded> {
    let Footer { version, key, kind: made } = footer_of_file(&file)?;
    if version != ENGINE_VERSION || key != engines.key || made.at_first_sight() != kind {
        return None;
    }
    let engine = engines.of(made).ok()?;
    // SAFETY: the folder and the file belong to this user and nobody else can write to either (`PrivateFolder::get`), the
    // file came to be whole (`PrivateFolder::put`), and files of the cache are replaced, never changed.
    unsafe { map(engine, made, file) }.ok()
}

/// A file with native code that the user vouches for.
#[derive(Clone, Debug)]
pub struct TrustedArtifact(PathBuf);

impl TrustedArtifact {
    /// Says that the file was made by [`Engine::compile`](crate::Engine::compile), has not been changed since, and will not be
    /// while it is loaded. It is native code: whoever made it can do in this process whatever this process can.
    #[must_use]
    pub fn vouch(path: &Path) -> Self {
        TrustedArtifact(path.to_owned())
    }
}

/// Maps an artifact that the user vouches for.
pub(crate) fn load_trusted(engines: &Engines, TrustedArtifact(path): &TrustedArtifact) -> Result<Loaded, Error> {
    let file = programs::open(path).map_err(|code| Error::Read { path: path.clone(), code })?;
    let Some(Footer { version, key: made_for, kind }) = footer_of_file(&file) else {
        return Err(Error::Artifact("it is not one that `turnkey compile` made, or not all of it".to_owned()));
    };
    if version != ENGINE_VERSION {
        return Err(Error::Artifact(format!("it is of engine {version}, and this is {ENGINE_VERSION}")));
    }
    if made_for != engines.key {
        return Err(Error::Artifact(differences(made_for, engines.key)));
    }
    let engine = engines.of(kind)?;
    // SAFETY: `TrustedArtifact::vouch`.
    unsafe { map(engine, kind, file) }.map_err(|error| Error::Artifact(error.root_cause().to_string()))
}

/// In which options an artifact and a run differ, by the flags that set them.
fn differences(made_for: EngineKey, key: EngineKey) -> String {
    let differing: Vec<String> = [
        ("--fuel", made_for.fuel, key.fuel),
        ("--timeout", made_for.interruptible, key.interruptible),
        ("--deterministic", made_for.deterministic, key.deterministic),
    ]
    .into_iter()
    .filter(|(_, made, wanted)| made != wanted)
    .map(|(flag, made, _)| {
        if made {
            format!("with `{flag}`, which this run has not")
        } else {
            format!("without `{flag}`, which this run has")
        }
    })
    .collect();
    format!("it was compiled {}", differing.join(", and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_engine_that_is_linked() {
        let lock = include_str!("../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"wasmtime\"\nversion = \"{ENGINE_VERSION}\"")));
    }

    #[test]
    fn a_footer_is_read_as_it_was_written_and_only_whole() {
        let key = EngineKey { fuel: true, interruptible: false, deterministic: true };
        let mut artifact = b"code".to_vec();
        artifact.extend(footer(key, Kind::Component, 4));
        let read = Footer { version: ENGINE_VERSION.to_owned(), key, kind: Kind::Component };
        assert_eq!(footer_of(&artifact), Some(read));
        for bytes in 0..artifact.len() {
            assert_eq!(footer_of(&artifact[..bytes]), None);
        }
    }

    #[test]
    fn programs_are_told_from_what_is_none() {
        assert_eq!(kind(b"\0asm\x01\0\0\0").unwrap(), Kind::Module);
        assert_eq!(kind(b" ;; text\n (; more ;) (module)").unwrap(), Kind::Module);
        assert_eq!(kind(b"\0asm\x0d\0\x01\0").unwrap(), Kind::Component);
        assert_eq!(kind(b"(component)").unwrap(), Kind::Component);
        for foreign in [&b""[..], b"\x89PNG\r\n", b"hello", b"\xff\xfe", b"#!/bin/sh"] {
            assert!(matches!(kind(foreign), Err(Error::NotWebAssembly(_))), "{foreign:?}");
        }
    }
}
