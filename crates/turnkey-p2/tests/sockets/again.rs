//! A component that exports again what it imports, so that a test calls the host as a guest does: through the canonical
//! ABI, with a guest's handles and a guest's memory. It has the functions of all interfaces that a file of `wit/0.2` defines,
//! a method as a function whose first parameter is `this`, a constructor as one of that name. Source of truth: `wit/0.2`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmSignature, WasmType};
use wit_parser::{
    Function, Handle, LiftLowerAbi, ManglingAndAbi, Resolve, ResourceIntrinsic, Type, TypeDefKind, TypeId, TypeOwner,
    UnresolvedPackageGroup, WasmExport, WasmExportKind, WasmImport, WorldId, WorldItem, WorldKey,
};

const MANGLING: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);

/// Where an import leaves its results, and where what the host asks room for begins.
const RESULTS: u8 = 16;
const HEAP: u32 = 4096;

/// The interfaces of a file of `wit/0.2`, as interfaces that are exported: what they define is used, and their functions stay.
/// And for a world: that each is imported, and exported again.
fn exported(text: &str) -> (String, String) {
    let package = text.lines().find_map(|line| line.strip_prefix("package ")).unwrap().trim_end_matches(';');
    let (name, version) = package.split_once('@').unwrap();
    let of = |interface: &str| format!("{name}/{interface}@{version}");
    let (mut all, mut both) = (String::new(), String::new());
    let (mut functions, mut types) = (String::new(), Vec::new());
    let (mut interface, mut resource, mut world) = ("", "", false);
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        let defined = ["resource ", "enum ", "record ", "variant ", "type ", "flags "];
        let definition = defined.iter().find_map(|kind| line.strip_prefix(kind));
        match (indent, line) {
            (0, _) if line.starts_with("world ") => world = true,
            _ if world || line.starts_with('@') || line.starts_with("//") => {}
            (0, _) if line.starts_with("interface ") => {
                interface = line.trim_start_matches("interface ").trim_end_matches(" {");
                (functions, types) = (String::new(), Vec::new());
            }
            // What guests export, the host has not.
            (0, "}") if interface == "incoming-handler" => {}
            (0, "}") => {
                let types = types.join(", ");
                let uses = if types.is_empty() { types } else { format!("use {}.{{{types}}};\n", of(interface)) };
                all += &format!("interface {interface} {{\n{uses}{functions}}}\n");
                both += &format!("import {};\nexport {interface};\n", of(interface));
            }
            (2, _) if line.starts_with("use ") => {
                let (from, names) = line["use ".len()..].split_once(".{").unwrap();
                let from = if from.contains(':') { from.to_owned() } else { of(from) };
                functions += &format!("use {from}.{{{names}\n");
            }
            (2, _) if definition.is_some() => {
                let name = definition.unwrap().split([' ', ';', '=']).next().unwrap();
                types.push(name);
                resource = if line.starts_with("resource ") { name } else { "" };
            }
            // A list of handles would have to be taken apart; `block` waits as well.
            (2, _) if line.contains("list<borrow<") => {}
            (2, _) if line.contains(": func(") => functions += &format!("{line}\n"),
            (4, _) if !resource.is_empty() && line.starts_with("constructor(") => {
                let parameters = line.trim_start_matches("constructor").trim_end_matches(';');
                functions += &format!("{resource}-constructor: func{parameters} -> {resource};\n");
            }
            (4, _) if !resource.is_empty() && line.contains(": static func(") => {
                functions += &format!("{resource}-{}\n", line.replace(": static func(", ": func("));
            }
            (4, _) if !resource.is_empty() && line.contains(": func(") => {
                let (method, rest) = line.split_once(": func(").unwrap();
                let comma = if rest.starts_with(')') { "" } else { ", " };
                let method = method.trim_start_matches('%');
                functions += &format!("{resource}-{method}: func(this: borrow<{resource}>{comma}{rest}\n");
            }
            _ => {}
        }
    }
    (all, both)
}

