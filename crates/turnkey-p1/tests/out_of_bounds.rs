//! Pointers beyond the memory, in every pointer parameter of every function: always a trap, whatever else is wrong with the
//! call, and nothing has happened: no byte of memory is written, no file touched, no position moved, nothing received.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

mod harness;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::time::SystemTime;

use harness::signatures::{Parameter, SIGNATURES, result_bytes};
use harness::{
    BUF, CLOSED, CREAT, EVENTS, Guest, IOVS, MEMORY_BYTES, PATH, READ_WRITE, RESULT, RESULT2, SUBS, Setup, WORK,
};
use turnkey_core::sockets::TcpListener;
use turnkey_p1::{Generation, OutOfBounds};

const END: u64 = MEMORY_BYTES as u64;

const LISTENER: u64 = 5;
const FILE: u64 = 6;
const CONNECTION: u64 = 7;

/// Bytes in the buffer of a read or a write.
const BUFFER_BYTES: u64 = 16;

/// A guest with one of everything, and the other ends of its sockets.
struct Full {
    guest: Guest,
    _peers: [TcpStream; 2],
}

impl Full {
    fn new(generation: Generation) -> Self {
        let mut setup =
            Setup::new().file("file", "0123456789abcdef0123456789abcdef").link("file", "link").directory("empty");
        setup.generation = generation;
        setup.grants.arguments = vec![b"prog".to_vec()];
        setup.grants.variables = vec![b"A=1".to_vec()];
        setup.grants.tcp_listeners = vec![TcpListener::open((Ipv4Addr::LOCALHOST, 0).into()).unwrap()];
        let mut guest = setup.start();
        let mut connected = TcpStream::connect(guest.listening[0]).unwrap();
        connected.write_all(&[7; 64]).unwrap();
        assert_eq!(guest.open_file("file"), FILE);
        // Preview 0 takes no connections.
        if generation == Generation::Preview1 {
            assert_eq!(guest.call("sock_accept", &[LISTENER, 0, RESULT]), 0);
        }
        let waiting = TcpStream::connect(guest.listening[0]).unwrap();
        guest.fill(harness::PATTERN);
        Full { guest, _peers: [connected, waiting] }
    }

    /// What a call that did not happen must not have changed.
    fn state(&mut self) -> impl PartialEq + std::fmt::Debug + use<> {
        // Read-only calls with good pointers; where they put their results is put back.
        let before = self.guest.read(RESULT, 8);
        let position = self.guest.tell(FILE);
        self.guest.write(RESULT, &before);
        let host = &self.guest.store.data().host;
        (position, host.budget.used(), host.audit.refusals().len(), self.disk())
    }

    fn disk(&self) -> BTreeMap<std::ffi::OsString, (u64, SystemTime)> {
        let entries = std::fs::read_dir(self.guest.disk.work("")).unwrap();
        let entry = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            (entry.file_name(), (metadata.len(), metadata.modified().unwrap()))
        };
        entries.map(entry).collect()
    }
}

/// The calls that have a pointer, each with arguments that are good; each pointer has a place of its own.
fn good(guest: &mut Guest, name: &str) -> Vec<u64> {
    guest.iovs(&[(BUF, BUFFER_BYTES)]);
    // Two subscriptions to a clock, over at once, in either layout.
    guest.write(SUBS, &[0; 112]);
    let [old, old_bytes] = guest.path("file");
    let [new, new_bytes] = guest.path2("new");
    let of_link = [PATH + 100, 4];
    guest.write(PATH + 100, b"link");
    let of_empty = [PATH + 200, 5];
    guest.write(PATH + 200, b"empty");
    match name {
        "args_get" | "environ_get" => vec![RESULT, BUF],
        "args_sizes_get" | "environ_sizes_get" => vec![RESULT, RESULT2],
        "clock_res_get" => vec![0, RESULT],
        "clock_time_get" => vec![0, 0, RESULT],
        "fd_fdstat_get" | "fd_filestat_get" | "fd_tell" => vec![FILE, RESULT],
        "fd_prestat_get" => vec![WORK, RESULT],
        "fd_pread" | "fd_pwrite" => vec![FILE, IOVS, 1, 4, RESULT],
        "fd_read" | "fd_write" => vec![FILE, IOVS, 1, RESULT],
        "fd_prestat_dir_name" => vec![WORK, BUF, 5],
        "fd_readdir" => vec![WORK, BUF, 300, 0, RESULT],
        "fd_seek" => vec![FILE, 1, 1, RESULT],
        "path_create_directory" => vec![WORK, new, new_bytes],
        "path_remove_directory" => vec![WORK, of_empty[0], of_empty[1]],
        "path_unlink_file" => vec![WORK, old, old_bytes],
        "path_filestat_get" => vec![WORK, 0, old, old_bytes, RESULT],
        "path_filestat_set_times" => vec![WORK, 0, old, old_bytes, 1, 1, 5],
        "path_link" => vec![WORK, 0, old, old_bytes, WORK, new, new_bytes],
        "path_open" => vec![WORK, 0, new, new_bytes, CREAT, READ_WRITE, 0, 0, RESULT],
        "path_readlink" => vec![WORK, of_link[0], of_link[1], BUF, 100, RESULT],
        "path_rename" => vec![WORK, old, old_bytes, WORK, new, new_bytes],
        "path_symlink" => vec![old, old_bytes, WORK, new, new_bytes],
        "poll_oneoff" => vec![SUBS, EVENTS, 2, RESULT],
        "random_get" => vec![BUF, 64],
        "sock_accept" => vec![LISTENER, 0, RESULT],
        "sock_recv" => vec![CONNECTION, IOVS, 1, 0, RESULT, RESULT2],
        "sock_send" => vec![CONNECTION, IOVS, 1, 0, RESULT],
        _ => panic!("`{name}` has no pointer, or is new: give it good arguments here"),
    }
}

