//! A directory that was handed over to be read: every change is refused, in the same words, whichever side of an operation
//! it is on, and whether or not it would have come to anything.

use super::{Advice, How, NewTime, Scenario, Stage, scenario};

const GROUP: &str = "read-only";

pub const SCENARIOS: &[Scenario] = &[
    scenario(GROUP, "open in a directory to be read", opens),
    scenario(GROUP, "change what is in it", changes),
    scenario(GROUP, "rename between the two", renames),
    scenario(GROUP, "link between the two", links),
    scenario(GROUP, "change a file in it", file),
    scenario(GROUP, "change a directory in it", directory),
    scenario(GROUP, "read what is in it", reads),
];

/// Some that are there, some that are not, some that could never be.
const PATHS: [&[u8]; 18] = [
    b"file",
    b"absent",
    b"directory",
    b"directory/inside",
    b"directory/",
    b"absent/new",
    b"to-file",
    b"to-directory",
    b"dangling",
    b"up",
    b"up/outside/secret",
    b"absolute",
    b".",
    b"..",
    b"/new",
    b"",
    b"n\0",
    b"../rw/new",
];

fn opens(stage: &Stage<'_>) {
    let dir = stage.read_only();
    for path in PATHS {
        for follow in [false, true] {
            for how in [
                How::READ,
                How::WRITE,
                How::BOTH,
                How::CREATE,
                How::EMPTY,
                How::DIRECTORY,
                How { truncate: true, ..How::READ },
                How { create: true, ..How::READ },
                How { create: true, exclusive: true, ..How::READ },
                How { directory: true, ..How::CREATE },
                How { append: true, ..How::WRITE },
            ] {
                stage.try_open(dir, path, How { follow, ..how });
            }
        }
    }
}

fn changes(stage: &Stage<'_>) {
    let dir = stage.read_only();
    for path in PATHS {
        stage.create_directory(dir, path);
        stage.remove_directory(dir, path);
        stage.unlink_file(dir, path);
        stage.symlink(b"file", dir, path);
        stage.symlink(b"/absolute", dir, path);
        for time in [NewTime::Keep, NewTime::Now, NewTime::At(1)] {
            stage.set_times_at(dir, path, false, time, time);
            stage.set_times_at(dir, path, true, time, time);
        }
    }
}

fn renames(stage: &Stage<'_>) {
    let (dir, root) = (stage.read_only(), stage.root());
    for path in PATHS {
        stage.rename(dir, path, dir, b"new");
        stage.rename(dir, b"file", dir, path);
        stage.rename(dir, path, root, b"new");
        stage.rename(root, b"file", dir, path);
        stage.rename(root, path, dir, b"new");
        stage.rename(dir, b"file", root, path);
    }
    // Not into oneself either, which changes nothing.
    stage.rename(dir, b"file", dir, b"file");
}

fn links(stage: &Stage<'_>) {
    let (dir, root) = (stage.read_only(), stage.root());
    for path in PATHS {
        stage.link(dir, path, dir, b"new");
        stage.link(dir, b"file", dir, path);
        // What has a name where it may be changed can be changed by that name.
        stage.link(dir, path, root, b"new");
        stage.link(root, b"file", dir, path);
        stage.link(root, path, dir, b"new");
        stage.link(dir, b"file", root, path);
    }
}

fn file(stage: &Stage<'_>) {
    let dir = stage.read_only();
    let file = stage.must("file", stage.wasi.open(dir.fd, b"file", How::READ));
    stage.access(file);
    stage.write_at(file, 0, b"x");
    stage.write_at(file, 0, b"");
    stage.write_from(file, 0, b"x");
    stage.set_size(file, 0);
    stage.set_size(file, 8);
    for time in [NewTime::Keep, NewTime::Now, NewTime::At(1)] {
        stage.set_times(file, time, time);
    }
    stage.done("sync", stage.wasi.sync(file, false));
    stage.done("sync-data", stage.wasi.sync(file, true));
    stage.done("advise", stage.wasi.advise(file, 0, 0, Advice::DontNeed));
    stage.read_at(file, 0, 20);
    stage.wasi.close(file);
}

fn directory(stage: &Stage<'_>) {
    let inner = stage.inside(stage.read_only(), b"directory", "ro-directory:");
    stage.access(inner.fd);
    stage.try_open(inner, b"new", How::CREATE);
    stage.try_open(inner, b"inside", How::WRITE);
    stage.create_directory(inner, b"new");
    stage.unlink_file(inner, b"inside");
    stage.rename(inner, b"inside", inner, b"new");
    stage.rename(inner, b"inside", stage.root(), b"new");
    stage.link(stage.root(), b"file", inner, b"new");
    stage.symlink(b"inside", inner, b"new");
    stage.set_times(inner.fd, NewTime::Now, NewTime::Now);
    stage.set_times_at(inner, b"inside", false, NewTime::Now, NewTime::Now);
    stage.done("sync", stage.wasi.sync(inner.fd, false));
    stage.list(inner);
    stage.wasi.close(inner.fd);
    // The directory itself.
    stage.set_times(stage.read_only().fd, NewTime::Now, NewTime::Now);
}

fn reads(stage: &Stage<'_>) {
    let dir = stage.read_only();
    for path in PATHS {
        stage.stat_at(dir, path, false);
        stage.stat_at(dir, path, true);
        stage.readlink(dir, path);
        stage.show(dir, path);
    }
    stage.list(dir);
}
