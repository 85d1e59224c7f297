//! Components whose core module is in text form, small enough to be read where they are used. They are on the canonical ABI
//! themselves, with no bindings in between that would keep its rules for them: pointers, lengths, handles and `realloc` are
//! what the text says.
//!
//! A function is named by its resource or its interface: `$pollable.ready`, `$poll.poll`, `$pollable.drop`. What is named is
//! imported, with the signature that `wit/` gives it. Here are those of Preview 2; `async_component.rs` has those of Preview 3.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{
    Function, Interface, LiftLowerAbi, ManglingAndAbi, Resolve, ResourceIntrinsic, TypeDefKind, UnresolvedPackageGroup,
    WasmImport, WorldId, WorldItem, WorldKey,
};

use crate::harness::{Folder, repository};

/// The world of a command that may import everything.
const WORLD: &str = "package tests:security;
    world command { include wasi:cli/imports@0.2.12; export wasi:cli/run@0.2.12; }";

/// What a guest of one preview can import and what is written for it: each function by its name here, as a line of a core
/// module.
pub(crate) struct Wasi {
    resolve: Resolve,
    world: WorldId,
    imports: BTreeMap<String, String>,
    written: &'static [(&'static str, &'static str)],
}

static WASI: LazyLock<Wasi> = LazyLock::new(|| Wasi::new(&["wit/0.2/deps"], WORLD, WRITTEN));

/// The definitions.
pub(crate) fn resolve() -> &'static Resolve {
    &WASI.resolve
}

/// Every function, by its name here; resources' drops are none.
pub(crate) fn functions() -> Vec<(String, &'static Function)> {
    let interfaces = WASI.resolve.worlds[WASI.world].imports.values().map(|item| match item {
        WorldItem::Interface { id, .. } => &WASI.resolve.interfaces[*id],
        item => panic!("an interface, not {item:?}"),
    });
    interfaces
        .flat_map(|interface| interface.functions.values().map(|function| (name(interface, function), function)))
        .collect()
}

fn name(interface: &Interface, function: &Function) -> String {
    match function.name.split_once(']') {
        Some((_, method)) => method.to_owned(),
        None => format!("{}.{}", interface.name.as_deref().unwrap_or_default(), function.name),
    }
}

/// The lines of imports, while they are made.
struct Imports<'a> {
    resolve: &'a Resolve,
    /// What stands before the names of an interface.
    prefix: &'static str,
    lines: BTreeMap<String, String>,
}

impl Imports<'_> {
    fn add(
        &mut self,
        name: &str,
        abi: LiftLowerAbi,
        what: WasmImport<'_>,
        parameters: &[WasmType],
        results: &[WasmType],
    ) {
        let words = |types: &[WasmType]| -> String {
            let word = |of: &WasmType| match of {
                WasmType::I32 | WasmType::Pointer | WasmType::Length => " i32",
                WasmType::I64 | WasmType::PointerOrI64 => " i64",
                WasmType::F32 => " f32",
                WasmType::F64 => " f64",
            };
            types.iter().map(word).collect()
        };
        let (module, function) = self.resolve.wasm_import_name(ManglingAndAbi::Legacy(abi), what);
        let (parameters, results) = (words(parameters), words(results));
        let name = format!("{}{name}", self.prefix);
        let line =
            format!("(import \"{module}\" \"{function}\" (func ${name} (param{parameters}) (result{results})))\n");
        assert!(self.lines.insert(name, line).is_none(), "two functions have one name");
    }

    /// A function, as one that waits here; and if the standard has it `async`, as one that does not, by its name and `.async`.
    fn function(&mut self, interface: &WorldKey, name: &str, func: &Function) {
        let what = || WasmImport::Func { interface: Some(interface), func };
        let signature = self.resolve.wasm_signature(AbiVariant::GuestImport, func);
        self.add(name, LiftLowerAbi::Sync, what(), &signature.params, &signature.results);
        if func.kind.is_async() {
            let signature = self.resolve.wasm_signature(AbiVariant::GuestImportAsync, func);
            let name = format!("{name}.async");
            self.add(&name, LiftLowerAbi::AsyncCallback, what(), &signature.params, &signature.results);
        }
        // What is done with the streams and futures that it takes or gives: `.0.read` of the first.
        let module = self.resolve.name_world_key(interface);
        for (number, ty) in func.find_futures_and_streams(self.resolve).into_iter().enumerate() {
            let (kind, of_transfer) = match self.resolve.types[ty].kind {
                TypeDefKind::Stream(_) => ("stream", "(param i32 i32 i32) (result i32)"),
                _ => ("future", "(param i32 i32) (result i32)"),
            };
            for (word, signature) in [
                ("new", "(result i64)"),
                ("read", of_transfer),
                ("write", of_transfer),
                ("cancel-read", "(param i32) (result i32)"),
                ("cancel-write", "(param i32) (result i32)"),
                ("drop-readable", "(param i32)"),
                ("drop-writable", "(param i32)"),
            ] {
                let mut add = |lowered: &str, ending: &str| {
                    let name = format!("{}{name}.{number}.{word}{ending}", self.prefix);
                    let field = format!("{lowered}[{kind}-{word}-{number}]{}", func.name);
                    let line = format!("(import \"{module}\" \"{field}\" (func ${name} {signature}))\n");
                    self.lines.insert(name, line);
                };
                add("", "");
                if signature == of_transfer {
                    add("[async-lower]", ".async");
                }
            }
        }
    }
}