/// A pointer parameter: which one, the bytes it needs with the good arguments, and its count, if it has one.
struct Pointer {
    at: usize,
    bytes: u64,
    /// Where the count is, and the bytes of one element.
    counted: Option<(usize, u64)>,
}

fn pointers(name: &str, parameters: &[Parameter], arguments: &[u64], preview0: bool) -> Vec<Pointer> {
    let pointer = |(at, parameter): (usize, &Parameter)| {
        let counted = parameter.counted(preview0).map(|(after, bytes)| (at + after, bytes));
        let bytes = match (parameter, counted) {
            (_, Some((count, bytes))) => arguments[count] * bytes,
            (Parameter::Result(bytes), _) => result_bytes(name, *bytes, preview0).into(),
            // One argument or variable: a pointer, and its bytes with a zero.
            (Parameter::Told, _) => match (name, at) {
                (_, 0) => 4,
                ("args_get", _) => 5,
                _ => 4,
            },
            _ => return None,
        };
        Some(Pointer { at, bytes, counted })
    };
    parameters.iter().enumerate().filter_map(pointer).collect()
}

/// Runs `each` for every function that has a pointer and that the guest can call well, in both generations.
fn for_each_function(mut each: impl FnMut(Generation, &'static str, &'static [Parameter])) {
    for generation in [Generation::Preview0, Generation::Preview1] {
        for (name, parameters) in SIGNATURES {
            let with_pointer = parameters.iter().any(|parameter| parameter.is_pointer());
            // A guest of preview 0 has no connection.
            let reached = generation == Generation::Preview1 || !name.starts_with("sock_");
            if with_pointer && reached {
                each(generation, name, parameters);
            }
        }
    }
}

/// The arguments that differ from good ones in one pointer, or its count, that leads beyond the memory.
fn bad_arguments(good: &[u64], pointer: &Pointer) -> Vec<Vec<u64>> {
    let with = |changes: &[(usize, u64)]| {
        let mut arguments = good.to_vec();
        for &(at, value) in changes {
            arguments[at] = value;
        }
        arguments
    };
    let mut all: Vec<Vec<u64>> = [END - pointer.bytes + 1, END, END + 1, 0x8000_0000, 0xffff_ffff]
        .into_iter()
        .map(|address| with(&[(pointer.at, address)]))
        .collect();
    if let Some((count, bytes)) = pointer.counted {
        let address = good[pointer.at];
        let wraps = (1 << 32) / bytes;
        for number in [
            (END - address) / bytes + 1,
            wraps - 1,
            // These come back to 0, or to a little more, where sizes or addresses are counted with 32 bits.
            wraps,
            wraps + 1,
            ((1 << 32) - address).div_ceil(bytes),
            ((1 << 32) - address) / bytes + 1,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
        ] {
            all.push(with(&[(count, number & 0xffff_ffff)]));
        }
        all.retain(|arguments| arguments[pointer.at] + arguments[count] * bytes > END);
        // Nothing, but beyond the memory.
        all.push(with(&[(pointer.at, END + 1), (count, 0)]));
        all.push(with(&[(pointer.at, 0xffff_ffff), (count, 0)]));
    }
    all
}

/// The same, and everything else wrong as well: pointers come first.
fn with_all_else_wrong(arguments: &[u64], parameters: &[Parameter], preview0: bool) -> Vec<u64> {
    let counts: Vec<usize> =
        (0..parameters.len()).filter_map(|at| parameters[at].counted(preview0).map(|(after, _)| at + after)).collect();
    let wrong = |(at, (&argument, parameter)): (usize, (&u64, &Parameter))| match parameter {
        Parameter::Fd => CLOSED,
        Parameter::Word if !counts.contains(&at) => 0xffff_ffff,
        _ => argument,
    };
    std::iter::zip(arguments, parameters).enumerate().map(wrong).collect()
}

