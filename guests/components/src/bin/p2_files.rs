//! `wasi:filesystem` by its own functions: what the adapter does not reach, and the code of each thing that goes wrong.
//! `p2_files DIRECTORY`, where DIRECTORY is the name of one that was handed over, with nothing in it: a transcript. It
//! leaves nothing behind.
//!
//! `p2_files readonly DIRECTORY` tries all that changes something, in a directory that was handed over for reading: it
//! must have a file `file` and a directory `folder`.

use components::{Code, directory, fail, must, shown, whether};
use wasip2::clocks::wall_clock::Datetime;
use wasip2::filesystem::types::{
    Advice, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
};
use wasip2::io::streams::StreamError;

const NO_FOLLOW: PathFlags = PathFlags::empty();
const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;
const NOTHING: OpenFlags = OpenFlags::empty();
const CREATE: OpenFlags = OpenFlags::CREATE;
const DIRECTORY: OpenFlags = OpenFlags::DIRECTORY;
const READ: DescriptorFlags = DescriptorFlags::READ;
const WRITE: DescriptorFlags = DescriptorFlags::WRITE;
const MUTATE: DescriptorFlags = DescriptorFlags::MUTATE_DIRECTORY;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [name] => transcript(&directory(name)),
        ["readonly", name] => read_only(&directory(name)),
        _ => fail("p2_files", "usage: p2_files [readonly] DIRECTORY"),
    }
}

fn transcript(root: &Descriptor) {
    opens(root);
    offsets(root);
    sizes_and_times(root);
    identity(root);
    appends(root);
    directories(root);
    links(root);
    escapes(root);
    println!("left: {:?}", listing(root));
}

fn create(root: &Descriptor, name: &str) -> Descriptor {
    must(name, root.open_at(NO_FOLLOW, name, CREATE | OpenFlags::TRUNCATE, READ | WRITE))
}

fn unlink(root: &Descriptor, name: &str) {
    must(name, root.unlink_file_at(name));
}

/// The names of some flags; the standard's order.
fn flags(flags: DescriptorFlags) -> String {
    let names: Vec<&str> = flags.iter_names().map(|(name, _)| name).collect();
    names.join(" ")
}

fn kind(kind: DescriptorType) -> &'static str {
    match kind {
        DescriptorType::Unknown => "unknown",
        DescriptorType::BlockDevice => "block-device",
        DescriptorType::CharacterDevice => "character-device",
        DescriptorType::Directory => "directory",
        DescriptorType::Fifo => "fifo",
        DescriptorType::SymbolicLink => "symbolic-link",
        DescriptorType::RegularFile => "regular-file",
        DescriptorType::Socket => "socket",
    }
}

/// A type, a size where it says something, and links.
fn stat(stat: Result<DescriptorStat, ErrorCode>) -> String {
    match stat {
        Err(error) => error.code(),
        Ok(it) if it.type_ == DescriptorType::Directory => "directory".to_owned(),
        Ok(it) => format!("{}, {} bytes, {} links", kind(it.type_), it.size, it.link_count),
    }
}

