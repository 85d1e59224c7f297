//! Components that import all that some definitions in WIT have, and do nothing with it: what is linked to one of them is there,
//! with its types. For the tests of Preview 2 and of Preview 3.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{
    LiftLowerAbi, ManglingAndAbi, Resolve, ResourceIntrinsic, TypeDefKind, WasmImport, WorldId, WorldItem,
};

/// Definitions, and the world that imports all of them.
pub(crate) type Definitions = (Resolve, WorldId);

/// A core module that imports all functions of a world, and what drops its resources, and does nothing with them. What it
/// exports is what the canonical ABI wants of it.
fn module((resolve, world): &Definitions) -> Vec<u8> {
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
    fn types(of: &[WasmType]) -> Vec<u8> {
        let byte = |of: &WasmType| match of {
            WasmType::I32 | WasmType::Pointer | WasmType::Length => 0x7f,
            WasmType::I64 | WasmType::PointerOrI64 => 0x7e,
            WasmType::F32 => 0x7d,
            WasmType::F64 => 0x7c,
        };
        counted(&of.iter().map(byte).collect::<Vec<u8>>())
    }
    fn section(id: u8, entries: &[Vec<u8>]) -> Vec<u8> {
        [vec![id], counted(&[number(entries.len()), entries.concat()].concat())].concat()
    }

    let mangling = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    // The first is that of `cabi_realloc`.
    let mut signatures = vec![[vec![0x60], types(&[WasmType::I32; 4]), types(&[WasmType::I32])].concat()];
    let mut imports = Vec::new();
    let mut import = |what, parameters: &[WasmType], results: &[WasmType]| {
        let (module, name) = resolve.wasm_import_name(mangling, what);
        let index = number(signatures.len());
        imports.push([counted(module.as_bytes()), counted(name.as_bytes()), vec![0x00], index].concat());
        signatures.push([vec![0x60], types(parameters), types(results)].concat());
    };
    for (key, item) in &resolve.worlds[*world].imports {
        let WorldItem::Interface { id, .. } = item else { panic!("an interface, not {item:?}") };
        let interface = Some(key);
        for func in resolve.interfaces[*id].functions.values() {
            let signature = resolve.wasm_signature(AbiVariant::GuestImport, func);
            import(WasmImport::Func { interface, func }, &signature.params, &signature.results);
        }
        for &resource in resolve.interfaces[*id].types.values() {
            if matches!(resolve.types[resource].kind, TypeDefKind::Resource) {
                let intrinsic = ResourceIntrinsic::ImportedDrop;
                import(WasmImport::ResourceIntrinsic { interface, resource, intrinsic }, &[WasmType::I32], &[]);
            }
        }
    }

    let realloc = number(imports.len());
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &signatures),
        section(2, &imports),
        section(3, &[vec![0x00]]),
        section(5, &[vec![0x00, 0x00]]),
        section(
            7,
            &[
                [counted(b"memory"), vec![0x02, 0x00]].concat(),
                [counted(b"cabi_realloc"), vec![0x00], realloc].concat(),
            ],
        ),
        section(10, &[counted(b"\0\0\x0b")]),
    ]
    .concat()
}

/// The component that imports all of the definitions.
pub(crate) fn component(definitions: &Definitions) -> Vec<u8> {
    let mut module = module(definitions);
    embed_component_metadata(&mut module, &definitions.0, definitions.1, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}
