//! Components of Preview 3 whose core module is in text form, as those in `component.rs` are: with nothing between them and the
//! canonical ABI, so that streams, futures, tasks and sets are used as the text says.
//!
//! An `async` function waits here by its own name, and does not by that and `.async`: `$descriptor.open-at`,
//! `$descriptor.open-at.async`. What is done with the streams and futures of a function has their number in it:
//! `$stdout.write-via-stream.0.new` makes a stream that it takes, and `.1.read` reads the future that it gives. Names of
//! Preview 2 begin with `p2:`.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use crate::component::Wasi;
use crate::harness::Folder;

/// The world of a command that may import everything, of both previews.
const WORLD: &str = "package tests:security;
    world command {
        include wasi:cli/imports@0.3.2;
        include wasi:cli/imports@0.2.12;
        export wasi:cli/run@0.3.2;
    }";

/// What belongs to no interface.
const BUILT_IN: &[(&str, &str, &str)] = &[
    ("waitable-set.new", "[waitable-set-new]", "(result i32)"),
    ("waitable-set.wait", "[waitable-set-wait]", "(param i32 i32) (result i32)"),
    ("waitable-set.poll", "[waitable-set-poll]", "(param i32 i32) (result i32)"),
    ("waitable-set.drop", "[waitable-set-drop]", "(param i32)"),
    ("waitable.join", "[waitable-join]", "(param i32 i32)"),
    ("subtask.cancel", "[subtask-cancel]", "(param i32) (result i32)"),
    ("subtask.drop", "[subtask-drop]", "(param i32)"),
    ("backpressure.inc", "[backpressure-inc]", ""),
    ("backpressure.dec", "[backpressure-dec]", ""),
    ("thread.yield", "[thread-yield]", "(result i32)"),
];

static WASI: LazyLock<Wasi> = LazyLock::new(|| {
    let mut wasi = Wasi::new(&["wit/0.3/deps", "wit/0.2/deps"], WORLD, WRITTEN);
    for (name, field, signature) in BUILT_IN {
        wasi.import(name, &format!("(import \"$root\" \"{field}\" (func ${name} {signature}))\n"));
    }
    let returns = "(import \"[export]wasi:cli/run@0.3.2\" \"[task-return]run\" (func $task.return (param i32)))\n";
    wasi.import("task.return", returns);
    wasi
});

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
    // What a read or a write has come to, where it was begun and may be still going on: waits for the event, which lies at 8.
    (
        "$settled",
        "(func $settled (param $code i32) (param $waitable i32) (result i32) (local $set i32)
            (if (i32.ne (local.get $code) (i32.const -1)) (then (return (local.get $code))))
            (local.set $set (call $waitable-set.new))
            (call $waitable.join (local.get $waitable) (local.get $set))
            (drop (call $waitable-set.wait (local.get $set) (i32.const 8)))
            (call $waitable.join (local.get $waitable) (i32.const 0))
            (call $waitable-set.drop (local.get $set))
            (i32.load (i32.const 12)))",
    ),
    // Writes bytes to standard output, by a stream of its own, and waits for its end.
    (
        "$print",
        "(func $print (param $at i32) (param $bytes i32) (local $ends i64) (local $writer i32) (local $future i32)
            (local.set $ends (call $stdout.write-via-stream.0.new))
            (local.set $future (call $stdout.write-via-stream (i32.wrap_i64 (local.get $ends))))
            (local.set $writer (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
            (drop (call $settled
                (call $stdout.write-via-stream.0.write.async (local.get $writer) (local.get $at) (local.get $bytes))
                (local.get $writer)))
            (call $stdout.write-via-stream.0.drop-writable (local.get $writer))
            (drop (call $settled
                (call $stdout.write-via-stream.1.read.async (local.get $future) (i32.const 16)) (local.get $future)))
            (call $stdout.write-via-stream.1.drop-readable (local.get $future))
            (call $must (i32.const 16)))",
    ),
];

/// A command with so many pages of memory: `body` is what it does, `fields` what else its core module has. It ends well, unless
/// it says otherwise.
pub(crate) fn component(pages: u32, fields: &str, body: &str) -> Vec<u8> {
    let run = format!("(func (export \"wasi:cli/run@0.3.2#run\") (result i32) {body} (i32.const 0))");
    WASI.command(pages, &[fields, &run].concat())
}

/// The file of a component: as [`component`], with a memory of four pages.
pub(crate) fn app(folder: &Folder, fields: &str, body: &str) -> PathBuf {
    large_app(folder, 4, fields, body)
}

/// The same with more memory.
pub(crate) fn large_app(folder: &Folder, pages: u32, fields: &str, body: &str) -> PathBuf {
    put(folder, component(pages, fields, body))
}

/// The file of a component whose `run` does not wait where it stands: `body` begins it, and gives what it waits for, as
/// `callback` does, which is called with each event (`$event`, `$handle`, `$code`).
pub(crate) fn callback_app(folder: &Folder, fields: &str, body: &str, callback: &str) -> PathBuf {
    let run = format!(
        "(func (export \"[async-lift]wasi:cli/run@0.3.2#run\") (result i32) {body})
         (func (export \"[callback][async-lift]wasi:cli/run@0.3.2#run\")
            (param $event i32) (param $handle i32) (param $code i32) (result i32) {callback})"
    );
    put(folder, WASI.command(4, &[fields, &run].concat()))
}

fn put(folder: &Folder, component: Vec<u8>) -> PathBuf {
    let number = fs::read_dir(folder.root()).unwrap().count();
    folder.file(format!("guest-{number}.wasm"), component)
}
