//! Every function once, in the standard's order: what it is called with, what it uses, and what is worth knowing of it; and
//! how each is given to a guest that imports it.

use turnkey_core::Capabilities;
use wasmtime::{Caller, Linker};

use crate::call::{Preview1, enter};
use crate::{args, clock, environ, fd_io, fd_state, path, poll, proc, random, sched, sock, unstable};

/// One of the two generations that share these functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// `wasi_unstable`, without `sock_accept`, and with records of its own.
    Preview0,
    /// `wasi_snapshot_preview1`.
    Preview1,
}

impl Generation {
    /// The name of the module that its functions are imported from.
    #[must_use]
    pub const fn module(self) -> &'static str {
        match self {
            Generation::Preview0 => "wasi_unstable",
            Generation::Preview1 => "wasi_snapshot_preview1",
        }
    }

    /// The generation of an imported module's name.
    #[must_use]
    pub fn of_module(name: &str) -> Option<Self> {
        [Generation::Preview0, Generation::Preview1].into_iter().find(|generation| generation.module() == name)
    }

    /// Whether it has the function.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        (self == Generation::Preview1 || name != "sock_accept") && FUNCTIONS.iter().any(|row| row.name == name)
    }
}

/// What a function needs a grant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Uses {
    /// Arguments and variables: `--env`.
    Environment,
    /// Clocks.
    Clocks,
    /// Descriptors that it has already.
    Descriptors,
    /// Files and directories: `--dir`, `--ro-dir`.
    Directories,
    /// Time, and descriptors that it has.
    Waiting,
    /// Its own end.
    Process,
    /// Random numbers.
    Random,
    /// Sockets handed over: `--tcp-listener`.
    Sockets,
}

/// A function of Preview 1.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The names of its parameters, results' places included.
    pub parameters: &'static str,
    /// What it needs.
    pub uses: Uses,
    /// What is worth knowing; empty where it does what the standard says and nothing else.
    pub note: &'static str,
}

const fn row(name: &'static str, parameters: &'static str, uses: Uses, note: &'static str) -> Function {
    Function { name, parameters, uses, note }
}

