//! Components that call whatever there is in Preview 2, at random: with handles of the right kind and of the wrong one, with
//! numbers from where arithmetic goes wrong, with places inside of their memory and beyond. Each ends well, by a trap, or by
//! its time, and the host goes on.
//!
//! The calls are the same each time; `RANDOM_CALLS_SEED=7` makes others.

use std::collections::BTreeMap;
use std::fmt::Write;

use wit_parser::{Function, Handle, Resolve, Type, TypeDefKind, TypeId};

use crate::component::{data, functions, large_app, resolve};
use crate::harness::{Folder, granted, run, turnkey};

/// Components that are made, and calls of each. The first that traps is its last, and most do before long.
const COMPONENTS: u64 = 100;
const CALLS: usize = 100;

/// Far more than any of these needs: four megabytes are the most that one call reads.
const PAGES: u32 = 96;
const FLAT_BYTES: u64 = 160 << 20;

/// Functions that are not called at random: they end the guest, or fill the disk for as long as it may run.
const LEFT_OUT: [&str; 3] = ["exit.exit", "exit.exit-with-code", "output-stream.blocking-write-zeroes-and-flush"];

/// Once in so many times something is what it must not be: a trap, and so the end.
const RARELY: usize = 400;

/// Numbers that are near a bound of something.
const NUMBERS: [i64; 20] = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    63,
    64,
    65,
    255,
    4096,
    65_535,
    65_536,
    1 << 20,
    i32::MAX as i64,
    1 << 31,
    u32::MAX as i64,
    i64::MAX,
    -1,
];

/// Strings, each at a place of its own from 1024 on.
const STRINGS: [&str; 10] =
    ["file", "folder", "folder/..", "..", "link/", "", "127.0.0.1", "localhost", "new", "folder/\u{ef80}"];

/// What has to be permitted, and by which function.
const PERMITTED: [(&str, &str); 2] = [
    ("output-stream.write", "output-stream.check-write"),
    ("outgoing-datagram-stream.send", "outgoing-datagram-stream.check-send"),
];

/// Where results are written, and where the handles of each kind are kept.
const RESULT: u32 = 2048;
const HANDLES: u32 = 4096;

/// SplitMix64, by Steele, Lea and Flood: any number is a seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// A value of the core: whether it has 64 bits, and the text that makes it.
type Flat = (bool, String);

fn number(dice: &mut Dice) -> i64 {
    *dice.of(&NUMBERS)
}

fn word(value: i64) -> Flat {
    (false, format!("(i32.const {})", value as i32))
}

/// Which kinds of resources there are handles of: the place of each.
type Kept = BTreeMap<String, u32>;

/// Values for a parameter of this type, mostly such as it may have.
fn flat(resolve: &Resolve, ty: &Type, kept: &Kept, dice: &mut Dice) -> Vec<Flat> {
    match ty {
        Type::U64 | Type::S64 => vec![(true, format!("(i64.const {})", number(dice)))],
        Type::String if dice.one_in(RARELY) => vec![word(number(dice)), word(number(dice))],
        Type::String => {
            let chosen = dice.below(STRINGS.len());
            vec![word(1024 + 64 * chosen as i64), word(STRINGS[chosen].len() as i64)]
        }
        Type::Id(id) => flat_id(resolve, *id, kept, dice),
        _ => vec![word(number(dice))],
    }
}

fn flat_id(resolve: &Resolve, id: TypeId, kept: &Kept, dice: &mut Dice) -> Vec<Flat> {
    let one_of = |cases: usize, dice: &mut Dice| {
        if dice.one_in(RARELY) { number(dice) } else { dice.below(cases) as i64 }
    };
    match &resolve.types[id].kind {
        TypeDefKind::Type(ty) => flat(resolve, ty, kept, dice),
        TypeDefKind::Handle(Handle::Own(of) | Handle::Borrow(of)) => {
            let place = kept.get(&kind(resolve, *of));
            match place {
                Some(place) if !dice.one_in(RARELY) => vec![(false, format!("(i32.load (i32.const {place}))"))],
                _ => vec![word(number(dice))],
            }
        }
        TypeDefKind::List(_) if dice.one_in(RARELY) => vec![word(number(dice)), word(number(dice))],
        // Of handles, there lie some where they are kept; of bytes, anywhere.
        TypeDefKind::List(_) => {
            vec![word(i64::from(HANDLES) + 4 * 6), word(dice.below(2) as i64 + 1)]
        }
        TypeDefKind::Record(record) => {
            record.fields.iter().flat_map(|field| flat(resolve, &field.ty, kept, dice)).collect()
        }
        TypeDefKind::Tuple(tuple) => tuple.types.iter().flat_map(|ty| flat(resolve, ty, kept, dice)).collect(),
        TypeDefKind::Enum(cases) => vec![word(one_of(cases.cases.len(), dice))],
        TypeDefKind::Option(ty) => joined(resolve, &[None, Some(*ty)], kept, dice, one_of),
        TypeDefKind::Variant(cases) => {
            let cases: Vec<Option<Type>> = cases.cases.iter().map(|case| case.ty).collect();
            joined(resolve, &cases, kept, dice, one_of)
        }
        TypeDefKind::Result(result) => joined(resolve, &[result.ok, result.err], kept, dice, one_of),
        _ => vec![word(number(dice))],
    }
}

