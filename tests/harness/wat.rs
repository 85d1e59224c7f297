//! Guests in text form, small enough to be read where they are used: they import the functions that they name, have a page
//! of memory, and end with the errno that they were given.

use std::fmt::Write;
use std::path::PathBuf;

use super::Folder;

/// Functions by name, with their parameters and result.
const FUNCTIONS: &[(&str, &str)] = &[
    ("clock_res_get", "(param i32 i32) (result i32)"),
    ("clock_time_get", "(param i32 i64 i32) (result i32)"),
    ("environ_get", "(param i32 i32) (result i32)"),
    ("environ_sizes_get", "(param i32 i32) (result i32)"),
    ("args_sizes_get", "(param i32 i32) (result i32)"),
    ("fd_allocate", "(param i32 i64 i64) (result i32)"),
    ("fd_close", "(param i32) (result i32)"),
    ("fd_fdstat_get", "(param i32 i32) (result i32)"),
    ("fd_fdstat_set_flags", "(param i32 i32) (result i32)"),
    ("fd_filestat_get", "(param i32 i32) (result i32)"),
    ("fd_filestat_set_size", "(param i32 i64) (result i32)"),
    ("fd_filestat_set_times", "(param i32 i64 i64 i32) (result i32)"),
    ("fd_pwrite", "(param i32 i32 i32 i64 i32) (result i32)"),
    ("fd_read", "(param i32 i32 i32 i32) (result i32)"),
    ("fd_readdir", "(param i32 i32 i32 i64 i32) (result i32)"),
    ("fd_renumber", "(param i32 i32) (result i32)"),
    ("fd_seek", "(param i32 i64 i32 i32) (result i32)"),
    ("fd_write", "(param i32 i32 i32 i32) (result i32)"),
    ("path_create_directory", "(param i32 i32 i32) (result i32)"),
    ("path_filestat_get", "(param i32 i32 i32 i32 i32) (result i32)"),
    ("path_filestat_set_times", "(param i32 i32 i32 i32 i64 i64 i32) (result i32)"),
    ("path_link", "(param i32 i32 i32 i32 i32 i32 i32) (result i32)"),
    ("path_open", "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)"),
    ("path_readlink", "(param i32 i32 i32 i32 i32 i32) (result i32)"),
    ("path_rename", "(param i32 i32 i32 i32 i32 i32) (result i32)"),
    ("path_symlink", "(param i32 i32 i32 i32 i32) (result i32)"),
    ("path_unlink_file", "(param i32 i32 i32) (result i32)"),
    ("poll_oneoff", "(param i32 i32 i32 i32) (result i32)"),
    ("proc_exit", "(param i32)"),
    ("random_get", "(param i32 i32) (result i32)"),
    ("sched_yield", "(result i32)"),
    ("sock_accept", "(param i32 i32 i32) (result i32)"),
];

/// Other functions that a guest may name, written in those: each is added where it is named.
const WRITTEN: &[(&str, &str)] = &[
    // Ends with the errno, unless it is 0.
    ("$must", "(func $must (param $errno i32) (if (local.get $errno) (then (call $proc_exit (local.get $errno)))))"),
    // Writes bytes to a descriptor; the list of one buffer lies at 8.
    (
        "$put",
        "(func $put (param $fd i32) (param $at i32) (param $bytes i32) (result i32)
            (i32.store (i32.const 8) (local.get $at))
            (i32.store (i32.const 12) (local.get $bytes))
            (call $fd_write (local.get $fd) (i32.const 8) (i32.const 1) (i32.const 16)))",
    ),
    // Reads into 64 and the kilobyte after it.
    (
        "$get",
        "(func $get (param $fd i32) (result i32)
            (i32.store (i32.const 8) (i32.const 64))
            (i32.store (i32.const 12) (i32.const 1024))
            (call $fd_read (local.get $fd) (i32.const 8) (i32.const 1) (i32.const 16)))",
    ),
];

/// A command: `body` is what `_start` does, `fields` what else the module has.
pub(crate) fn command_of(wasi: &str, memory_pages: u32, fields: &str, body: &str) -> String {
    let names = |text: &str, name: &str| {
        text.match_indices(name)
            .any(|(at, _)| !text[at + name.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_'))
    };
    let mut written = String::new();
    for (name, function) in WRITTEN {
        if names(fields, name) || names(body, name) {
            written.push_str(function);
        }
    }
    let all = [fields, body, &written].concat();
    let mut module = String::from("(module\n");
    for (name, signature) in FUNCTIONS {
        if names(&all, &format!("${name}")) {
            writeln!(module, "(import \"{wasi}\" \"{name}\" (func ${name} {signature}))").unwrap();
        }
    }
    writeln!(
        module,
        "(memory (export \"memory\") {memory_pages})\n{written}\n{fields}\n(func (export \"_start\") {body}))"
    )
    .unwrap();
    module
}

/// A Preview 1 command with a page of memory.
pub(crate) fn command(fields: &str, body: &str) -> String {
    command_of("wasi_snapshot_preview1", 1, fields, body)
}

impl Folder {
    /// The file of a command: `fields` and `body` as for [`command`].
    pub(crate) fn command(&self, fields: &str, body: &str) -> PathBuf {
        self.module(&command(fields, body))
    }

    /// The file of a module in text form.
    pub(crate) fn module(&self, text: &str) -> PathBuf {
        let number = std::fs::read_dir(self.root()).unwrap().count();
        self.file(format!("guest-{number}.wat"), text)
    }
}

/// Bytes in a string of a text module.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// A field that has bytes in memory from the start.
pub(crate) fn data(at: u32, bytes: &[u8]) -> String {
    format!("(data (i32.const {at}) \"{}\")", escaped(bytes))
}