/// The functions, in the order of `wasi_snapshot_preview1.witx`.
pub const FUNCTIONS: [Function; 46] = [
    row("args_get", "argv argv_buf", Uses::Environment, ""),
    row("args_sizes_get", "argc argv_buf_size", Uses::Environment, ""),
    row("environ_get", "environ environ_buf", Uses::Environment, ""),
    row("environ_sizes_get", "environc environ_buf_size", Uses::Environment, ""),
    row("clock_res_get", "id resolution", Uses::Clocks, "no finer than `--clock-resolution`"),
    row("clock_time_get", "id precision time", Uses::Clocks, "the precision asked for is not looked at"),
    row("fd_advise", "fd offset len advice", Uses::Descriptors, ""),
    row("fd_allocate", "fd offset len", Uses::Descriptors, ""),
    row("fd_close", "fd", Uses::Descriptors, ""),
    row("fd_datasync", "fd", Uses::Descriptors, ""),
    row("fd_fdstat_get", "fd stat", Uses::Descriptors, ""),
    row(
        "fd_fdstat_set_flags",
        "fd flags",
        Uses::Descriptors,
        "the flags are the guest's own, and never set on what is shared",
    ),
    row("fd_fdstat_set_rights", "fd base inheriting", Uses::Descriptors, "rights are given up, never taken"),
    row("fd_filestat_get", "fd buf", Uses::Descriptors, "device and inode are numbers of the guest's own"),
    row("fd_filestat_set_size", "fd size", Uses::Descriptors, ""),
    row("fd_filestat_set_times", "fd atim mtim fst_flags", Uses::Descriptors, ""),
    row("fd_pread", "fd iovs iovs_len offset nread", Uses::Descriptors, ""),
    row("fd_prestat_get", "fd buf", Uses::Descriptors, ""),
    row("fd_prestat_dir_name", "fd path path_len", Uses::Descriptors, ""),
    row(
        "fd_pwrite",
        "fd iovs iovs_len offset nwritten",
        Uses::Descriptors,
        "at the offset, also where the file is appended to",
    ),
    row("fd_read", "fd iovs iovs_len nread", Uses::Descriptors, ""),
    row("fd_readdir", "fd buf buf_len cookie bufused", Uses::Descriptors, "names are bytes, as the host has them"),
    row("fd_renumber", "fd to", Uses::Descriptors, ""),
    row("fd_seek", "fd offset whence newoffset", Uses::Descriptors, ""),
    row("fd_sync", "fd", Uses::Descriptors, ""),
    row("fd_tell", "fd offset", Uses::Descriptors, ""),
    row("fd_write", "fd iovs iovs_len nwritten", Uses::Descriptors, ""),
    row("path_create_directory", "fd path path_len", Uses::Directories, ""),
    row(
        "path_filestat_get",
        "fd flags path path_len buf",
        Uses::Directories,
        "device and inode are numbers of the guest's own",
    ),
    row("path_filestat_set_times", "fd flags path path_len atim mtim fst_flags", Uses::Directories, ""),
    row(
        "path_link",
        "old_fd old_flags old_path old_path_len new_fd new_path new_path_len",
        Uses::Directories,
        "a link is linked itself: following it is `inval`",
    ),
    row(
        "path_open",
        "fd dirflags path path_len oflags rights_base rights_inheriting fdflags opened_fd",
        Uses::Directories,
        "the rights asked for say whether to read and to write",
    ),
    row("path_readlink", "fd path path_len buf buf_len bufused", Uses::Directories, ""),
    row("path_remove_directory", "fd path path_len", Uses::Directories, ""),
    row("path_rename", "old_fd old_path old_path_len new_fd new_path new_path_len", Uses::Directories, ""),
    row(
        "path_symlink",
        "old_path old_path_len fd new_path new_path_len",
        Uses::Directories,
        "where the link leads is checked when it is followed",
    ),
    row("path_unlink_file", "fd path path_len", Uses::Directories, ""),
    row(
        "poll_oneoff",
        "subscriptions events nsubscriptions nevents",
        Uses::Waiting,
        "clocks, streams, files and sockets",
    ),
    row("proc_exit", "status", Uses::Process, ""),
    row("proc_raise", "signal", Uses::Process, "as a program without handlers: nothing, or the end"),
    row("sched_yield", "", Uses::Process, ""),
    row("random_get", "buf buf_len", Uses::Random, ""),
    row("sock_accept", "fd flags opened_fd", Uses::Sockets, ""),
    row("sock_recv", "fd ri_data ri_data_len ri_flags ro_datalen ro_flags", Uses::Sockets, ""),
    row("sock_send", "fd si_data si_data_len si_flags so_datalen", Uses::Sockets, ""),
    row("sock_shutdown", "fd how", Uses::Sockets, ""),
];