impl Wasi {
    /// With the packages in these folders; `world` is what may be imported, and what is exported. In a world that has both
    /// previews, the names of Preview 2 begin with `p2:`.
    pub(crate) fn new(folders: &[&str], world: &str, written: &'static [(&'static str, &'static str)]) -> Self {
        let parse = |path: PathBuf| UnresolvedPackageGroup::parse(&path, &fs::read_to_string(&path).unwrap()).unwrap();
        let packages = folders.iter().flat_map(|folder| fs::read_dir(repository().join(folder)).unwrap());
        let packages = packages.map(|entry| parse(entry.unwrap().path()));
        let mut resolve = Resolve { all_features: true, ..Resolve::default() };
        let ours = UnresolvedPackageGroup::parse("security.wit", world).unwrap();
        let package = resolve.push_groups(ours, packages.collect()).unwrap();
        let world = resolve.select_world(&[package], Some("command")).unwrap();
        let mut imports = Imports { resolve: &resolve, prefix: "", lines: BTreeMap::new() };
        for (key, item) in &resolve.worlds[world].imports {
            let WorldItem::Interface { id, .. } = item else { panic!("an interface, not {item:?}") };
            let interface = &resolve.interfaces[*id];
            let of_preview2 = resolve.name_world_key(key).contains("@0.2.");
            imports.prefix = if of_preview2 && folders.len() > 1 { "p2:" } else { "" };
            for func in interface.functions.values() {
                imports.function(key, &name(interface, func), func);
            }
            for (name, &resource) in &interface.types {
                if matches!(resolve.types[resource].kind, TypeDefKind::Resource) {
                    let intrinsic = ResourceIntrinsic::ImportedDrop;
                    let what = WasmImport::ResourceIntrinsic { interface: Some(key), resource, intrinsic };
                    imports.add(&format!("{name}.drop"), LiftLowerAbi::Sync, what, &[WasmType::I32], &[]);
                }
            }
        }
        let imports = imports.lines;
        Wasi { resolve, world, imports, written }
    }

    /// A function that the definitions do not have, as a line of a core module.
    pub(crate) fn import(&mut self, name: &str, line: &str) {
        self.imports.insert(name.to_owned(), line.to_owned());
    }

