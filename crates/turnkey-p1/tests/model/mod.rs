//! Random calls, and a model of the guest's memory that says of each which bytes it may write. What is chosen comes from
//! outside, so that a test with a seed and a fuzzer with its input use the same code.
//!
//! The model knows from the arguments alone whether a call must trap; that a call which fails writes nothing; and that one
//! which ends well writes its results, and of its buffers no more than it says it filled.

#![allow(dead_code, reason = "the test and the fuzzer each use a part of it")]

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use turnkey_core::clocks::ClockGrant;
use turnkey_core::stream::StreamGrant;
use turnkey_p1::{Exit, Generation, OutOfBounds};
use wasmtime::Error;

use crate::harness::signatures::{Parameter, SIGNATURES, parameters, result_bytes};
use crate::harness::{APPEND, CREAT, DIRECTORY, FIXED, Guest, MEMORY_BYTES, READ, READ_WRITE, Setup, WORK};

const END: u64 = MEMORY_BYTES as u64;

/// Buffers that one call uses; what a guest gives beyond them is looked at and left.
const MOST_BUFFERS: usize = 1024;

/// Where choices come from.
pub(crate) trait Choices {
    /// The next bytes; zeroes once there are no more.
    fn fill(&mut self, bytes: &mut [u8]);

    /// There are no more.
    fn are_over(&self) -> bool;

    fn u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number below this one. Small ones take one byte, so that a fuzzer's input goes far.
    fn below(&mut self, end: u64) -> u64 {
        if end > 256 {
            return self.u64() % end;
        }
        let mut byte = [0];
        self.fill(&mut byte);
        u64::from(byte[0]) % end.max(1)
    }

    /// Once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == times - 1
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// Choices that a fuzzer made.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Choices for Bytes<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        let count = bytes.len().min(self.0.len());
        let (front, rest) = self.0.split_at(count);
        bytes[..count].copy_from_slice(front);
        self.0 = rest;
    }

    fn are_over(&self) -> bool {
        self.0.is_empty()
    }
}

/// Numbers at which sums, products and signs go wrong.
const EDGES: [u64; 18] = [
    0,
    1,
    2,
    8,
    255,
    4095,
    4096,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX as u64 - 1,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// Paths to things that are there, that are not, that are outside, and that are no paths.
const PATHS: [&[u8]; 34] = [
    b"file",
    b"./file",
    b"file/",
    b"file/x",
    b"other",
    b"new",
    b"new/",
    b"dir",
    b"dir/",
    b"dir/.",
    b"dir/..",
    b"dir/file",
    b"dir/new",
    b"dir/../file",
    b"dir//file",
    b"link",
    b"link/",
    b"to_dir",
    b"to_dir/",
    b"to_dir/file",
    b"up",
    b"up/",
    b"up/secret",
    b"itself",
    b".",
    b"./",
    b"..",
    b"../secret",
    b"/",
    b"/etc/passwd",
    b"",
    b"a\0b",
    b"\xff\xfe",
    &[b'n'; 300],
];

/// A guest, what the model knows of it, and the choices to come.
pub(crate) struct Model<C> {
    choices: C,
    guest: Guest,
    generation: Generation,
    arguments: Vec<Vec<u8>>,
    variables: Vec<Vec<u8>>,
    counted_inodes: bool,
    fixed: BTreeMap<PathBuf, String>,
    calls: u64,
    /// How often each function ended well.
    pub(crate) succeeded: BTreeMap<String, u64>,
    /// How many calls ended in a trap because of a pointer.
    pub(crate) trapped: u64,
}

/// Tells which call it was if it is the one that panics.
struct Told {
    number: u64,
    name: &'static str,
    arguments: Vec<u64>,
}

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("call {}: {}{:x?}", self.number, self.name, self.arguments);
        }
    }
}

