//! Everything that `std::fs` can do, in the directory that the first argument names: one line for each step, without
//! times, inode numbers or anything else that differs from run to run. The directory is empty again at the end.
//!
//! Native: the same source runs outside WebAssembly, and prints the same.

use std::ffi::{CString, c_char, c_int};
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

fn main() -> io::Result<()> {
    let root = PathBuf::from(std::env::args().nth(1).expect("usage: files DIRECTORY"));
    let at = |name: &str| root.join(name);

    whole_files(&at)?;
    positions(&at)?;
    vectors(&at)?;
    open_modes(&at)?;
    lengths(&at)?;
    links(&at)?;
    times(&at)?;
    renames(&at)?;
    directories(&at)?;
    refusals(&at);
    list(&root)
}

fn whole_files(at: &dyn Fn(&str) -> PathBuf) -> io::Result<()> {
    fs::write(at("greeting"), "hello")?;
    println!("write and read: {:?}", fs::read_to_string(at("greeting"))?);
    fs::write(at("greeting"), "bye")?;
    println!("write again: {:?}", fs::read_to_string(at("greeting"))?);
    println!("copy: {} bytes", fs::copy(at("greeting"), at("copy"))?);
    println!("exists: {} {}", at("copy").exists(), at("absent").exists());
    fs::remove_file(at("copy"))?;
    println!("exists after remove: {}", at("copy").exists());

    let all: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    fs::write(at("large"), &all)?;
    println!("large file is intact: {}", fs::read(at("large"))? == all);
    fs::remove_file(at("large"))
}

fn positions(at: &dyn Fn(&str) -> PathBuf) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(at("digits"))?;
    file.write_all(b"0123456789")?;
    println!("position after write: {}", file.stream_position()?);
    println!("seek from start: {}", file.seek(SeekFrom::Start(4))?);
    let mut two = [0; 2];
    file.read_exact(&mut two)?;
    println!("read there: {}", two.escape_ascii());
    println!("seek from here: {}", file.seek(SeekFrom::Current(-5))?);
    println!("seek from end: {}", file.seek(SeekFrom::End(-3))?);
    file.write_all(b"xy")?;
    println!("seek before start: {}", outcome(file.seek(SeekFrom::Current(-100))));
    println!("seek past end: {}", file.seek(SeekFrom::End(2))?);
    file.write_all(b"!")?;
    file.rewind()?;
    let mut text = Vec::new();
    println!("whole file: {} bytes, {}", file.read_to_end(&mut text)?, text.escape_ascii());
    println!("read at the end: {}", file.read(&mut two)?);
    file.sync_all()?;
    file.sync_data()?;

    // A duplicate shares its position, if there is one at all: Preview 1 has no call that makes it.
    let mut second = File::open(at("digits"))?;
    second.seek(SeekFrom::Start(7))?;
    second.read_exact(&mut two)?;
    println!("a second descriptor has a position of its own: {} {}", two.escape_ascii(), file.stream_position()?);
    fs::remove_file(at("digits"))
}

fn vectors(at: &dyn Fn(&str) -> PathBuf) -> io::Result<()> {
    let mut file = File::create(at("vectors"))?;
    let parts = [IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"two "), IoSlice::new(b"three")];
    println!("write_vectored: {}", file.write_vectored(&parts)?);
    let (mut head, mut none, mut tail) = ([0; 6], [0; 0], [0; 20]);
    let mut parts = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut none), IoSliceMut::new(&mut tail)];
    let read = File::open(at("vectors"))?.read_vectored(&mut parts)?;
    println!("read_vectored: {read}, {} {}", head.escape_ascii(), tail.escape_ascii());
    fs::remove_file(at("vectors"))
}

fn open_modes(at: &dyn Fn(&str) -> PathBuf) -> io::Result<()> {
    let mut log = OpenOptions::new().append(true).create(true).open(at("log"))?;
    log.write_all(b"first ")?;
    log.seek(SeekFrom::Start(0))?;
    log.write_all(b"second")?;
    println!("append ignores the position: {:?}", fs::read_to_string(at("log"))?);
    println!("create_new of what exists: {}", outcome(File::create_new(at("log"))));
    println!("write without the mode: {}", outcome(File::open(at("log"))?.write(b"x").map_err(mode)));
    let mut write_only = OpenOptions::new().write(true).open(at("log"))?;
    println!("read without the mode: {}", outcome(write_only.read(&mut [0; 4]).map_err(mode)));
    println!("truncate: {}", OpenOptions::new().write(true).truncate(true).open(at("log"))?.metadata()?.len());
    println!("open for nothing: {}", outcome(OpenOptions::new().open(at("log"))));
    fs::remove_file(at("log"))
}