/// The world that imports and exports the interfaces of these files.
fn definitions(files: &[&str]) -> (Resolve, WorldId) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.2/deps");
    let parse = |path: &Path, text: &str| {
        UnresolvedPackageGroup::parse(path, text)
            .map_err(|(_, error)| error)
            .unwrap_or_else(|error| panic!("{error}\n{text}"))
    };
    let (mut packages, mut again, mut world) = (Vec::new(), "package test:again;\n".to_owned(), String::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        if files.contains(&path.file_stem().unwrap().to_str().unwrap()) {
            let (interfaces, both) = exported(&text);
            again += &interfaces;
            world += &both;
        }
        packages.push(parse(&path, &text));
    }
    again += &format!("world again {{\n{world}}}\n");
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let package = resolve.push_groups(parse(Path::new("again.wit"), &again), packages).unwrap();
    let world = resolve.select_world(&[package], Some("again")).unwrap();
    (resolve, world)
}

/// A function that is imported and exported again.
struct Again<'a> {
    imported: (&'a WorldKey, &'a Function),
    exported: (&'a WorldKey, &'a Function),
}

fn functions<'a>(resolve: &'a Resolve, world: WorldId) -> Vec<Again<'a>> {
    let world = &resolve.worlds[world];
    let name = |key| resolve.name_world_key(key);
    let short = |key| name(key).rsplit('/').next().unwrap().split('@').next().unwrap().to_owned();
    // `[method]tcp-socket.accept` comes back as `tcp-socket-accept`.
    let plain = |function: &str| match function.strip_prefix("[constructor]") {
        Some(resource) => format!("{resource}-constructor"),
        None => function.trim_start_matches("[method]").trim_start_matches("[static]").replace('.', "-"),
    };
    let mut imported = HashMap::new();
    for (key, item) in &world.imports {
        let WorldItem::Interface { id, .. } = item else { panic!("an interface, not {item:?}") };
        let functions = resolve.interfaces[*id].functions.values();
        imported.extend(functions.map(|function| ((short(key), plain(&function.name)), (key, function))));
    }
    let mut all = Vec::new();
    for (key, item) in &world.exports {
        let WorldItem::Interface { id, .. } = item else { panic!("an interface, not {item:?}") };
        for function in resolve.interfaces[*id].functions.values() {
            let imported = imported[&(short(key), function.name.clone())];
            all.push(Again { imported, exported: (key, function) });
        }
    }
    all
}

/// The resource that a parameter lends, where it is defined.
fn lent(resolve: &Resolve, ty: &Type) -> Option<TypeId> {
    let Type::Id(id) = ty else { return None };
    let TypeDefKind::Handle(Handle::Borrow(mut resource)) = resolve.types[*id].kind else { return None };
    while let TypeDefKind::Type(Type::Id(id)) = resolve.types[resource].kind {
        resource = id;
    }
    Some(resource)
}

fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    [&*number(bytes.len()), bytes].concat()
}

fn section(id: u8, entries: &[Vec<u8>]) -> Vec<u8> {
    [vec![id], counted(&[number(entries.len()), entries.concat()].concat())].concat()
}

fn signature(parameters: &[WasmType], results: &[WasmType]) -> Vec<u8> {
    let types = |of: &[WasmType]| {
        let byte = |of: &WasmType| match of {
            WasmType::I32 | WasmType::Pointer | WasmType::Length => 0x7f,
            WasmType::I64 | WasmType::PointerOrI64 => 0x7e,
            WasmType::F32 => 0x7d,
            WasmType::F64 => 0x7c,
        };
        counted(&of.iter().map(byte).collect::<Vec<u8>>())
    };
    [vec![0x60], types(parameters), types(results)].concat()
}

/// A module while it is put together.
#[derive(Default)]
struct Module {
    signatures: Vec<Vec<u8>>,
    imports: Vec<Vec<u8>>,
    functions: Vec<Vec<u8>>,
    exports: Vec<Vec<u8>>,
    bodies: Vec<Vec<u8>>,
}

impl Module {
    /// An imported function's index. All of them are imported before any is defined.
    fn import(&mut self, (module, name): (String, String), parameters: &[WasmType], results: &[WasmType]) -> usize {
        let of = number(self.signatures.len());
        self.imports.push([counted(module.as_bytes()), counted(name.as_bytes()), vec![0x00], of].concat());
        self.signatures.push(signature(parameters, results));
        self.imports.len() - 1
    }

