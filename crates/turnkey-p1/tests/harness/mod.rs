//! A guest without a toolchain: a generated module that hands on all functions of the standard, and a memory in which
//! every byte is known, so that a test sees exactly what a call wrote and what it left alone.

#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod errno;
pub(crate) mod signatures;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use turnkey_core::filesystem::Access;
use turnkey_core::grants::DirectoryGrant;
use turnkey_core::sockets::TcpListener;
use turnkey_core::{Capabilities, Grants, Limits};
use turnkey_p1::{Generation, Preview1};
use wasmtime::{Engine, Error, Instance, Linker, Memory, Module, Store, Val};

use signatures::{Parameter, SIGNATURES, parameters, result};

/// Bytes of the guest's memory.
pub(crate) const MEMORY_BYTES: usize = 2 << 16;
/// What every byte of it is at the start.
pub(crate) const PATTERN: u8 = 0xa5;

/// Where tests put paths, of up to 8 KiB.
pub(crate) const PATH: u64 = 0x1000;
/// Where tests put the second path of a call.
pub(crate) const PATH2: u64 = 0x3000;
/// Where tests put lists of buffers: room for 1025.
pub(crate) const IOVS: u64 = 0x5000;
/// Where tests put data: 32 KiB.
pub(crate) const BUF: u64 = 0x8000;
/// Where tests have a result put: at an odd address, since a guest may.
pub(crate) const RESULT: u64 = 0x10001;
/// Where tests have a second result put.
pub(crate) const RESULT2: u64 = 0x10103;
/// Where tests put subscriptions.
pub(crate) const SUBS: u64 = 0x11000;
/// Where tests have events put.
pub(crate) const EVENTS: u64 = 0x14000;

/// The descriptor of the writable directory.
pub(crate) const WORK: u64 = 3;
/// The descriptor of the directory for reading only.
pub(crate) const FIXED: u64 = 4;
/// The descriptor of the first that is opened or handed over after the two.
pub(crate) const FIRST: u64 = 5;
/// A descriptor that is never open.
pub(crate) const CLOSED: u64 = 999;

pub(crate) const READ: u64 = 1 << 1;
pub(crate) const WRITE: u64 = 1 << 6;
pub(crate) const READ_WRITE: u64 = READ | WRITE;

pub(crate) const CREAT: u64 = 1;
pub(crate) const DIRECTORY: u64 = 2;
pub(crate) const EXCL: u64 = 4;
pub(crate) const TRUNC: u64 = 8;

pub(crate) const APPEND: u64 = 1;
pub(crate) const NONBLOCK: u64 = 4;

/// `lookupflags`: follow a symbolic link in the last place.
pub(crate) const FOLLOW: u64 = 1;

/// What the store of a test holds.
pub(crate) struct Data {
    pub(crate) host: Capabilities,
    pub(crate) preview1: Preview1,
}

/// The disk of one test: a directory to write, one to read, and a secret beside them.
pub(crate) struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        std::fs::create_dir(outer.path().join("work")).unwrap();
        std::fs::create_dir(outer.path().join("fixed")).unwrap();
        std::fs::write(outer.path().join("secret"), "SECRET").unwrap();
        Disk(outer)
    }

    /// Of the directory that holds the two and the secret.
    pub(crate) fn outer(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Of a path in the writable directory.
    pub(crate) fn work(&self, path: &str) -> PathBuf {
        self.outer("work").join(path)
    }

    /// Of a path in the directory for reading only.
    pub(crate) fn fixed(&self, path: &str) -> PathBuf {
        self.outer("fixed").join(path)
    }
}

/// A guest that is about to be made: change the grants and limits, fill the disk, and start it.
pub(crate) struct Setup {
    pub(crate) disk: Disk,
    pub(crate) grants: Grants,
    pub(crate) limits: Limits,
    pub(crate) generation: Generation,
}

impl Setup {
    /// Two directories, and streams with nothing behind them.
    pub(crate) fn new() -> Self {
        let disk = Disk::new();
        let directory = |host: PathBuf, guest: &str, access| DirectoryGrant { host, guest: guest.into(), access };
        let directories = vec![
            directory(disk.outer("work"), "/work", Access::ReadWrite),
            directory(disk.outer("fixed"), "fixed", Access::ReadOnly),
        ];
        let grants = Grants { directories, ..Grants::default() };
        Setup { disk, grants, limits: Limits::default(), generation: Generation::Preview1 }
    }

    /// Writes a file into the writable directory.
    pub(crate) fn file(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        write(&self.disk.work(path), contents.as_ref());
        self
    }