fn opens(root: &Descriptor) {
    println!("root: {}, {}", kind(must("get-type", root.get_type())), flags(must("get-flags", root.get_flags())));
    let open = |what: &str, name: &str, how: OpenFlags, access: DescriptorFlags| {
        println!("open {what}: {}", whether(root.open_at(NO_FOLLOW, name, how, access)));
    };
    open("what is not there", "file", NOTHING, READ);
    open("what is not there, truncated", "file", OpenFlags::TRUNCATE, READ | WRITE);
    open("created", "file", CREATE | OpenFlags::EXCLUSIVE, READ | WRITE);
    open("created again", "file", CREATE | OpenFlags::EXCLUSIVE, READ | WRITE);
    open("created where it is", "file", CREATE, READ | WRITE);
    open("a file as a directory", "file", DIRECTORY, READ);
    open("a file with a slash", "file/", NOTHING, READ);
    open("below a file", "file/below", NOTHING, READ);
    open("created as a directory", "other", CREATE | DIRECTORY, READ);
    must("create-directory-at", root.create_directory_at("folder"));
    open("a directory", "folder", NOTHING, READ);
    open("a directory as one", "folder/", DIRECTORY, READ | MUTATE);
    open("a directory for writing", "folder", NOTHING, READ | WRITE);
    open("a directory, created", "folder", CREATE | OpenFlags::EXCLUSIVE, READ | WRITE);
    open("a directory, truncated", "folder", OpenFlags::TRUNCATE, READ | WRITE);
    open("a dot", ".", DIRECTORY, READ);
    open("no name", "", NOTHING, READ);
    open("a name with a zero", "fi\0le", NOTHING, READ);
    open("a long name", &"n".repeat(256), NOTHING, READ);
    open("a long path", &"n/".repeat(5000), NOTHING, READ);

    let folder = must("folder", root.open_at(NO_FOLLOW, "folder", DIRECTORY, READ));
    println!("folder: {}, {}", kind(must("get-type", folder.get_type())), flags(must("get-flags", folder.get_flags())));
    println!("created through what may not change: {}", whether(folder.create_directory_at("within")));
    let _ = root.remove_directory_at("folder/within");
    for access in [READ, WRITE, READ | WRITE, READ | WRITE | DescriptorFlags::DATA_INTEGRITY_SYNC] {
        let file = match root.open_at(NO_FOLLOW, "file", NOTHING, access) {
            Ok(file) => file,
            Err(error) => {
                println!("file as {}: {}", flags(access), error.code());
                continue;
            }
        };
        println!("file as {}: {}", flags(access), flags(must("get-flags", file.get_flags())));
        println!("  write: {}", shown(file.write(b"12345", 0)));
        println!("  read: {}", shown(file.read(5, 0).map(|(bytes, end)| (bytes.len(), end))));
        println!("  write-via-stream: {}", whether(file.write_via_stream(0)));
        println!("  append-via-stream: {}", whether(file.append_via_stream()));
        println!("  read-via-stream: {}", whether(file.read_via_stream(0)));
        println!("  set-size: {}", shown(file.set_size(5)));
    }
    println!("read of a directory: {}", whether(root.read(1, 0)));
    println!("write to a directory: {}", whether(root.write(b"x", 0)));
    println!("write-via-stream of a directory: {}", whether(root.write_via_stream(0)));
    println!("append-via-stream of a directory: {}", whether(root.append_via_stream()));
    println!("set-size of a directory: {}", whether(root.set_size(0)));
    let file = must("file", root.open_at(NO_FOLLOW, "file", NOTHING, READ | WRITE));
    println!("file: {}", kind(must("get-type", file.get_type())));
    println!("open-at in a file: {}", whether(file.open_at(NO_FOLLOW, "x", NOTHING, READ)));
    println!("read-directory of a file: {}", whether(file.read_directory()));
    println!("create-directory-at in a file: {}", whether(file.create_directory_at("x")));
    println!("stat-at in a file: {}", whether(file.stat_at(NO_FOLLOW, "x")));
    unlink(root, "file");
    must("remove-directory-at", root.remove_directory_at("folder"));
}