    fn export(&mut self, name: &str, parameters: &[WasmType], results: &[WasmType], body: &[u8]) {
        self.exports
            .push([counted(name.as_bytes()), vec![0x00], number(self.imports.len() + self.functions.len())].concat());
        self.functions.push(number(self.signatures.len()));
        self.signatures.push(signature(parameters, results));
        self.bodies.push(counted(&[&[0x00], body, &[0x0b]].concat()));
    }

    fn finish(mut self) -> Vec<u8> {
        self.exports.push([counted(b"memory"), vec![0x02, 0x00]].concat());
        let heap = [&[0x7f, 0x01, 0x41][..], &number(HEAP as usize), &[0x0b]].concat();
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(1, &self.signatures),
            section(2, &self.imports),
            section(3, &self.functions),
            // 32 MiB, of which nothing is given back.
            section(5, &[[vec![0x00], number(512)].concat()]),
            section(6, &[heap]),
            section(7, &self.exports),
            section(10, &self.bodies),
        ]
        .concat()
    }
}

/// The component for the interfaces of these files.
pub(crate) fn component(files: &[&str]) -> Vec<u8> {
    let (resolve, world) = definitions(files);
    let functions = functions(&resolve, world);
    let mut module = Module::default();
    let mut drops = HashMap::new();
    for Again { imported: (_, func), .. } in &functions {
        for resource in func.params.iter().filter_map(|parameter| lent(&resolve, &parameter.ty)) {
            let TypeOwner::Interface(owner) = resolve.types[resource].owner else { panic!("a resource of its own") };
            let key = WorldKey::Interface(owner);
            let intrinsic = ResourceIntrinsic::ImportedDrop;
            let what = WasmImport::ResourceIntrinsic { interface: Some(&key), resource, intrinsic };
            let name = resolve.wasm_import_name(MANGLING, what);
            drops.entry(resource).or_insert_with(|| module.import(name, &[WasmType::I32], &[]));
        }
    }
    let mut indices = Vec::new();
    for Again { imported: (interface, func), .. } in &functions {
        let WasmSignature { params, results, .. } = resolve.wasm_signature(AbiVariant::GuestImport, func);
        let what = WasmImport::Func { interface: Some(interface), func };
        indices.push(module.import(resolve.wasm_import_name(MANGLING, what), &params, &results));
    }
    for (Again { exported: (interface, func), imported: (_, imported) }, index) in functions.iter().zip(indices) {
        let import = resolve.wasm_signature(AbiVariant::GuestImport, imported);
        let export = resolve.wasm_signature(AbiVariant::GuestExport, func);
        assert!(!import.indirect_params, "{}", func.name);
        let mut body: Vec<u8> = (0..export.params.len()).flat_map(|at| [0x20, at as u8]).collect();
        if import.retptr {
            body.extend([0x41, RESULTS]);
        }
        body.extend([&[0x10], &*number(index)].concat());
        // What was lent to the component has to be given back. Such parameters come first, each one value.
        for (at, parameter) in func.params.iter().enumerate() {
            if let Some(resource) = lent(&resolve, &parameter.ty) {
                body.extend([&[0x20, at as u8, 0x10], &*number(drops[&resource])].concat());
            }
        }
        if import.retptr {
            body.extend([0x41, RESULTS]);
        }
        let what = WasmExport::Func { interface: Some(interface), func, kind: WasmExportKind::Normal };
        module.export(&resolve.wasm_export_name(MANGLING, what), &export.params, &export.results, &body);
    }
    // The room begins at (heap + align - 1) & -align, and the heap then at its end.
    let realloc = [
        &[0x23, 0x00, 0x20, 0x02, 0x6a, 0x41, 0x01, 0x6b, 0x41, 0x00, 0x20, 0x02, 0x6b, 0x71][..],
        &[0x22, 0x00, 0x20, 0x03, 0x6a, 0x24, 0x00, 0x20, 0x00],
    ];
    module.export("cabi_realloc", &[WasmType::I32; 4], &[WasmType::I32], &realloc.concat());
    let mut module = module.finish();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}