fn lengths(at: &dyn Fn(&str) -> PathBuf) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(at("lengths"))?;
    for length in [10, 3, 100_000, 0] {
        file.set_len(length)?;
        println!("set_len {length}: {}", file.metadata()?.len());
    }
    file.set_len(4)?;
    println!("grown with zeros: {:?}", fs::read(at("lengths"))?);
    println!("set_len without the mode: {}", outcome(File::open(at("lengths"))?.set_len(1).map_err(mode)));
    fs::remove_file(at("lengths"))
}

fn links(at: &dyn Fn(&str) -> PathBuf) -> io::Result<()> {
    fs::hard_link(at("greeting"), at("second name"))?;
    fs::write(at("second name"), "through a hard link")?;
    println!("hard link: {:?}", fs::read_to_string(at("greeting"))?);
    symlink("greeting", &at("pointer"))?;
    println!("symbolic link: {:?} to {:?}", fs::read_link(at("pointer"))?, fs::read_to_string(at("pointer"))?);
    let (itself, target) = (fs::symlink_metadata(at("pointer"))?, fs::metadata(at("pointer"))?);
    println!("the link: link {} file {} length {}", itself.is_symlink(), itself.is_file(), itself.len());
    println!("its target: link {} file {} length {}", target.is_symlink(), target.is_file(), target.len());
    symlink("nowhere", &at("dangling"))?;
    println!("dangling link: exists {}, {}", at("dangling").exists(), outcome(File::open(at("dangling"))));
    symlink("circle", &at("circle"))?;
    println!("circle: {}", outcome(File::open(at("circle"))));
    println!("read_link of a file: {}", outcome(fs::read_link(at("greeting"))));
    println!("symbolic link over a file: {}", outcome(symlink("x", &at("greeting"))));
    for name in ["second name", "pointer", "dangling", "circle"] {
        fs::remove_file(at(name))?;
    }
    println!("after removal of the links: {:?}", fs::read_to_string(at("greeting"))?);
    Ok(())
}

fn times(at: &dyn Fn(&str) -> PathBuf) -> io::Result<()> {
    let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (accessed, modified) = (Duration::new(1_000_000_000, 5_000), Duration::new(1_234_567_890, 123_456_000));
    let times = FileTimes::new()
        .set_accessed(SystemTime::UNIX_EPOCH + accessed)
        .set_modified(SystemTime::UNIX_EPOCH + modified);
    let file = OpenOptions::new().write(true).open(at("greeting"))?;
    file.set_times(times)?;
    let shown = file.metadata()?;
    println!("times as set: {} {}", since(shown.accessed()?) == accessed, since(shown.modified()?) == modified);
    file.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + accessed))?;
    let shown = fs::metadata(at("greeting"))?;
    println!("one of them: {} {}", since(shown.accessed()?) == accessed, since(shown.modified()?) == accessed);
    fs::write(at("greeting"), "new")?;
    println!("a write sets the time: {}", since(fs::metadata(at("greeting"))?.modified()?) > modified);
    Ok(())
}

fn renames(at: &dyn Fn(&str) -> PathBuf) -> io::Result<()> {
    fs::rename(at("greeting"), at("renamed"))?;
    println!("rename: {} {:?}", at("greeting").exists(), fs::read_to_string(at("renamed"))?);
    fs::write(at("victim"), "old")?;
    fs::rename(at("renamed"), at("victim"))?;
    println!("rename over a file: {:?}", fs::read_to_string(at("victim"))?);
    fs::create_dir(at("place"))?;
    println!("file over a directory: {}", outcome(fs::rename(at("victim"), at("place"))));
    println!("directory over a file: {}", outcome(fs::rename(at("place"), at("victim"))));
    fs::rename(at("victim"), at("place/inside"))?;
    fs::rename(at("place"), at("moved"))?;
    println!("directory with a file in it: {:?}", fs::read_to_string(at("moved/inside"))?);
    println!("into itself: {}", outcome(fs::rename(at("moved"), at("moved/deeper"))));
    fs::remove_dir_all(at("moved"))
}