impl<C: Choices> Model<C> {
    /// A guest with a few things, its grants and limits chosen.
    pub(crate) fn new(mut choices: C) -> Self {
        let setup = setup(&mut choices);
        let generation = setup.generation;
        let (arguments, variables) = (setup.grants.arguments.clone(), setup.grants.variables.clone());
        let counted_inodes = setup.grants.deterministic_files;
        let mut guest = setup.start();
        // Something to work on from the first call: a file, one that is appended to, and a directory, as far as allowed.
        for (path, oflags, fdflags) in [("file", 0, 0), ("other", CREAT, APPEND), ("dir", DIRECTORY, 0)] {
            let rights = if oflags == DIRECTORY { READ } else { READ_WRITE };
            let _ = guest.try_open(WORK, path, oflags, rights, fdflags);
        }
        let fixed = tree(&guest.disk.fixed(""));
        let (calls, succeeded, trapped) = (0, BTreeMap::new(), 0);
        Model { choices, guest, generation, arguments, variables, counted_inodes, fixed, calls, succeeded, trapped }
    }

    /// Whether there are no more choices.
    pub(crate) fn is_over(&self) -> bool {
        self.choices.are_over()
    }

    /// Makes one call and checks it.
    pub(crate) fn step(&mut self) {
        let name = self.choose_function();
        let mut arguments = self.choose_arguments(name);
        self.keep_from_waiting_and_filling_the_disk(name, &mut arguments);
        let _told = Told { number: self.calls, name, arguments: arguments.clone() };
        self.calls += 1;
        let expected = self.expect(name, &arguments);
        let before = self.guest.bytes().to_vec();
        let result = self.guest.try_call(name, &arguments);
        self.check(name, &expected, &before, result);
    }

    /// Closes everything, and looks at what must not have changed.
    pub(crate) fn finish(mut self) {
        for fd in 0..64 {
            self.guest.try_call("fd_close", &[fd]).expect("closing traps never");
        }
        let host = &self.guest.store.data().host;
        assert!(self.counted_inodes || host.budget.used() == 0, "{} bytes are never given back", host.budget.used());
        assert_eq!(tree(&self.guest.disk.fixed("")), self.fixed, "what is for reading only has changed");
        let outside: Vec<PathBuf> = tree(&self.guest.disk.outer("")).into_keys().collect();
        let work = self.guest.disk.outer("work");
        let known = |path: &PathBuf| path.starts_with(&work) || self.fixed.contains_key(path);
        let unknown: Vec<_> = outside.iter().filter(|path| !known(path) && !path.ends_with("secret")).collect();
        assert_eq!(unknown, [&self.guest.disk.outer("")], "something was made outside");
        assert_eq!(std::fs::read(self.guest.disk.outer("secret")).expect("it is there"), b"SECRET");
    }