    /// A command whose core module has so many pages of memory, and these fields, which export what is to be run. If they have
    /// a `$realloc`, it is used in place of the one here.
    pub(crate) fn command(&self, pages: u32, fields: &str) -> Vec<u8> {
        let mut all = fields.to_owned();
        let mut written = String::new();
        if !fields.contains("(func $realloc") {
            written += REALLOC;
        }
        // The later ones are written in the earlier ones, and some in two.
        for _ in 0..3 {
            for (name, function) in self.written {
                if names(&all, name) && !written.contains(function) {
                    written += function;
                    all += function;
                }
            }
        }
        let imports: String = self
            .imports
            .iter()
            .filter(|(name, _)| names(&all, &format!("${name}")))
            .map(|(_, line)| line.as_str())
            .collect();
        let text = format!(
            "(module {imports}
                (memory (export \"memory\") {pages})
                (global $heap (mut i32) (i32.const {HEAP}))
                {written} {fields}
                (export \"cabi_realloc\" (func $realloc)))"
        );
        let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
        embed_component_metadata(&mut module, &self.resolve, self.world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
    }
}

/// Where `realloc` makes room from: below it is what the text lays out itself.
const HEAP: u32 = 32 << 10;

/// Room one after another, none of it ever given back, as far as the memory goes.
const REALLOC: &str =
    "(func $realloc (param $old i32) (param $old_bytes i32) (param $align i32) (param $bytes i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and
        (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $heap (i32.add (local.get $at) (local.get $bytes)))
    (local.get $at))";

/// Functions that a text may name and that are written in others.
const WRITTEN: &[(&str, &str)] = &[
    // Ends with a status.
    ("$end", "(func $end (param $status i32) (call $exit.exit-with-code (local.get $status)) unreachable)"),
    // A result that lies at an address, of a handle or a code: nothing if it is well, else the end, with the code and 100.
    (
        "$must",
        "(func $must (param $at i32)
            (if (i32.load8_u (local.get $at))
                (then (call $end (i32.add (i32.const 100) (i32.load8_u offset=4 (local.get $at)))))))",
    ),
    // The same of a result that has 64 bits in it.
    (
        "$must64",
        "(func $must64 (param $at i32)
            (if (i32.load8_u (local.get $at))
                (then (call $end (i32.add (i32.const 100) (i32.load8_u offset=8 (local.get $at)))))))",
    ),
    // The first directory that was handed over.
    (
        "$root",
        "(func $root (result i32)
            (call $preopens.get-directories (i32.const 16))
            (i32.load (i32.load (i32.const 16))))",
    ),
    // The file `file` in it, to read and write, made if it is not there; its name lies at 64.
    (
        "$file",
        "(func $file (result i32)
            (i32.store (i32.const 64) (i32.const 0x656c6966))
            (call $descriptor.open-at
                (call $root) (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 1) (i32.const 3) (i32.const 16))
            (call $must (i32.const 16))
            (i32.load (i32.const 20)))",
    ),
    // Its streams from an offset on.
    (
        "$reader",
        "(func $reader (param $file i32) (param $offset i64) (result i32)
            (call $descriptor.read-via-stream (local.get $file) (local.get $offset) (i32.const 16))
            (call $must (i32.const 16))
            (i32.load (i32.const 20)))",
    ),
    (
        "$writer",
        "(func $writer (param $file i32) (param $offset i64) (result i32)
            (call $descriptor.write-via-stream (local.get $file) (local.get $offset) (i32.const 16))
            (call $must (i32.const 16))
            (i32.load (i32.const 20)))",
    ),
];

/// Whether a text names this, and not only something that begins like it.
fn names(text: &str, name: &str) -> bool {
    let goes_on = |next: char| next.is_alphanumeric() || "_-.".contains(next);
    text.match_indices(name).any(|(at, _)| !text[at + name.len()..].starts_with(goes_on))
}

/// A command with so many pages of memory: `body` is what it does, `fields` what else its core module has. If they have a
/// `$realloc`, it is used in place of the one here. It ends well, unless it says otherwise.
pub(crate) fn component(pages: u32, fields: &str, body: &str) -> Vec<u8> {
    let run = format!("(func (export \"wasi:cli/run@0.2.12#run\") (result i32) {body} (i32.const 0))");
    WASI.command(pages, &[fields, &run].concat())
}

/// A field that has bytes in memory from the start.
pub(crate) use crate::harness::wat::data;

/// The file of a component: as [`component`], with a memory of four pages.
pub(crate) fn app(folder: &Folder, fields: &str, body: &str) -> PathBuf {
    large_app(folder, 4, fields, body)
}

/// The same with more memory.
pub(crate) fn large_app(folder: &Folder, pages: u32, fields: &str, body: &str) -> PathBuf {
    let number = fs::read_dir(folder.root()).unwrap().count();
    folder.file(format!("guest-{number}.wasm"), component(pages, fields, body))
}