/// Of cases the values lie in the same places: as many as the longest has.
fn joined(
    resolve: &Resolve,
    cases: &[Option<Type>],
    kept: &Kept,
    dice: &mut Dice,
    one_of: impl Fn(usize, &mut Dice) -> i64,
) -> Vec<Flat> {
    let mut values = vec![word(one_of(cases.len(), dice))];
    let all: Vec<Vec<Flat>> = cases.iter().flatten().map(|ty| flat(resolve, ty, kept, dice)).collect();
    values.extend(all.into_iter().max_by_key(Vec::len).unwrap_or_default());
    values
}

/// The name of a resource, wherever it is used from.
fn kind(resolve: &Resolve, mut id: TypeId) -> String {
    while let TypeDefKind::Type(Type::Id(of)) = resolve.types[id].kind {
        id = of;
    }
    resolve.types[id].name.clone().unwrap()
}

/// Handles of each kind: instructions that give one.
const SET_UP: [(&str, &str); 16] = [
    ("descriptor", "(call $root)"),
    ("descriptor", "(call $file)"),
    ("input-stream", "(call $stdin.get-stdin)"),
    ("input-stream", "(call $reader (call $file) (i64.const 0))"),
    ("output-stream", "(call $stdout.get-stdout)"),
    ("output-stream", "(call $writer (call $file) (i64.const 100))"),
    ("pollable", "(call $monotonic-clock.subscribe-duration (i64.const 0))"),
    // Beside it, so that two can be polled.
    ("pollable", "(call $input-stream.subscribe (call $stdin.get-stdin))"),
    ("network", "(call $instance-network.instance-network)"),
    ("directory-entry-stream", "(call $descriptor.read-directory (call $root) (i32.const 16)) (call $made)"),
    ("tcp-socket", "(call $tcp-create-socket.create-tcp-socket (i32.const 0) (i32.const 16)) (call $made)"),
    ("udp-socket", "(call $bound)"),
    ("incoming-datagram-stream", "(i32.load (i32.const 20))"),
    ("outgoing-datagram-stream", "(i32.load (i32.const 24))"),
    (
        "resolve-address-stream",
        "(call $ip-name-lookup.resolve-addresses (call $instance-network.instance-network)
            (i32.const 1408) (i32.const 9) (i32.const 16)) (call $made)",
    ),
    (
        "error",
        "(call $output-stream.blocking-write-and-flush (call $writer (call $file) (i64.const -1)) (i32.const 0)
            (i32.const 1) (i32.const 16)) (i32.load (i32.const 24))",
    ),
];

const FIELDS: &str = "
    (func $made (result i32) (call $must (i32.const 16)) (i32.load (i32.const 20)))
    (func $bound (result i32) (local $socket i32)
        (call $udp-create-socket.create-udp-socket (i32.const 0) (i32.const 16))
        (local.set $socket (call $made))
        (call $udp-socket.start-bind (local.get $socket) (call $instance-network.instance-network)
            (i32.const 0) (i32.const 0) (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))
        (call $udp-socket.finish-bind (local.get $socket) (i32.const 16))
        (call $udp-socket.stream (local.get $socket) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))
        (call $must (i32.const 16))
        (local.get $socket))
    (func $realloc (param $old i32) (param $old_bytes i32) (param $align i32) (param $bytes i32) (result i32)
        (local $room i32)
        (local.set $room (i32.and (i32.add (local.get $bytes) (i32.const 15)) (i32.const -8)))
        (if (i32.gt_u (i32.add (global.get $heap) (local.get $room)) (i32.const 6000000))
            (then (global.set $heap (i32.const 65536))))
        (global.set $heap (i32.add (global.get $heap) (local.get $room)))
        (i32.sub (global.get $heap) (local.get $room)))";