    fn choose_function(&mut self) -> &'static str {
        loop {
            let (name, _) = self.choices.one_of(&SIGNATURES);
            // What takes things away is called less often, or soon there would be nothing to call the others on.
            let rare = ["fd_close", "fd_renumber", "fd_fdstat_set_rights"].contains(&name);
            if self.generation.has(name) && (!rare || self.choices.once_in(6)) {
                return name;
            }
        }
    }

    /// Chooses arguments one by one, and puts into the memory what they point to.
    fn choose_arguments(&mut self, name: &str) -> Vec<u64> {
        let parameters = parameters(name);
        let preview0 = self.generation == Generation::Preview0;
        let mut chosen: Vec<Option<u64>> = vec![None; parameters.len()];
        for (at, &parameter) in parameters.iter().enumerate() {
            if chosen[at].is_some() {
                // The count of a pointer that came before.
                continue;
            }
            let address = self.address();
            let (value, count) = match parameter {
                Parameter::Fd => (self.fd(name), None),
                Parameter::Word => (self.word(), None),
                Parameter::Long => (self.long(), None),
                Parameter::Result(_) | Parameter::Told => (address, None),
                Parameter::Text => (address, Some(self.put_path(address))),
                Parameter::Room => (address, Some(self.room())),
                Parameter::Gather | Parameter::Scatter => (address, Some(self.put_buffers(address))),
                Parameter::Subscriptions => (address, Some(self.put_subscriptions(address, preview0))),
                Parameter::Events => (address, None),
            };
            chosen[at] = Some(value);
            if let (Some((after, _)), Some(mut count)) = (parameter.counted(preview0), count) {
                if self.choices.once_in(40) {
                    count = self.choices.one_of(&EDGES) & 0xffff_ffff;
                }
                chosen[at + after] = Some(count);
            }
        }
        chosen.into_iter().map(|value| value.unwrap_or(0)).collect()
    }

    fn fd(&mut self, name: &str) -> u64 {
        match self.choices.below(32) {
            0 => self.choices.one_of(&EDGES) & 0xffff_ffff,
            1..20 if name.starts_with("path_") => WORK,
            20..24 if name.starts_with("path_") => FIXED,
            _ => self.choices.below(10),
        }
    }

    fn word(&mut self) -> u64 {
        match self.choices.below(8) {
            0 => self.choices.one_of(&EDGES) & 0xffff_ffff,
            1 => self.choices.below(64),
            2..6 => 0,
            _ => self.choices.below(16),
        }
    }

    fn long(&mut self) -> u64 {
        match self.choices.below(8) {
            0 | 1 => self.choices.one_of(&EDGES),
            2 => self.choices.u64(),
            // To read and to write, as rights.
            3 | 4 => 1 << 1 | 1 << 6,
            _ => self.choices.below(64),
        }
    }

    fn address(&mut self) -> u64 {
        match self.choices.below(32) {
            0 => END.saturating_sub(self.choices.below(100)),
            1 if self.choices.once_in(3) => END + self.choices.below(100),
            2 if self.choices.once_in(3) => 0xffff_ffff - self.choices.below(100),
            3 => self.choices.below(16),
            _ => self.choices.below(END),
        }
    }

    fn room(&mut self) -> u64 {
        match self.choices.below(8) {
            0 => self.choices.one_of(&EDGES) & 0xffff_ffff,
            1 | 2 => self.choices.below(4096),
            _ => self.choices.below(120),
        }
    }

    /// Writes into the memory what of it is inside.
    fn put(&mut self, address: u64, bytes: &[u8]) {
        let memory = self.guest.bytes_mut();
        let start = (address as usize).min(memory.len());
        let count = bytes.len().min(memory.len() - start);
        memory[start..][..count].copy_from_slice(&bytes[..count]);
    }

    fn put_path(&mut self, address: u64) -> u64 {
        let mut path = self.choices.one_of(&PATHS).to_vec();
        if self.choices.once_in(8) {
            let more = self.choices.one_of(&PATHS);
            path.push(b'/');
            path.extend_from_slice(more);
        }
        self.put(address, &path);
        path.len() as u64
    }

    fn put_buffers(&mut self, address: u64) -> u64 {
        let count = if self.choices.once_in(50) { 1000 + self.choices.below(60) } else { self.choices.below(5) };
        // Of very many, all are the same few bytes: what they hold is not the point.
        let same = (count > 100).then(|| (self.choices.below(END - 64), self.choices.below(64)));
        for number in 0..count {
            let (buffer, bytes) = match same {
                Some(same) => same,
                None => (self.address(), self.buffer_bytes()),
            };
            let record = (buffer & 0xffff_ffff) | bytes << 32;
            self.put(address + number * 8, &record.to_le_bytes());
        }
        count
    }

    fn buffer_bytes(&mut self) -> u64 {
        match self.choices.below(20) {
            0 => self.choices.one_of(&EDGES) & 0xffff_ffff,
            1..4 => 0,
            4 => self.choices.below(20_000),
            _ => self.choices.below(100),
        }
    }

    fn put_subscriptions(&mut self, address: u64, preview0: bool) -> u64 {
        let count = self.choices.below(6);
        let size = if preview0 { 56 } else { 48 };
        for number in 0..count {
            let mut record = [0xa5; 56];
            record[..8].copy_from_slice(&self.choices.u64().to_le_bytes());
            record[8] = self.choices.below(4) as u8;
            let id = if self.choices.once_in(8) { self.choices.u64() } else { self.choices.below(12) };
            let at = if preview0 && record[8] == 0 { 24 } else { 16 };
            record[at..at + 4].copy_from_slice(&(id as u32).to_le_bytes());
            self.put(address + number * size, &record[..size as usize]);
        }
        count
    }

    /// Takes out of a call what would make the run long and show nothing: long timers, and files of terabytes.
    fn keep_from_waiting_and_filling_the_disk(&mut self, name: &str, arguments: &mut [u64]) {
        if name == "fd_allocate" && arguments[1].saturating_add(arguments[2]) < 1 << 63 {
            (arguments[1], arguments[2]) = (arguments[1] & 0xf_ffff, arguments[2] & 0xffff);
        }
        if name == "poll_oneoff" {
            let (size, timeout) = if self.generation == Generation::Preview0 { (56, 32) } else { (48, 24) };
            let records = self.guest.bytes_mut().get_mut(arguments[0] as usize..).unwrap_or_default();
            for record in records.chunks_mut(size).take(arguments[2] as usize) {
                if let (Some(0), Some(timeout)) = (record.get(8).copied(), record.get_mut(timeout + 1..timeout + 8)) {
                    timeout.fill(0);
                }
            }
        }
    }

    /// What the call may do, from its arguments and the memory as it is.
    fn expect(&self, name: &str, arguments: &[u64]) -> Expected {
        let preview0 = self.generation == Generation::Preview0;
        let mut expected = Expected { inside: true, results: Vec::new(), buffers: Vec::new(), filled: Filled::Whole };
        for (at, (&parameter, &address)) in std::iter::zip(parameters(name), arguments).enumerate() {
            let counted = parameter.counted(preview0).map(|(after, bytes)| arguments[at + after] * bytes);
            match (parameter, counted) {
                (Parameter::Result(bytes), _) => {
                    let result = expected.range(address, result_bytes(name, bytes, preview0).into());
                    // The first result of a call is the one that counts.
                    if expected.results.is_empty() {
                        expected.filled = match name {
                            "poll_oneoff" => Filled::Counted { place: result.start, unit: 32 },
                            _ => Filled::Counted { place: result.start, unit: 1 },
                        };
                    }
                    expected.results.push(result);
                }
                (Parameter::Told, _) => {
                    let told = expected.range(address, self.told_bytes(name, at));
                    expected.results.push(told);
                }
                (Parameter::Text | Parameter::Subscriptions, Some(bytes)) => drop(expected.range(address, bytes)),
                (Parameter::Room | Parameter::Events, Some(bytes)) => {
                    let room = expected.range(address, bytes);
                    expected.buffers.push(room);
                }
                (Parameter::Gather | Parameter::Scatter, Some(bytes)) => {
                    let list = expected.range(address, bytes);
                    let buffers = self.buffers(&mut expected, list);
                    if parameter == Parameter::Scatter {
                        expected.buffers.extend(buffers.into_iter().take(MOST_BUFFERS));
                    }
                }
                _ => {}
            }
        }
        expected
    }

    /// The buffers of a list, as far as the list is inside.
    fn buffers(&self, expected: &mut Expected, list: Range<u64>) -> Vec<Range<u64>> {
        let list = self.guest.bytes().get(list.start as usize..list.end as usize).unwrap_or_default();
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
        list.chunks(8).map(|record| expected.range(number(&record[..4]), number(&record[4..]))).collect()
    }

    fn told_bytes(&self, name: &str, at: usize) -> u64 {
        let strings = if name == "args_get" { &self.arguments } else { &self.variables };
        match at {
            0 => strings.len() as u64 * 4,
            _ => strings.iter().map(|string| string.len() as u64 + 1).sum(),
        }
    }

    fn check(&mut self, name: &str, expected: &Expected, before: &[u8], result: Result<u32, Error>) {
        let mut allowed = before.to_vec();
        match result {
            Ok(errno) => {
                assert!(expected.inside, "a pointer beyond the memory was taken");
                assert!(!["proc_exit"].contains(&name), "the guest went on after its end");
                assert!(errno <= 76, "{errno} is no errno");
                if errno == 0 {
                    *self.succeeded.entry(name.to_owned()).or_default() += 1;
                    let after = self.guest.bytes();
                    for range in expected.written(after) {
                        let range = range.start as usize..range.end as usize;
                        allowed[range.clone()].copy_from_slice(&after[range]);
                    }
                }
            }
            Err(error) if error.is::<OutOfBounds>() => {
                self.trapped += 1;
                assert!(!expected.inside, "{error:?}, though every pointer is inside");
            }
            Err(error) => assert!(error.is::<Exit>() && name.starts_with("proc_"), "{error:?}"),
        }
        if allowed != self.guest.bytes() {
            let at = std::iter::zip(&allowed, self.guest.bytes()).position(|(one, other)| one != other);
            panic!("the byte at {at:x?} was written, and is not the call's to write");
        }
    }
}