fn offsets(root: &Descriptor) {
    let file = create(root, "file");
    println!("write at 5: {}", shown(file.write(b"world", 5)));
    println!("write at 0: {}", shown(file.write(b"hello", 0)));
    println!("write of nothing: {}", shown(file.write(b"", 100)));
    let read =
        |length, offset| shown(file.read(length, offset).map(|(bytes, end)| (bytes.escape_ascii().to_string(), end)));
    // One that ends where the file does: whether that is the end already, a host may say or not.
    println!("read all: {}", shown(file.read(10, 0).map(|(bytes, _)| bytes.escape_ascii().to_string())));
    println!("read more: {}", whether(file.read(u64::MAX, 3)));
    println!("read a part: {}", read(3, 1));
    println!("read at the end: {}", read(3, 10));
    println!("read beyond the end: {}", read(3, 1 << 40));
    println!("read of nothing: {}", shown(file.read(0, 0).map(|(bytes, _)| bytes.len())));
    println!("read at the last offset: {}", whether(file.read(1, u64::MAX)));
    println!("write at the last offset: {}", whether(file.write(b"x", u64::MAX)));
    for advice in
        [Advice::Normal, Advice::Sequential, Advice::Random, Advice::WillNeed, Advice::DontNeed, Advice::NoReuse]
    {
        println!("{advice:?}: {}", shown(file.advise(0, 10, advice)));
    }
    println!("advise about nothing: {}", shown(file.advise(1 << 40, 0, Advice::Normal)));
    println!("advise about all: {}", whether(file.advise(u64::MAX, u64::MAX, Advice::WillNeed)));
    println!("sync-data: {}", shown(file.sync_data()));
    println!("sync: {}", shown(file.sync()));
    println!("sync of a directory: {}", whether(root.sync()));
    unlink(root, "file");
    println!("read of what has no name any more: {}", read(5, 0));
}

fn sizes_and_times(root: &Descriptor) {
    let file = create(root, "file");
    println!("stat: {}", stat(file.stat()));
    println!("set-size: {}", shown(file.set_size(1000)));
    println!("stat: {}", stat(file.stat()));
    println!("stat-at: {}", stat(root.stat_at(NO_FOLLOW, "file")));
    println!("set-size to the largest: {}", whether(file.set_size(u64::MAX)));
    println!("set-size: {}", shown(file.set_size(10)));
    println!("stat: {}", stat(file.stat()));

    let time = |seconds, nanoseconds| NewTimestamp::Timestamp(Datetime { seconds, nanoseconds });
    let times = |stat: Result<DescriptorStat, ErrorCode>| {
        let stat = must("stat", stat);
        let shown = |time: Option<Datetime>| time.map(|it| (it.seconds, it.nanoseconds));
        format!("{:?} {:?}", shown(stat.data_access_timestamp), shown(stat.data_modification_timestamp))
    };
    println!("set-times: {}", shown(file.set_times(time(1_000_000_000, 5_000_000), time(1_100_000_000, 0))));
    println!("times: {}", times(file.stat()));
    println!("set-times of one: {}", shown(file.set_times(NewTimestamp::NoChange, time(1_200_000_000, 0))));
    println!("times: {}", times(root.stat_at(FOLLOW, "file")));
    let at = root.set_times_at(NO_FOLLOW, "file", time(1, 0), NewTimestamp::NoChange);
    println!("set-times-at: {}", shown(at));
    println!("times: {}", times(file.stat()));
    must("set-times", file.set_times(NewTimestamp::Now, NewTimestamp::Now));
    let now = must("stat", file.stat()).data_modification_timestamp.expect("a time");
    println!("now is after 2020: {}", now.seconds > 1_577_836_800);
    println!("more nanoseconds than a second has: {}", whether(file.set_times(time(1, 2_000_000_000), time(1, 0))));
    println!("a time far away: {}", whether(file.set_times(time(u64::MAX, 0), time(1, 0))));
    let at = root.set_times_at(NO_FOLLOW, "absent", NewTimestamp::Now, NewTimestamp::Now);
    println!("set-times-at of what is not there: {}", whether(at));
    unlink(root, "file");
}