/// Gives a function to guests that import it. `false`: the generation has none of this name.
///
/// `state` leads from what the store holds to the capabilities and the state of Preview 1.
///
/// # Errors
/// The linker has one of this name already.
#[expect(clippy::too_many_lines, reason = "one arm a function, and nothing else")]
pub fn link<T: 'static>(
    linker: &mut Linker<T>,
    generation: Generation,
    name: &str,
    state: impl Fn(&mut T) -> (&mut Capabilities, &mut Preview1) + Copy + Send + Sync + 'static,
) -> wasmtime::Result<bool> {
    let module = generation.module();
    let linked = match (name, generation) {
        ("args_get", _) => {
            linker.func_wrap(module, "args_get", move |caller: Caller<'_, T>, argv: u32, argv_buf: u32| {
                enter(caller, state, "args_get", |call| args::args_get(call, argv, argv_buf))
            })
        }
        ("args_sizes_get", _) => {
            linker.func_wrap(module, "args_sizes_get", move |caller: Caller<'_, T>, argc: u32, argv_buf_size: u32| {
                enter(caller, state, "args_sizes_get", |call| args::args_sizes_get(call, argc, argv_buf_size))
            })
        }
        ("environ_get", _) => {
            linker.func_wrap(module, "environ_get", move |caller: Caller<'_, T>, environ: u32, environ_buf: u32| {
                enter(caller, state, "environ_get", |call| environ::environ_get(call, environ, environ_buf))
            })
        }
        ("environ_sizes_get", _) => linker.func_wrap(
            module,
            "environ_sizes_get",
            move |caller: Caller<'_, T>, environc: u32, environ_buf_size: u32| {
                enter(caller, state, "environ_sizes_get", |call| {
                    environ::environ_sizes_get(call, environc, environ_buf_size)
                })
            },
        ),
        ("clock_res_get", _) => {
            linker.func_wrap(module, "clock_res_get", move |caller: Caller<'_, T>, id: u32, resolution: u32| {
                enter(caller, state, "clock_res_get", |call| clock::clock_res_get(call, id, resolution))
            })
        }
        ("clock_time_get", _) => linker.func_wrap(
            module,
            "clock_time_get",
            move |caller: Caller<'_, T>, id: u32, precision: u64, time: u32| {
                enter(caller, state, "clock_time_get", |call| clock::clock_time_get(call, id, precision, time))
            },
        ),
        ("fd_advise", _) => linker.func_wrap(
            module,
            "fd_advise",
            move |caller: Caller<'_, T>, fd: u32, offset: u64, len: u64, advice: u32| {
                enter(caller, state, "fd_advise", |call| fd_state::fd_advise(call, fd, offset, len, advice))
            },
        ),
        ("fd_allocate", _) => {
            linker.func_wrap(module, "fd_allocate", move |caller: Caller<'_, T>, fd: u32, offset: u64, len: u64| {
                enter(caller, state, "fd_allocate", |call| fd_state::fd_allocate(call, fd, offset, len))
            })
        }
        ("fd_close", _) => linker.func_wrap(module, "fd_close", move |caller: Caller<'_, T>, fd: u32| {
            enter(caller, state, "fd_close", |call| fd_state::fd_close(call, fd))
        }),
        ("fd_datasync", _) => linker.func_wrap(module, "fd_datasync", move |caller: Caller<'_, T>, fd: u32| {
            enter(caller, state, "fd_datasync", |call| fd_io::fd_datasync(call, fd))
        }),
        ("fd_fdstat_get", _) => {
            linker.func_wrap(module, "fd_fdstat_get", move |caller: Caller<'_, T>, fd: u32, stat: u32| {
                enter(caller, state, "fd_fdstat_get", |call| fd_state::fd_fdstat_get(call, fd, stat))
            })
        }
        ("fd_fdstat_set_flags", _) => {
            linker.func_wrap(module, "fd_fdstat_set_flags", move |caller: Caller<'_, T>, fd: u32, flags: u32| {
                enter(caller, state, "fd_fdstat_set_flags", |call| fd_state::fd_fdstat_set_flags(call, fd, flags))
            })
        }
        ("fd_fdstat_set_rights", _) => linker.func_wrap(
            module,
            "fd_fdstat_set_rights",
            move |caller: Caller<'_, T>, fd: u32, base: u64, inheriting: u64| {
                enter(caller, state, "fd_fdstat_set_rights", |call| {
                    fd_state::fd_fdstat_set_rights(call, fd, base, inheriting)
                })
            },
        ),
        ("fd_filestat_get", Generation::Preview0) => {
            linker.func_wrap(module, "fd_filestat_get", move |caller: Caller<'_, T>, fd: u32, buf: u32| {
                enter(caller, state, "fd_filestat_get", |call| unstable::fd_filestat_get(call, fd, buf))
            })
        }
        ("fd_filestat_get", Generation::Preview1) => {
            linker.func_wrap(module, "fd_filestat_get", move |caller: Caller<'_, T>, fd: u32, buf: u32| {
                enter(caller, state, "fd_filestat_get", |call| fd_state::fd_filestat_get(call, fd, buf))
            })
        }
        ("fd_filestat_set_size", _) => {
            linker.func_wrap(module, "fd_filestat_set_size", move |caller: Caller<'_, T>, fd: u32, size: u64| {
                enter(caller, state, "fd_filestat_set_size", |call| fd_state::fd_filestat_set_size(call, fd, size))
            })
        }
        ("fd_filestat_set_times", _) => linker.func_wrap(
            module,
            "fd_filestat_set_times",
            move |caller: Caller<'_, T>, fd: u32, atim: u64, mtim: u64, fst_flags: u32| {
                enter(caller, state, "fd_filestat_set_times", |call| {
                    fd_state::fd_filestat_set_times(call, fd, atim, mtim, fst_flags)
                })
            },
        ),
        ("fd_pread", _) => linker.func_wrap(
            module,
            "fd_pread",
            move |caller: Caller<'_, T>, fd: u32, iovs: u32, iovs_len: u32, offset: u64, nread: u32| {
                enter(caller, state, "fd_pread", |call| fd_io::fd_pread(call, fd, iovs, iovs_len, offset, nread))
            },
        ),
        ("fd_prestat_get", _) => {
            linker.func_wrap(module, "fd_prestat_get", move |caller: Caller<'_, T>, fd: u32, buf: u32| {
                enter(caller, state, "fd_prestat_get", |call| fd_state::fd_prestat_get(call, fd, buf))
            })
        }
        ("fd_prestat_dir_name", _) => linker.func_wrap(
            module,
            "fd_prestat_dir_name",
            move |caller: Caller<'_, T>, fd: u32, path: u32, path_len: u32| {
                enter(caller, state, "fd_prestat_dir_name", |call| {
                    fd_state::fd_prestat_dir_name(call, fd, path, path_len)
                })
            },
        ),
        ("fd_pwrite", _) => linker.func_wrap(
            module,
            "fd_pwrite",
            move |caller: Caller<'_, T>, fd: u32, iovs: u32, iovs_len: u32, offset: u64, nwritten: u32| {
                enter(caller, state, "fd_pwrite", |call| fd_io::fd_pwrite(call, fd, iovs, iovs_len, offset, nwritten))
            },
        ),
        ("fd_read", _) => linker.func_wrap(
            module,
            "fd_read",
            move |caller: Caller<'_, T>, fd: u32, iovs: u32, iovs_len: u32, nread: u32| {
                enter(caller, state, "fd_read", |call| fd_io::fd_read(call, fd, iovs, iovs_len, nread))
            },
        ),
        ("fd_readdir", _) => linker.func_wrap(
            module,
            "fd_readdir",
            move |caller: Caller<'_, T>, fd: u32, buf: u32, buf_len: u32, cookie: u64, bufused: u32| {
                enter(caller, state, "fd_readdir", |call| fd_io::fd_readdir(call, fd, buf, buf_len, cookie, bufused))
            },
        ),
        ("fd_renumber", _) => {
            linker.func_wrap(module, "fd_renumber", move |caller: Caller<'_, T>, fd: u32, to: u32| {
                enter(caller, state, "fd_renumber", |call| fd_state::fd_renumber(call, fd, to))
            })
        }
        ("fd_seek", Generation::Preview0) => linker.func_wrap(
            module,
            "fd_seek",
            move |caller: Caller<'_, T>, fd: u32, offset: i64, whence: u32, newoffset: u32| {
                enter(caller, state, "fd_seek", |call| unstable::fd_seek(call, fd, offset, whence, newoffset))
            },
        ),
        ("fd_seek", Generation::Preview1) => linker.func_wrap(
            module,
            "fd_seek",
            move |caller: Caller<'_, T>, fd: u32, offset: i64, whence: u32, newoffset: u32| {
                enter(caller, state, "fd_seek", |call| {
                    fd_io::fd_seek(call, fd, offset, fd_io::whence(whence), newoffset)
                })
            },
        ),
        ("fd_sync", _) => linker.func_wrap(module, "fd_sync", move |caller: Caller<'_, T>, fd: u32| {
            enter(caller, state, "fd_sync", |call| fd_io::fd_sync(call, fd))
        }),
        ("fd_tell", _) => linker.func_wrap(module, "fd_tell", move |caller: Caller<'_, T>, fd: u32, offset: u32| {
            enter(caller, state, "fd_tell", |call| fd_io::fd_tell(call, fd, offset))
        }),
        ("fd_write", _) => linker.func_wrap(
            module,
            "fd_write",
            move |caller: Caller<'_, T>, fd: u32, iovs: u32, iovs_len: u32, nwritten: u32| {
                enter(caller, state, "fd_write", |call| fd_io::fd_write(call, fd, iovs, iovs_len, nwritten))
            },
        ),
        ("path_create_directory", _) => linker.func_wrap(
            module,
            "path_create_directory",
            move |caller: Caller<'_, T>, fd: u32, path: u32, path_len: u32| {
                enter(caller, state, "path_create_directory", |call| {
                    path::path_create_directory(call, fd, path, path_len)
                })
            },
        ),
        ("path_filestat_get", Generation::Preview0) => linker.func_wrap(
            module,
            "path_filestat_get",
            move |caller: Caller<'_, T>, fd: u32, flags: u32, path: u32, path_len: u32, buf: u32| {
                enter(caller, state, "path_filestat_get", |call| {
                    unstable::path_filestat_get(call, fd, flags, path, path_len, buf)
                })
            },
        ),
        ("path_filestat_get", Generation::Preview1) => linker.func_wrap(
            module,
            "path_filestat_get",
            move |caller: Caller<'_, T>, fd: u32, flags: u32, path: u32, path_len: u32, buf: u32| {
                enter(caller, state, "path_filestat_get", |call| {
                    path::path_filestat_get(call, fd, flags, path, path_len, buf)
                })
            },
        ),
        ("path_filestat_set_times", _) => linker.func_wrap(
            module,
            "path_filestat_set_times",
            move |caller: Caller<'_, T>,
                  fd: u32,
                  flags: u32,
                  path: u32,
                  path_len: u32,
                  atim: u64,
                  mtim: u64,
                  fst_flags: u32| {
                enter(caller, state, "path_filestat_set_times", |call| {
                    path::path_filestat_set_times(call, fd, flags, path, path_len, atim, mtim, fst_flags)
                })
            },
        ),
        ("path_link", _) => linker.func_wrap(
            module,
            "path_link",
            move |caller: Caller<'_, T>,
                  old_fd: u32,
                  old_flags: u32,
                  old_path: u32,
                  old_path_len: u32,
                  new_fd: u32,
                  new_path: u32,
                  new_path_len: u32| {
                enter(caller, state, "path_link", |call| {
                    path::path_link(call, old_fd, old_flags, old_path, old_path_len, new_fd, new_path, new_path_len)
                })
            },
        ),
        ("path_open", _) => linker.func_wrap(
            module,
            "path_open",
            move |caller: Caller<'_, T>,
                  fd: u32,
                  dirflags: u32,
                  path: u32,
                  path_len: u32,
                  oflags: u32,
                  rights_base: u64,
                  rights_inheriting: u64,
                  fdflags: u32,
                  opened_fd: u32| {
                enter(caller, state, "path_open", |call| {
                    path::path_open(
                        call,
                        fd,
                        dirflags,
                        path,
                        path_len,
                        oflags,
                        rights_base,
                        rights_inheriting,
                        fdflags,
                        opened_fd,
                    )
                })
            },
        ),
        ("path_readlink", _) => linker.func_wrap(
            module,
            "path_readlink",
            move |caller: Caller<'_, T>, fd: u32, path: u32, path_len: u32, buf: u32, buf_len: u32, bufused: u32| {
                enter(caller, state, "path_readlink", |call| {
                    path::path_readlink(call, fd, path, path_len, buf, buf_len, bufused)
                })
            },
        ),
        ("path_remove_directory", _) => linker.func_wrap(
            module,
            "path_remove_directory",
            move |caller: Caller<'_, T>, fd: u32, path: u32, path_len: u32| {
                enter(caller, state, "path_remove_directory", |call| {
                    path::path_remove_directory(call, fd, path, path_len)
                })
            },
        ),
        ("path_rename", _) => linker.func_wrap(
            module,
            "path_rename",
            move |caller: Caller<'_, T>,
                  old_fd: u32,
                  old_path: u32,
                  old_path_len: u32,
                  new_fd: u32,
                  new_path: u32,
                  new_path_len: u32| {
                enter(caller, state, "path_rename", |call| {
                    path::path_rename(call, old_fd, old_path, old_path_len, new_fd, new_path, new_path_len)
                })
            },
        ),
        ("path_symlink", _) => linker.func_wrap(
            module,
            "path_symlink",
            move |caller: Caller<'_, T>,
                  old_path: u32,
                  old_path_len: u32,
                  fd: u32,
                  new_path: u32,
                  new_path_len: u32| {
                enter(caller, state, "path_symlink", |call| {
                    path::path_symlink(call, old_path, old_path_len, fd, new_path, new_path_len)
                })
            },
        ),
        ("path_unlink_file", _) => linker.func_wrap(
            module,
            "path_unlink_file",
            move |caller: Caller<'_, T>, fd: u32, path: u32, path_len: u32| {
                enter(caller, state, "path_unlink_file", |call| path::path_unlink_file(call, fd, path, path_len))
            },
        ),
        ("poll_oneoff", Generation::Preview0) => linker.func_wrap(
            module,
            "poll_oneoff",
            move |caller: Caller<'_, T>, subs: u32, events: u32, nsubscriptions: u32, nevents: u32| {
                enter(caller, state, "poll_oneoff", |call| {
                    unstable::poll_oneoff(call, subs, events, nsubscriptions, nevents)
                })
            },
        ),
        ("poll_oneoff", Generation::Preview1) => linker.func_wrap(
            module,
            "poll_oneoff",
            move |caller: Caller<'_, T>, subs: u32, events: u32, nsubscriptions: u32, nevents: u32| {
                enter(caller, state, "poll_oneoff", |call| {
                    poll::poll_oneoff(call, subs, events, nsubscriptions, nevents)
                })
            },
        ),
        ("proc_exit", _) => linker.func_wrap(module, "proc_exit", move |caller: Caller<'_, T>, status: u32| {
            // `noreturn` in the standard: the one function without a result.
            enter(caller, state, "proc_exit", |call| proc::proc_exit(call, status)).map(drop)
        }),
        ("proc_raise", _) => linker.func_wrap(module, "proc_raise", move |caller: Caller<'_, T>, signal: u32| {
            enter(caller, state, "proc_raise", |call| proc::proc_raise(call, signal))
        }),
        ("sched_yield", _) => linker.func_wrap(module, "sched_yield", move |caller: Caller<'_, T>| {
            enter(caller, state, "sched_yield", sched::sched_yield)
        }),
        ("random_get", _) => {
            linker.func_wrap(module, "random_get", move |caller: Caller<'_, T>, buf: u32, buf_len: u32| {
                enter(caller, state, "random_get", |call| random::random_get(call, buf, buf_len))
            })
        }
        ("sock_accept", Generation::Preview1) => linker.func_wrap(
            module,
            "sock_accept",
            move |caller: Caller<'_, T>, fd: u32, flags: u32, opened_fd: u32| {
                enter(caller, state, "sock_accept", |call| sock::sock_accept(call, fd, flags, opened_fd))
            },
        ),
        ("sock_recv", _) => linker.func_wrap(
            module,
            "sock_recv",
            move |caller: Caller<'_, T>,
                  fd: u32,
                  ri_data: u32,
                  ri_data_len: u32,
                  ri_flags: u32,
                  ro_datalen: u32,
                  ro_flags: u32| {
                enter(caller, state, "sock_recv", |call| {
                    sock::sock_recv(call, fd, ri_data, ri_data_len, ri_flags, ro_datalen, ro_flags)
                })
            },
        ),
        ("sock_send", _) => linker.func_wrap(
            module,
            "sock_send",
            move |caller: Caller<'_, T>, fd: u32, si_data: u32, si_data_len: u32, si_flags: u32, so_datalen: u32| {
                enter(caller, state, "sock_send", |call| {
                    sock::sock_send(call, fd, si_data, si_data_len, si_flags, so_datalen)
                })
            },
        ),
        ("sock_shutdown", _) => {
            linker.func_wrap(module, "sock_shutdown", move |caller: Caller<'_, T>, fd: u32, how: u32| {
                enter(caller, state, "sock_shutdown", |call| sock::sock_shutdown(call, fd, how))
            })
        }
        _ => return Ok(false),
    };
    linked.map(|_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_linked_and_nothing_else() {
        struct Data(Capabilities, Preview1);
        for generation in [Generation::Preview0, Generation::Preview1] {
            let mut linker = Linker::<Data>::new(&wasmtime::Engine::default());
            for row in FUNCTIONS {
                let linked = link(&mut linker, generation, row.name, |data| (&mut data.0, &mut data.1)).unwrap();
                assert_eq!(linked, generation.has(row.name), "{}", row.name);
            }
            assert!(!link(&mut linker, generation, "fd_nothing", |data| (&mut data.0, &mut data.1)).unwrap());
        }
    }
}
