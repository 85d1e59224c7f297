//! `path_open`, `open-at`: every combination of create, exclusive, truncate, directory and follow, to read, to write and for
//! both, on whatever a path can lead to.

use super::{How, Scenario, Stage, scenario};

const GROUP: &str = "opens";

pub const SCENARIOS: &[Scenario] = &[
    scenario(GROUP, "open a file", |stage| all(stage, b"file")),
    scenario(GROUP, "open what is not there", |stage| all(stage, b"new")),
    scenario(GROUP, "open a directory", |stage| all(stage, b"directory")),
    scenario(GROUP, "open in a directory", |stage| all(stage, b"directory/new")),
    scenario(GROUP, "open in what is not there", |stage| all(stage, b"absent/new")),
    scenario(GROUP, "open in a file", |stage| all(stage, b"file/new")),
    scenario(GROUP, "open a link to a file", |stage| all(stage, b"to-file")),
    scenario(GROUP, "open a link to a directory", |stage| all(stage, b"to-directory")),
    scenario(GROUP, "open through a link to a directory", |stage| all(stage, b"to-directory/new")),
    scenario(GROUP, "open a link to a link", |stage| all(stage, b"to-link")),
    scenario(GROUP, "open a link to nothing", |stage| all(stage, b"dangling")),
    scenario(GROUP, "open a link to itself", |stage| all(stage, b"circle")),
    scenario(GROUP, "open a link out to a file", |stage| all(stage, b"out")),
    scenario(GROUP, "open a link out to a directory", |stage| all(stage, b"up")),
    scenario(GROUP, "open through a link out", |stage| all(stage, b"up/outside/secret")),
    scenario(GROUP, "open an absolute link", |stage| all(stage, b"absolute")),
    scenario(GROUP, "open a dot", |stage| all(stage, b".")),
    scenario(GROUP, "open the parent", |stage| all(stage, b"..")),
    scenario(GROUP, "open out by dots", |stage| all(stage, b"directory/../../outside/secret")),
    scenario(GROUP, "open by dots", |stage| all(stage, b"directory/.././file")),
    scenario(GROUP, "open an absolute path", |stage| all(stage, b"/rw/file")),
    scenario(GROUP, "open no name", |stage| all(stage, b"")),
    scenario(GROUP, "open a slash", |stage| all(stage, b"/")),
    scenario(GROUP, "open a file with a slash", |stage| all(stage, b"file/")),
    scenario(GROUP, "open a directory with a slash", |stage| all(stage, b"directory/")),
    scenario(GROUP, "open what is not there with a slash", |stage| all(stage, b"new/")),
    scenario(GROUP, "open a link to a file with a slash", |stage| all(stage, b"to-file/")),
    scenario(GROUP, "open a link to a directory with a slash", |stage| all(stage, b"to-directory/")),
    scenario(GROUP, "open a link to nothing with a slash", |stage| all(stage, b"dangling/")),
    scenario(GROUP, "open with slashes in between", |stage| all(stage, b"directory//inside")),
    scenario(GROUP, "open a name with a zero byte", |stage| all(stage, b"fi\0le")),
    scenario(GROUP, "open a name of 255 bytes", |stage| all(stage, &[b'n'; 255])),
    scenario(GROUP, "open a name of 256 bytes", |stage| all(stage, &[b'n'; 256])),
    scenario(GROUP, "open a path of 4095 bytes", |stage| all(stage, &b"./".repeat(2048)[..4095])),
    scenario(GROUP, "open a path of 4096 bytes", |stage| all(stage, &b"./".repeat(2048))),
    scenario(GROUP, "open a name that is no text", |stage| all(stage, b"latin \xfc")),
    scenario(GROUP, "open a FIFO", |stage| all(stage, b"fifo")),
    scenario(GROUP, "open a socket", |stage| all(stage, b"socket")),
    scenario(GROUP, "open from a file", from_a_file),
    scenario(GROUP, "what is open may be used for", accesses),
];

/// All 96 ways to open. What each changes is put right before the next.
fn all(stage: &Stage<'_>, path: &[u8]) {
    let root = stage.root();
    for bits in 0_u8..32 {
        let [create, exclusive, truncate, directory, follow] =
            std::array::from_fn(|place| bits.to_le() & (16 >> place) != 0);
        for (read, write) in [(true, false), (false, true), (true, true)] {
            let how = How { create, exclusive, truncate, directory, follow, read, write, append: false };
            stage.try_open(root, path, how);
            put_right(stage, path);
        }
    }
}

fn put_right(stage: &Stage<'_>, path: &[u8]) {
    let root = stage.root();
    if stage.wasi.stat_at(root.fd, b"file", false).map(|stat| stat.size) != Ok(8) {
        stage.write(root, b"file", b"contents");
    }
    for made in [&b"new"[..], b"nothing", b"directory/new", b"latin \xfc"] {
        stage.clear(root, made);
    }
    if path.len() > 200 {
        stage.clear(root, path);
    }
}

/// A file is no place to open from, whatever is asked for.
fn from_a_file(stage: &Stage<'_>) {
    let root = stage.root();
    let fd = stage.must("file", stage.wasi.open(root.fd, b"file", How::BOTH));
    let file = super::Dir { fd, name: "file:" };
    for path in [&b"new"[..], b".", b"..", b"", b"/", b"a/b"] {
        stage.try_open(file, path, How::READ);
        stage.try_open(file, path, How::EMPTY);
        stage.try_open(file, path, How::DIRECTORY);
        stage.stat_at(file, path, true);
        stage.create_directory(file, path);
        stage.remove_directory(file, path);
        stage.unlink_file(file, path);
        stage.readlink(file, path);
        stage.symlink(b"contents", file, path);
        stage.rename(file, path, root, b"new");
        stage.rename(root, b"directory", file, path);
        stage.link(file, path, root, b"new");
        stage.link(root, b"file", file, path);
        stage.set_times_at(file, path, false, super::NewTime::Now, super::NewTime::Keep);
    }
    stage.list(file);
    stage.wasi.close(fd);
}

fn accesses(stage: &Stage<'_>) {
    let root = stage.root();
    stage.access(root.fd);
    stage.access(stage.read_only().fd);
    let ways = [How::READ, How::WRITE, How::BOTH, How { truncate: true, ..How::WRITE }];
    for (dir, path, how) in ways
        .map(|how| (root, &b"file"[..], how))
        .into_iter()
        .chain([(root, &b"directory"[..], How::DIRECTORY), (stage.read_only(), b"directory", How::DIRECTORY)])
        .chain([(stage.read_only(), &b"file"[..], How::READ)])
    {
        if let Some(fd) = stage.open(dir, path, how) {
            stage.access(fd);
            stage.wasi.close(fd);
        }
    }
    put_right(stage, b"");
}