/// What a call may do.
struct Expected {
    /// Every pointer is inside the memory. If not, the call must trap.
    inside: bool,
    /// What it writes if it ends well.
    results: Vec<Range<u64>>,
    /// What it fills, in this order.
    buffers: Vec<Range<u64>>,
    /// How far.
    filled: Filled,
}

enum Filled {
    /// All of it.
    Whole,
    /// As far as the number that it writes to this place says, in units of so many bytes.
    Counted { place: u64, unit: u64 },
}

impl Expected {
    fn range(&mut self, address: u64, bytes: u64) -> Range<u64> {
        self.inside &= address + bytes <= END;
        address..address + bytes
    }

    /// All that may have been written by a call that has ended well, in a memory that it has left like this.
    fn written(&self, memory: &[u8]) -> Vec<Range<u64>> {
        let mut written = self.results.clone();
        let mut left = match self.filled {
            Filled::Whole => u64::MAX,
            Filled::Counted { place, unit } => {
                let place = place as usize;
                let number =
                    memory[place..place + 4].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
                number * unit
            }
        };
        let all: u64 = self.buffers.iter().map(|buffer| buffer.end - buffer.start).sum();
        assert!(
            self.buffers.is_empty() || left == u64::MAX || left <= all,
            "{left} bytes of {all} are said to be filled"
        );
        for buffer in &self.buffers {
            let bytes = (buffer.end - buffer.start).min(left);
            written.push(buffer.start..buffer.start + bytes);
            left -= bytes;
        }
        written
    }
}