fn directories(at: &dyn Fn(&str) -> PathBuf) -> io::Result<()> {
    fs::create_dir_all(at("tree/branch/twig"))?;
    fs::create_dir_all(at("tree/branch"))?;
    fs::write(at("tree/leaf"), "1")?;
    fs::write(at("tree/branch/leaf"), "22")?;
    fs::write(at("tree/branch/twig/\u{1F343} with spaces"), "333")?;
    symlink("../tree", &at("tree/loop"))?;
    list(&at("tree"))?;
    println!("dots: {:?}", fs::read_to_string(at("tree/./branch/../leaf"))?);
    println!("remove_dir of what is full: {}", outcome(fs::remove_dir(at("tree"))));
    fs::remove_dir_all(at("tree"))?;
    println!("remove_dir_all: {}", at("tree").exists());

    fs::create_dir(at("many"))?;
    for index in 0..500 {
        File::create(at("many").join(format!("a file with quite a long name, number {index}")))?;
    }
    println!("many files: {}", fs::read_dir(at("many"))?.count());
    fs::remove_dir_all(at("many"))
}

fn refusals(at: &dyn Fn(&str) -> PathBuf) {
    let long = "n".repeat(256);
    let steps: [(&str, io::Result<()>); 14] = [
        ("open what is missing", File::open(at("missing")).map(drop)),
        ("open below what is missing", File::create(at("missing/file")).map(drop)),
        ("remove what is missing", fs::remove_file(at("missing"))),
        ("list what is missing", fs::read_dir(at("missing")).map(drop)),
        ("make a directory", fs::create_dir(at("folder"))),
        ("make it again", fs::create_dir(at("folder"))),
        ("make a file in it", fs::write(at("folder/file"), "")),
        ("write to a directory", fs::write(at("folder"), "")),
        ("remove a directory as a file", fs::remove_file(at("folder")).map_err(directory)),
        ("remove a file as a directory", fs::remove_dir(at("folder/file"))),
        ("go through a file", File::open(at("folder/file/deeper")).map(drop)),
        ("a name that is too long", File::create(at(&long)).map(drop)),
        ("a name with a zero", File::create(at("zero\0")).map(drop)),
        ("remove it all", fs::remove_dir_all(at("folder"))),
    ];
    for (step, result) in steps {
        println!("{step}: {}", outcome(result));
    }
}

/// Everything in a directory, sorted, with directories gone into.
fn list(directory: &Path) -> io::Result<()> {
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    println!("{} entries", entries.len());
    for entry in entries {
        let (kind, length) = (entry.file_type()?, entry.metadata()?.len());
        if kind.is_dir() {
            print!("{:?}: directory, ", entry.file_name());
            list(&entry.path())?;
        } else {
            println!("{:?}: link {}, {length} bytes", entry.file_name(), kind.is_symlink());
        }
    }
    Ok(())
}

/// `std` makes no symbolic links on WASI with what is stable, libc does, and has the same function natively.
fn symlink(target: &str, link: &Path) -> io::Result<()> {
    unsafe extern "C" {
        fn symlink(target: *const c_char, link: *const c_char) -> c_int;
    }
    let target = CString::new(target)?;
    let link = CString::new(link.as_os_str().as_encoded_bytes())?;
    // SAFETY: both strings end in a zero, and live as long as the call.
    match unsafe { symlink(target.as_ptr(), link.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn outcome<T>(result: io::Result<T>) -> String {
    // `std` for WASI has not put this number under its kind.
    const NOT_EMPTY: i32 = if cfg!(target_os = "wasi") { 55 } else { 39 };
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) if error.raw_os_error() == Some(NOT_EMPTY) => format!("{:?}", io::ErrorKind::DirectoryNotEmpty),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// A descriptor that was opened without a right lacks it in Preview 1 (`notcapable`), where it is none at all for POSIX
/// (`badf`).
fn mode(_: io::Error) -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}

/// POSIX leaves this one open: Linux says `isdir`, others `perm`.
fn directory(_: io::Error) -> io::Error {
    io::ErrorKind::IsADirectory.into()
}