    /// Writes a file into the directory for reading only.
    pub(crate) fn fixed(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        write(&self.disk.fixed(path), contents.as_ref());
        self
    }

    /// Makes a symbolic link in the writable directory.
    pub(crate) fn link(self, contents: &str, path: &str) -> Self {
        std::os::unix::fs::symlink(contents, self.disk.work(path)).unwrap();
        self
    }

    /// Makes a directory in the writable directory.
    pub(crate) fn directory(self, path: &str) -> Self {
        std::fs::create_dir_all(self.disk.work(path)).unwrap();
        self
    }

    /// The guest, its memory filled with the pattern.
    pub(crate) fn start(self) -> Guest {
        static MODULES: LazyLock<[Module; 2]> = LazyLock::new(|| {
            [Generation::Preview0, Generation::Preview1]
                .map(|generation| compile(&module(generation, "(memory (export \"memory\") 2)")))
        });
        let module = &MODULES[usize::from(self.generation == Generation::Preview1)];
        let mut guest = self.start_module(module, Some("memory")).unwrap();
        guest.fill(PATTERN);
        guest
    }

    /// A guest that runs another module.
    pub(crate) fn start_module(self, module: &Module, memory: Option<&str>) -> Result<Guest, Error> {
        let mut host = Capabilities::new(self.grants, self.limits).unwrap();
        let listening = host.found_open.listeners.iter().map(TcpListener::address).collect();
        let preview1 = Preview1::new(&mut host, memory.map(str::to_owned)).unwrap();
        let mut store = Store::new(&ENGINE, Data { host, preview1 });
        let instance = linker(self.generation).instantiate(&mut store, module)?;
        let memory = memory.and_then(|name| instance.get_memory(&mut store, name));
        Ok(Guest { store, instance, memory, disk: self.disk, listening })
    }
}

fn write(path: &Path, contents: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, contents).unwrap();
}

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::default);

/// A module of its text.
pub(crate) fn compile(text: &str) -> Module {
    Module::new(&ENGINE, wat::parse_str(text).unwrap()).unwrap()
}

fn linker(generation: Generation) -> Linker<Data> {
    let mut linker = Linker::new(&ENGINE);
    for (name, _) in SIGNATURES {
        let linked =
            turnkey_p1::link(&mut linker, generation, name, |data: &mut Data| (&mut data.host, &mut data.preview1));
        let linked = linked.unwrap();
        assert_eq!(linked, generation.has(name), "{name}");
    }
    linker
}

/// A module that imports all functions, and exports one of its own for each, which calls it. (An import that is exported
/// as it is would be called without the module, and so without its memory.)
pub(crate) fn module(generation: Generation, rest: &str) -> String {
    let mut text = String::from("(module\n");
    let functions = || SIGNATURES.iter().filter(|(name, _)| generation.has(name));
    for (name, parameters) in functions() {
        let (from, types) = (generation.module(), types(parameters));
        let result = result(name);
        writeln!(text, "(import \"{from}\" \"{name}\" (func ${name} (param {types}) {result}))").unwrap();
    }
    text.push_str(rest);
    for (name, parameters) in functions() {
        let gets: String = (0..parameters.len()).map(|number| format!("local.get {number} ")).collect();
        let (types, result) = (types(parameters), result(name));
        writeln!(text, "(func (export \"{name}\") (param {types}) {result} {gets} call ${name})").unwrap();
    }
    text.push(')');
    text
}

fn types(parameters: &[Parameter]) -> String {
    parameters.iter().map(|parameter| parameter.wasm()).collect::<Vec<_>>().join(" ")
}

/// A guest whose functions a test calls one by one.
pub(crate) struct Guest {
    pub(crate) store: Store<Data>,
    instance: Instance,
    memory: Option<Memory>,
    pub(crate) disk: Disk,
    /// Where the listeners that were granted listen.
    pub(crate) listening: Vec<SocketAddr>,
}

impl Guest {
    /// The guest of [`Setup::new`].
    pub(crate) fn new() -> Self {
        Setup::new().start()
    }

    /// Makes a call, whatever comes of it. Numbers are cut to what the function takes.
    pub(crate) fn try_call(&mut self, name: &str, arguments: &[u64]) -> Result<u32, Error> {
        let parameters = parameters(name);
        assert_eq!(parameters.len(), arguments.len(), "{name}");
        let values: Vec<Val> = std::iter::zip(parameters, arguments)
            .map(|(parameter, &value)| match parameter {
                Parameter::Long => Val::I64(value.cast_signed()),
                _ => Val::I32((value as u32).cast_signed()),
            })
            .collect();
        let function = self.instance.get_func(&mut self.store, name).unwrap();
        let mut results = [Val::I32(-1)];
        let count = usize::from(!result(name).is_empty());
        function.call(&mut self.store, &values, &mut results[..count])?;
        Ok(results[0].unwrap_i32().cast_unsigned())
    }