fn identity(root: &Descriptor) {
    let (one, other) = (create(root, "one"), create(root, "other"));
    must("link-at", root.link_at(NO_FOLLOW, "one", root, "link"));
    let again = must("one", root.open_at(NO_FOLLOW, "one", NOTHING, READ));
    let linked = must("link", root.open_at(NO_FOLLOW, "link", NOTHING, READ));
    println!("is-same-object of itself: {}", one.is_same_object(&one));
    println!("of another descriptor: {}", one.is_same_object(&again));
    println!("by a hard link: {}", one.is_same_object(&linked));
    println!("of another file: {}", one.is_same_object(&other));
    println!("of a file and a directory: {}", one.is_same_object(root));
    let hash = |it: &Descriptor| must("metadata-hash", it.metadata_hash()).to_parts();
    let hash_at = |name: &str| must("metadata-hash-at", root.metadata_hash_at(NO_FOLLOW, name)).to_parts();
    println!("metadata-hash by two descriptors: {}", hash(&one) == hash(&again));
    println!("by its path: {}", hash(&one) == hash_at("one"));
    println!("by a hard link: {}", hash(&one) == hash_at("link"));
    println!("of another file: {}", hash(&one) == hash(&other));
    println!("of a directory by its path: {}", hash(root) == hash_at("."));
    println!("metadata-hash-at of what is not there: {}", whether(root.metadata_hash_at(NO_FOLLOW, "absent")));
    for name in ["one", "other", "link"] {
        unlink(root, name);
    }
}

/// The two numbers of a hash.
trait Parts {
    fn to_parts(self) -> (u64, u64);
}

impl Parts for wasip2::filesystem::types::MetadataHashValue {
    fn to_parts(self) -> (u64, u64) {
        (self.lower, self.upper)
    }
}

fn appends(root: &Descriptor) {
    let file = create(root, "file");
    let (one, two) = (must("append", file.append_via_stream()), must("append", file.append_via_stream()));
    let put = |stream: &wasip2::io::streams::OutputStream, bytes: &[u8]| -> Result<(), StreamError> {
        stream.blocking_write_and_flush(bytes)
    };
    println!("append: {}", shown(put(&one, b"1")));
    println!("append by another: {}", shown(put(&two, b"2")));
    println!("write at the start: {}", shown(file.write(b"_", 0)));
    println!("append: {}", shown(put(&one, b"3")));
    println!("set-size: {}", shown(file.set_size(1)));
    println!("append: {}", shown(put(&two, b"4")));
    println!("it has: {}", shown(file.read(100, 0).map(|(bytes, _)| bytes.escape_ascii().to_string())));
    unlink(root, "file");
}

fn listing(folder: &Descriptor) -> Vec<(&'static str, String)> {
    let entries = must("read-directory", folder.read_directory());
    let mut all = Vec::new();
    while let Some(entry) = must("read-directory-entry", entries.read_directory_entry()) {
        all.push((kind(entry.type_), entry.name));
    }
    println!("after the end: {}", shown(entries.read_directory_entry().map(|entry| entry.is_some())));
    all.sort_by(|one, other| one.1.cmp(&other.1));
    all
}

fn directories(root: &Descriptor) {
    let make = |name: &str| println!("create {name}: {}", shown(root.create_directory_at(name)));
    make("a");
    make("a");
    make("a/b/");
    make("absent/b");
    make("");
    create(root, "a/file");
    must("symlink-at", root.symlink_at("file", "a/pointer"));
    let a = must("a", root.open_at(NO_FOLLOW, "a", DIRECTORY, READ | MUTATE));
    println!("in a: {:?}", listing(&a));
    let (one, two) = (must("read", a.read_directory()), must("read", a.read_directory()));
    let mut counts = (0, 0);
    while must("entry", one.read_directory_entry()).is_some() {
        counts.0 += 1;
        counts.1 += usize::from(must("entry", two.read_directory_entry()).is_some());
    }
    println!("two at once: {counts:?}");
    let b = must("b", a.open_at(NO_FOLLOW, "b", DIRECTORY, READ));
    println!("in b: {:?}", listing(&b));

    println!("remove what has something in it: {}", shown(root.remove_directory_at("a")));
    println!("remove a file as a directory: {}", shown(root.remove_directory_at("a/file")));
    println!("remove a link as a directory: {}", shown(root.remove_directory_at("a/pointer")));
    println!("remove what is not there: {}", shown(root.remove_directory_at("absent")));
    println!("remove itself: {}", whether(a.remove_directory_at(".")));
    println!("unlink a directory: {}", whether(root.unlink_file_at("a/b")));
    println!("unlink what is not there: {}", shown(root.unlink_file_at("absent")));
    println!("unlink with a slash: {}", shown(root.unlink_file_at("a/file/")));
    unlink(&a, "file");
    unlink(&a, "pointer");
    println!("remove: {}", shown(a.remove_directory_at("b")));
    println!("in what was removed: {}", whether(b.create_directory_at("c")));
    println!("remove with a slash: {}", shown(root.remove_directory_at("a/")));
    let _ = root.remove_directory_at("a");
}