/// A few files, and grants and limits of all kinds. Nothing here can make a call wait: streams are files, or nothing.
fn setup(choices: &mut impl Choices) -> Setup {
    let mut setup = Setup::new()
        .file("file", "0123456789")
        .file("dir/file", "inner")
        .link("file", "link")
        .link("dir", "to_dir")
        .link("..", "up")
        .link("itself", "itself")
        .fixed("file", "fixed")
        .fixed("dir/file", "inner");
    setup.generation = choices.one_of(&[Generation::Preview1, Generation::Preview1, Generation::Preview0]);
    setup.grants.arguments = vec![b"prog".to_vec(), b"".to_vec(), vec![b'x'; choices.below(100) as usize]];
    setup.grants.variables = vec![b"A=1".to_vec(); choices.below(4) as usize];
    setup.grants.deterministic_files = choices.once_in(3);
    if choices.once_in(3) {
        setup.grants.clock = ClockGrant { resolution_ns: 1000, frozen_at_ns: Some(choices.one_of(&EDGES)) };
    }
    if choices.once_in(2) {
        setup.grants.stdin = stream(b"input");
        setup.grants.stdout = stream(b"");
    }
    if choices.once_in(2) {
        // Far away, so that calls are made in the way that ends with it, and none ends.
        setup.limits.timeout = Some(Duration::from_secs(3600));
    }
    setup.grants.record_paths = choices.once_in(4);
    setup.limits.descriptors = 6 + choices.below(8) as u32;
    setup.limits.subscriptions = 4;
    if choices.once_in(4) {
        setup.limits.host_bytes = 6 * 512 + choices.below(40_000);
    }
    setup
}

fn stream(contents: &[u8]) -> StreamGrant {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(contents).expect("room for it");
    StreamGrant::Descriptor(file.into())
}

/// Every name below a directory, with what a guest could change of it.
fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(path) = pending.pop() {
        let metadata = path.symlink_metadata().expect("nobody else removes it");
        let mut told = format!("{:?} {:?}", metadata.file_type(), metadata.modified().expect("a time"));
        if metadata.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a directory");
            pending.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else {
            told += &format!(" {}", metadata.len());
        }
        found.insert(path, told);
    }
    found
}