    /// Runs a function of the module's own, without parameters.
    pub(crate) fn run(&mut self, name: &str) {
        self.instance.get_typed_func::<(), ()>(&mut self.store, name).unwrap().call(&mut self.store, ()).unwrap();
    }

    /// Makes a call that must not trap; its errno. One that fails leaves the memory as it was.
    #[track_caller]
    pub(crate) fn call(&mut self, name: &str, arguments: &[u64]) -> u32 {
        let before = self.bytes().to_vec();
        let errno = self.try_call(name, arguments).unwrap_or_else(|error| panic!("{name}{arguments:x?}: {error:?}"));
        if errno != 0 {
            same(name, &before, self.bytes());
        }
        errno
    }

    /// Makes a call that must end well, and write within these ranges (address and bytes) and nowhere else.
    #[track_caller]
    pub(crate) fn writes(&mut self, name: &str, arguments: &[u64], ranges: &[(u64, u64)]) {
        let mut before = self.bytes().to_vec();
        assert_eq!(self.call(name, arguments), 0, "{name}{arguments:x?}");
        for &(address, bytes) in ranges {
            let range = address as usize..(address + bytes) as usize;
            before[range.clone()].copy_from_slice(&self.bytes()[range]);
        }
        same(name, &before, self.bytes());
    }

    /// Makes a call that must end well, and write exactly these bytes.
    #[track_caller]
    pub(crate) fn gives(&mut self, name: &str, arguments: &[u64], written: &[(u64, &[u8])]) {
        let mut before = self.bytes().to_vec();
        assert_eq!(self.call(name, arguments), 0, "{name}{arguments:x?}");
        for &(address, bytes) in written {
            before[address as usize..][..bytes.len()].copy_from_slice(bytes);
        }
        same(name, &before, self.bytes());
    }

    /// Makes a call that must fail like this, and write nothing.
    #[track_caller]
    pub(crate) fn fails(&mut self, name: &str, arguments: &[u64], errno: u32) {
        let found = self.call(name, arguments);
        assert_eq!(found, errno, "{name}{arguments:x?}");
    }