/// A call with all that it wants, and its result left alone.
fn call(name: &str, function: &Function, resolve: &Resolve, kept: &Kept, dice: &mut Dice) -> String {
    let mut values: Vec<Flat> =
        function.params.iter().flat_map(|parameter| flat(resolve, &parameter.ty, kept, dice)).collect();
    let signature = resolve.wasm_signature(wit_parser::abi::AbiVariant::GuestImport, function);
    if signature.retptr {
        let at = if dice.one_in(RARELY) { number(dice) } else { RESULT.into() };
        values.push(word(at));
    }
    assert_eq!(values.len(), signature.params.len(), "{name}");
    let values: String = values
        .into_iter()
        .zip(&signature.params)
        .map(|((is_long, text), ty)| match (is_long, is_long_type(*ty)) {
            (false, true) => format!("(i64.extend_i32_u {text})"),
            (true, false) => format!("(i32.wrap_i64 {text})"),
            _ => text,
        })
        .collect();
    let result = if signature.results.is_empty() { "" } else { "drop" };
    format!("(call ${name} {values}) {result}\n")
}

const fn is_long_type(ty: wit_parser::abi::WasmType) -> bool {
    matches!(ty, wit_parser::abi::WasmType::I64 | wit_parser::abi::WasmType::PointerOrI64)
}

/// What one component does.
fn calls(seed: u64) -> String {
    let mut dice = Dice(seed);
    let resolve = resolve();
    let functions: Vec<_> = functions().into_iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str())).collect();
    let (mut body, mut kept) = (String::new(), Kept::new());
    for (number, (kind, make)) in SET_UP.iter().enumerate() {
        let place = HANDLES + 4 * number as u32;
        // Of a kind that has two, one is used by each component.
        if !kept.contains_key(*kind) || dice.one_in(2) {
            kept.insert((*kind).to_owned(), place);
        }
        writeln!(body, "(i32.store (i32.const {place}) (block (result i32) {make}))").unwrap();
    }
    for _ in 0..CALLS {
        let (name, function) = dice.of(&functions);
        // Without a permit it would be the last call.
        for (writes, check) in PERMITTED {
            if name.starts_with(writes) && !dice.one_in(RARELY) {
                let place = kept[check.split('.').next().unwrap_or_default()];
                body += &format!("(call ${check} (i32.load (i32.const {place})) (i32.const {RESULT}))\n");
            }
        }
        body += &call(name, function, resolve, &kept, &mut dice);
    }
    body
}

#[test]
fn no_calls_at_random_harm_the_host() {
    let seed = std::env::var("RANDOM_CALLS_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    let strings: String =
        STRINGS.iter().enumerate().map(|(at, text)| data(1024 + 64 * at as u32, text.as_bytes())).collect();
    let mut ended = BTreeMap::<i32, usize>::new();
    for number in 0..COMPONENTS {
        let (folder, apps) = (Folder::new(), Folder::new());
        folder.folder("folder");
        folder.file("file", vec![b'x'; 100_000]);
        std::os::unix::fs::symlink("..", folder.path("link")).unwrap();
        let body = calls(seed * 1_000_000 + number);
        let app = large_app(&apps, PAGES, &(strings.clone() + FIELDS), &body);
        let mut command = turnkey();
        command.args([
            "run",
            "--timeout",
            "300ms",
            "--stdout=null",
            "--allow=udp=127.0.0.1:*",
            "--allow=udp-bind=127.0.0.1:*",
        ]);
        command.args([
            "--allow=tcp-connect=127.0.0.1:*",
            "--allow=resolve=localhost",
            "--allow=tcp-listen=127.0.0.1:0",
        ]);
        let ran = run(command.arg("--dir").arg(granted(folder.root(), "/d")).arg(&app));
        let whole = format!("RANDOM_CALLS_SEED={seed}, component {number}: {ran:?}\n{body}");
        assert!(!ran.stderr.contains("panicked"), "{whole}");
        assert!([0, 124, 134].contains(&ran.status()), "{whole}");
        assert!(ran.peak_bytes < FLAT_BYTES, "{} MiB, {whole}", ran.peak_bytes >> 20);
        *ended.entry(ran.status()).or_default() += 1;
    }
    let both = ended.contains_key(&0) && ended.contains_key(&134);
    assert!(both, "they all end the same way: {ended:?}");
}