fn links(root: &Descriptor) {
    let file = create(root, "file");
    must("write", file.write(b"contents", 0));
    must("create-directory-at", root.create_directory_at("folder"));
    let folder = must("folder", root.open_at(NO_FOLLOW, "folder", DIRECTORY, READ | MUTATE));
    println!("symlink: {}", shown(root.symlink_at("file", "pointer")));
    println!("symlink where something is: {}", shown(root.symlink_at("file", "pointer")));
    println!("symlink to nothing: {}", shown(root.symlink_at("", "empty")));
    println!("readlink: {}", shown(root.readlink_at("pointer")));
    println!("readlink of a file: {}", shown(root.readlink_at("file")));
    println!("readlink of what is not there: {}", shown(root.readlink_at("absent")));
    println!("open of a link: {}", whether(root.open_at(NO_FOLLOW, "pointer", NOTHING, READ)));
    println!("open through a link: {}", whether(root.open_at(FOLLOW, "pointer", NOTHING, READ)));
    println!(
        "created where a link is: {}",
        whether(root.open_at(FOLLOW, "pointer", CREATE | OpenFlags::EXCLUSIVE, WRITE))
    );
    println!("stat of a link: {}", kind(must("stat-at", root.stat_at(NO_FOLLOW, "pointer")).type_));
    println!("stat through a link: {}", stat(root.stat_at(FOLLOW, "pointer")));
    must("symlink-at", root.symlink_at("there", "here"));
    must("symlink-at", root.symlink_at("here", "there"));
    println!("open of a circle: {}", whether(root.open_at(FOLLOW, "here", NOTHING, READ)));
    println!("stat of a circle: {}", whether(root.stat_at(FOLLOW, "here")));
    let through = must("stat-at", root.stat_at(FOLLOW, "pointer"));
    let times = root.set_times_at(
        FOLLOW,
        "pointer",
        NewTimestamp::NoChange,
        NewTimestamp::Timestamp(Datetime { seconds: 1, nanoseconds: 0 }),
    );
    println!("set-times through a link: {}", shown(times));
    let after = must("stat", file.stat());
    println!(
        "it changed the file: {}",
        after.data_modification_timestamp.map(|it| it.seconds) == Some(1) && through.size == 8
    );

    println!("link: {}", shown(root.link_at(NO_FOLLOW, "file", &folder, "linked")));
    println!("link where something is: {}", shown(root.link_at(NO_FOLLOW, "file", &folder, "linked")));
    println!("link of a directory: {}", whether(root.link_at(NO_FOLLOW, "folder", root, "other")));
    println!("link of what is not there: {}", shown(root.link_at(NO_FOLLOW, "absent", root, "other")));
    println!("link of a link: {}", shown(root.link_at(NO_FOLLOW, "pointer", root, "second")));
    println!("it is one: {}", shown(root.readlink_at("second")));
    println!("stat: {}", stat(file.stat()));

    println!("rename: {}", shown(root.rename_at("file", &folder, "renamed")));
    println!("rename over a file: {}", shown(folder.rename_at("linked", &folder, "renamed")));
    println!("rename over a directory: {}", shown(folder.rename_at("renamed", root, "folder")));
    println!("rename of a directory over a file: {}", shown(root.rename_at("folder", root, "pointer")));
    println!("rename into itself: {}", whether(root.rename_at("folder", &folder, "within")));
    println!("rename of what is not there: {}", shown(root.rename_at("absent", root, "other")));
    println!("in folder: {:?}", listing(&folder));
    for name in ["pointer", "second", "here", "there"] {
        unlink(root, name);
    }
    for (_, name) in listing(&folder) {
        unlink(&folder, &name);
    }
    must("remove", root.remove_directory_at("folder"));
}