    /// Makes a call that must end the guest like this, and write nothing.
    #[track_caller]
    pub(crate) fn traps<E: std::error::Error + Send + Sync + Clone + 'static>(
        &mut self,
        name: &str,
        arguments: &[u64],
    ) -> E {
        let before = self.bytes().to_vec();
        let error = match self.try_call(name, arguments) {
            Ok(errno) => panic!("{name}{arguments:x?} gave {errno}"),
            Err(error) => error,
        };
        same(name, &before, self.bytes());
        error.downcast_ref::<E>().unwrap_or_else(|| panic!("{name}{arguments:x?}: {error:?}")).clone()
    }

    /// The whole memory; nothing if the module shows none.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.map_or(&[], |memory| memory.data(&self.store))
    }

    /// The whole memory, to write to.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.map_or(&mut [], |memory| memory.data_mut(&mut self.store))
    }

    /// Makes every byte of the memory the same.
    pub(crate) fn fill(&mut self, byte: u8) {
        self.bytes_mut().fill(byte);
    }

    /// Writes bytes into the memory.
    pub(crate) fn write(&mut self, address: u64, bytes: &[u8]) {
        self.bytes_mut()[address as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Bytes of the memory.
    pub(crate) fn read(&self, address: u64, bytes: usize) -> Vec<u8> {
        self.bytes()[address as usize..][..bytes].to_vec()
    }

    pub(crate) fn u32_at(&self, address: u64) -> u32 {
        u32::from_le_bytes(self.read(address, 4).try_into().unwrap())
    }

    pub(crate) fn u64_at(&self, address: u64) -> u64 {
        u64::from_le_bytes(self.read(address, 8).try_into().unwrap())
    }

    /// Writes a path to [`PATH`]; its address and bytes.
    pub(crate) fn path(&mut self, path: impl AsRef<[u8]>) -> [u64; 2] {
        self.text(PATH, path.as_ref())
    }

    /// Writes a path to [`PATH2`]; its address and bytes.
    pub(crate) fn path2(&mut self, path: impl AsRef<[u8]>) -> [u64; 2] {
        self.text(PATH2, path.as_ref())
    }

    fn text(&mut self, address: u64, text: &[u8]) -> [u64; 2] {
        self.write(address, text);
        [address, text.len() as u64]
    }

    /// Writes a list of buffers to [`IOVS`]; its address and how many they are.
    pub(crate) fn iovs(&mut self, buffers: &[(u64, u64)]) -> [u64; 2] {
        for (number, (address, bytes)) in (0..).zip(buffers) {
            self.write(IOVS + number * 8, &(*address as u32).to_le_bytes());
            self.write(IOVS + number * 8 + 4, &(*bytes as u32).to_le_bytes());
        }
        [IOVS, buffers.len() as u64]
    }

    /// What `path_open` gives, a link in the last place followed.
    pub(crate) fn try_open(&mut self, fd: u64, path: &str, oflags: u64, rights: u64, fdflags: u64) -> Result<u64, u32> {
        let [path, bytes] = self.path(path);
        match self.call("path_open", &[fd, FOLLOW, path, bytes, oflags, rights, 0, fdflags, RESULT]) {
            0 => Ok(self.u32_at(RESULT).into()),
            errno => Err(errno),
        }
    }

    /// Opens what must open.
    #[track_caller]
    pub(crate) fn open(&mut self, fd: u64, path: &str, oflags: u64, rights: u64, fdflags: u64) -> u64 {
        self.try_open(fd, path, oflags, rights, fdflags).unwrap_or_else(|errno| panic!("{path}: {errno}"))
    }

    /// Opens a file of the writable directory to read and write.
    #[track_caller]
    pub(crate) fn open_file(&mut self, path: &str) -> u64 {
        self.open(WORK, path, 0, READ_WRITE, 0)
    }

    /// Writes the bytes with `fd_write`; how many were taken, or the errno.
    pub(crate) fn write_fd(&mut self, fd: u64, bytes: &[u8]) -> Result<u32, u32> {
        self.write(BUF, bytes);
        let [iovs, count] = self.iovs(&[(BUF, bytes.len() as u64)]);
        match self.call("fd_write", &[fd, iovs, count, RESULT]) {
            0 => Ok(self.u32_at(RESULT)),
            errno => Err(errno),
        }
    }

    /// Reads at most so many bytes with `fd_read`.
    pub(crate) fn read_fd(&mut self, fd: u64, most: u64) -> Result<Vec<u8>, u32> {
        let [iovs, count] = self.iovs(&[(BUF, most)]);
        match self.call("fd_read", &[fd, iovs, count, RESULT]) {
            0 => Ok(self.read(BUF, self.u32_at(RESULT) as usize)),
            errno => Err(errno),
        }
    }

    /// Where the descriptor stands.
    #[track_caller]
    pub(crate) fn tell(&mut self, fd: u64) -> u64 {
        assert_eq!(self.call("fd_tell", &[fd, RESULT]), 0);
        self.u64_at(RESULT)
    }

    /// `fd_filestat_get`.
    #[track_caller]
    pub(crate) fn stat(&mut self, fd: u64) -> Stat {
        assert_eq!(self.call("fd_filestat_get", &[fd, RESULT]), 0);
        self.stat_at(RESULT)
    }

    /// `path_filestat_get`.
    pub(crate) fn stat_path(&mut self, fd: u64, flags: u64, path: &str) -> Result<Stat, u32> {
        let [path, bytes] = self.path(path);
        match self.call("path_filestat_get", &[fd, flags, path, bytes, RESULT]) {
            0 => Ok(self.stat_at(RESULT)),
            errno => Err(errno),
        }
    }

    fn stat_at(&self, address: u64) -> Stat {
        let word = |number: u64| self.u64_at(address + number * 8);
        Stat {
            device: word(0),
            inode: word(1),
            // Padding is part of this word: were it not zero, no kind would be equal to it.
            filetype: word(2),
            links: word(3),
            size: word(4),
            accessed: word(5),
            modified: word(6),
            changed: word(7),
        }
    }
}

/// `filestat`, its padding included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) filetype: u64,
    pub(crate) links: u64,
    pub(crate) size: u64,
    pub(crate) accessed: u64,
    pub(crate) modified: u64,
    pub(crate) changed: u64,
}

/// Compares two memories, and says where they first differ instead of printing them.
#[track_caller]
fn same(name: &str, expected: &[u8], found: &[u8]) {
    if expected != found {
        let at = std::iter::zip(expected, found).position(|(one, other)| one != other).unwrap_or(0);
        let end = (at + 32).min(found.len());
        panic!("{name}: at {at:#x} {:x?}, expected {:x?}", &found[at..end], &expected[at..end]);
    }
}