#[test]
fn a_pointer_beyond_the_memory_traps_before_anything_has_happened() {
    for_each_function(|generation, name, parameters| {
        let preview0 = generation == Generation::Preview0;
        let mut full = Full::new(generation);
        let arguments = good(&mut full.guest, name);
        let state = full.state();
        for pointer in pointers(name, parameters, &arguments, preview0) {
            for bad in bad_arguments(&arguments, &pointer) {
                for bad in [with_all_else_wrong(&bad, parameters, preview0), bad] {
                    let trap = full.guest.traps::<OutOfBounds>(name, &bad);
                    assert_eq!((trap.call, trap.memory_bytes), (name, END), "{bad:x?}");
                    assert_eq!(full.state(), state, "{name}{bad:x?}");
                }
            }
        }
        // It was the pointers that were wrong, and what the call needs is still there.
        assert_eq!(full.guest.call(name, &arguments), 0, "{name}{arguments:x?}");
    });
}

#[test]
fn a_pointer_to_the_last_bytes_of_the_memory_is_as_good_as_any() {
    for_each_function(|generation, name, parameters| {
        let preview0 = generation == Generation::Preview0;
        let arguments = good(&mut Full::new(generation).guest, name);
        for pointer in pointers(name, parameters, &arguments, preview0) {
            let mut full = Full::new(generation);
            good(&mut full.guest, name);
            let mut moved = arguments.clone();
            moved[pointer.at] = END - pointer.bytes;
            let bytes = full.guest.read(arguments[pointer.at], pointer.bytes as usize);
            full.guest.write(moved[pointer.at], &bytes);
            assert_eq!(full.guest.call(name, &moved), 0, "{name}{moved:x?}");
        }
    });
}

#[test]
fn nothing_at_the_very_end_of_the_memory_is_inside() {
    for_each_function(|generation, name, parameters| {
        let preview0 = generation == Generation::Preview0;
        let mut full = Full::new(generation);
        let arguments = good(&mut full.guest, name);
        for pointer in pointers(name, parameters, &arguments, preview0) {
            let Some((count, _)) = pointer.counted else {
                continue;
            };
            let mut empty = arguments.clone();
            (empty[pointer.at], empty[count]) = (END, 0);
            full.guest.call(name, &empty);
        }
    });
}

#[test]
fn a_buffer_beyond_the_memory_traps_wherever_it_is_in_its_list() {
    let bad_buffers = [
        (END - BUFFER_BYTES + 1, BUFFER_BYTES),
        (END, 1),
        (END + 1, 0),
        (0xffff_ffff, 0),
        (0xffff_ffff, 1),
        (0xffff_ffff, 0xffff_ffff),
        (BUF, 0xffff_ffff),
        (BUF, (1 << 32) - BUF),
        (BUF, (1 << 32) - BUF + 1),
        (0, END + 1),
        (1, 0xffff_ffff),
    ];
    for_each_function(|generation, name, parameters| {
        let lists = |parameter: &Parameter| matches!(parameter, Parameter::Gather | Parameter::Scatter);
        let Some(list) = parameters.iter().position(lists) else {
            return;
        };
        let mut full = Full::new(generation);
        let arguments = good(&mut full.guest, name);
        let state = full.state();
        for bad in bad_buffers {
            // As the only one, as the last of a few, and behind as many as one system call takes.
            for before in [0, 1, 7, 8, 1023, 1024] {
                let mut buffers = vec![(BUF, 1); before];
                buffers.push(bad);
                full.guest.iovs(&buffers);
                let mut arguments = arguments.clone();
                arguments[list + 1] = buffers.len() as u64;
                for fd in [arguments[0], CLOSED] {
                    arguments[0] = fd;
                    full.guest.traps::<OutOfBounds>(name, &arguments);
                    assert_eq!(full.state(), state, "{name} {bad:x?} after {before}");
                }
            }
        }
        full.guest.iovs(&[(BUF, BUFFER_BYTES)]);
        assert_eq!(full.guest.call(name, &arguments), 0);
    });
}

#[test]
fn a_buffer_of_the_last_bytes_of_the_memory_is_as_good_as_any() {
    let mut full = Full::new(Generation::Preview1);
    for buffers in [&[(END - 4, 4)][..], &[(END, 0), (END - 2, 2), (END, 0)], &[(0, 0), (END - 1, 1)]] {
        let [iovs, count] = full.guest.iovs(buffers);
        assert_eq!(full.guest.call("fd_read", &[FILE, iovs, count, RESULT]), 0);
        assert_eq!(full.guest.call("fd_pwrite", &[FILE, iovs, count, 0, RESULT]), 0);
    }
}