/// Ways out, each of which is one refusal.
fn escapes(root: &Descriptor) {
    must("create-directory-at", root.create_directory_at("inner"));
    let inner = must("inner", root.open_at(NO_FOLLOW, "inner", DIRECTORY, READ | MUTATE));
    for path in ["..", "../inner", "/", "/etc/passwd", "a/../../..", "./..//.."] {
        println!("open {path}: {}", whether(inner.open_at(FOLLOW, path, NOTHING, READ)));
        println!("stat {path}: {}", whether(inner.stat_at(FOLLOW, path)));
        println!("hash {path}: {}", whether(inner.metadata_hash_at(FOLLOW, path)));
        println!("create {path}/x: {}", whether(inner.create_directory_at(&format!("{path}/x"))));
        println!("rename to {path}/x: {}", whether(root.rename_at("inner", &inner, &format!("{path}/x"))));
    }
    println!("symlink to what is absolute: {}", whether(inner.symlink_at("/etc/passwd", "absolute")));
    println!("symlink to what is above: {}", whether(inner.symlink_at("..", "above")));
    println!("open through it: {}", whether(inner.open_at(FOLLOW, "above", NOTHING, READ)));
    println!("and on: {}", whether(inner.open_at(NO_FOLLOW, "above/inner", NOTHING, READ)));
    println!("link through it: {}", whether(inner.link_at(NO_FOLLOW, "above/inner", &inner, "x")));
    for name in ["absolute", "above"] {
        let _ = inner.unlink_file_at(name);
    }
    must("remove-directory-at", root.remove_directory_at("inner"));
}

/// None of it changes anything.
fn read_only(root: &Descriptor) {
    println!("root: {}", flags(must("get-flags", root.get_flags())));
    let open = |name: &str, how, access| whether(root.open_at(NO_FOLLOW, name, how, access));
    println!("open to read: {}", open("file", NOTHING, READ));
    println!("open to write: {}", open("file", NOTHING, READ | WRITE));
    println!("open to create: {}", open("new", CREATE, READ));
    println!("open to create and write: {}", open("new", CREATE, READ | WRITE));
    println!("open to truncate: {}", open("file", OpenFlags::TRUNCATE, READ));
    println!("open to change: {}", open("folder", DIRECTORY, READ | MUTATE));
    println!("create-directory-at: {}", shown(root.create_directory_at("new")));
    println!("unlink-file-at: {}", shown(root.unlink_file_at("file")));
    println!("remove-directory-at: {}", shown(root.remove_directory_at("folder")));
    println!("rename-at: {}", shown(root.rename_at("file", root, "new")));
    println!("link-at: {}", shown(root.link_at(NO_FOLLOW, "file", root, "new")));
    println!("symlink-at: {}", shown(root.symlink_at("file", "new")));
    let now = NewTimestamp::Now;
    println!("set-times-at: {}", shown(root.set_times_at(NO_FOLLOW, "file", now, now)));
    println!("set-times of the root: {}", shown(root.set_times(now, now)));
    let file = must("file", root.open_at(NO_FOLLOW, "file", NOTHING, READ));
    println!("set-times: {}", shown(file.set_times(now, now)));
    println!("set-size: {}", shown(file.set_size(0)));
    println!("write: {}", shown(file.write(b"x", 0)));
    println!("write-via-stream: {}", whether(file.write_via_stream(0)));
    println!("append-via-stream: {}", whether(file.append_via_stream()));
    println!("read: {}", whether(file.read(1, 0)));
    println!("in the root: {:?}", listing(root));
}
