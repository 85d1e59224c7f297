//! What each function is called with, by the standard and not by our own table: that the two agree is a test of itself.

/// A parameter, and what it means for the guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parameter {
    /// A descriptor.
    Fd,
    /// A number of 32 bits.
    Word,
    /// A number of 64 bits.
    Long,
    /// Room for a result of so many bytes.
    Result(u32),
    /// Room for as much as the host has to tell, whatever the guest says: the strings of `args_get`.
    Told,
    /// Bytes to read; the next parameter is their number.
    Text,
    /// Bytes to write; the next parameter is their number.
    Room,
    /// Buffers to read from; the next parameter is their number.
    Gather,
    /// Buffers to write to; the next parameter is their number.
    Scatter,
    /// Subscriptions to read; the parameter after the next is their number.
    Subscriptions,
    /// Room for events; the next parameter is their number.
    Events,
}

impl Parameter {
    /// The type that the guest gives it.
    pub(crate) const fn wasm(self) -> &'static str {
        match self {
            Parameter::Long => "i64",
            _ => "i32",
        }
    }

    /// Whether it is an address.
    pub(crate) const fn is_pointer(self) -> bool {
        !matches!(self, Parameter::Fd | Parameter::Word | Parameter::Long)
    }

    /// Where its count is, counted from the parameter itself, and the bytes of one element.
    pub(crate) const fn counted(self, preview0: bool) -> Option<(usize, u64)> {
        match self {
            Parameter::Text | Parameter::Room => Some((1, 1)),
            Parameter::Gather | Parameter::Scatter => Some((1, 8)),
            Parameter::Subscriptions => Some((2, if preview0 { 56 } else { 48 })),
            Parameter::Events => Some((1, 32)),
            _ => None,
        }
    }
}

use Parameter::{Events, Fd, Gather, Long, Result, Room, Scatter, Subscriptions, Text, Told, Word};

/// The functions and their parameters, in the order of the standard.
pub(crate) const SIGNATURES: [(&str, &[Parameter]); 46] = [
    ("args_get", &[Told, Told]),
    ("args_sizes_get", &[Result(4), Result(4)]),
    ("environ_get", &[Told, Told]),
    ("environ_sizes_get", &[Result(4), Result(4)]),
    ("clock_res_get", &[Word, Result(8)]),
    ("clock_time_get", &[Word, Long, Result(8)]),
    ("fd_advise", &[Fd, Long, Long, Word]),
    ("fd_allocate", &[Fd, Long, Long]),
    ("fd_close", &[Fd]),
    ("fd_datasync", &[Fd]),
    ("fd_fdstat_get", &[Fd, Result(24)]),
    ("fd_fdstat_set_flags", &[Fd, Word]),
    ("fd_fdstat_set_rights", &[Fd, Long, Long]),
    ("fd_filestat_get", &[Fd, Result(64)]),
    ("fd_filestat_set_size", &[Fd, Long]),
    ("fd_filestat_set_times", &[Fd, Long, Long, Word]),
    ("fd_pread", &[Fd, Scatter, Word, Long, Result(4)]),
    ("fd_prestat_get", &[Fd, Result(8)]),
    ("fd_prestat_dir_name", &[Fd, Room, Word]),
    ("fd_pwrite", &[Fd, Gather, Word, Long, Result(4)]),
    ("fd_read", &[Fd, Scatter, Word, Result(4)]),
    ("fd_readdir", &[Fd, Room, Word, Long, Result(4)]),
    ("fd_renumber", &[Fd, Fd]),
    ("fd_seek", &[Fd, Long, Word, Result(8)]),
    ("fd_sync", &[Fd]),
    ("fd_tell", &[Fd, Result(8)]),
    ("fd_write", &[Fd, Gather, Word, Result(4)]),
    ("path_create_directory", &[Fd, Text, Word]),
    ("path_filestat_get", &[Fd, Word, Text, Word, Result(64)]),
    ("path_filestat_set_times", &[Fd, Word, Text, Word, Long, Long, Word]),
    ("path_link", &[Fd, Word, Text, Word, Fd, Text, Word]),
    ("path_open", &[Fd, Word, Text, Word, Word, Long, Long, Word, Result(4)]),
    ("path_readlink", &[Fd, Text, Word, Room, Word, Result(4)]),
    ("path_remove_directory", &[Fd, Text, Word]),
    ("path_rename", &[Fd, Text, Word, Fd, Text, Word]),
    ("path_symlink", &[Text, Word, Fd, Text, Word]),
    ("path_unlink_file", &[Fd, Text, Word]),
    ("poll_oneoff", &[Subscriptions, Events, Word, Result(4)]),
    ("proc_exit", &[Word]),
    ("proc_raise", &[Word]),
    ("sched_yield", &[]),
    ("random_get", &[Room, Word]),
    ("sock_accept", &[Fd, Word, Result(4)]),
    ("sock_recv", &[Fd, Scatter, Word, Word, Result(4), Result(2)]),
    ("sock_send", &[Fd, Gather, Word, Word, Result(4)]),
    ("sock_shutdown", &[Fd, Word]),
];

/// The parameters of a function.
pub(crate) fn parameters(name: &str) -> &'static [Parameter] {
    SIGNATURES.iter().find(|row| row.0 == name).map(|row| row.1).expect("a function of the standard")
}

/// What the standard calls `noreturn` has no result; all others give an errno.
pub(crate) fn result(name: &str) -> &'static str {
    if name == "proc_exit" { "" } else { "(result i32)" }
}

/// Bytes of a result: two records are smaller in preview 0.
pub(crate) fn result_bytes(name: &str, bytes: u32, preview0: bool) -> u32 {
    if preview0 && name.ends_with("filestat_get") && bytes == 64 { 56 } else { bytes }
}
