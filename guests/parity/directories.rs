//! Directories: made, removed, listed, also while they change.

use std::collections::BTreeSet;

use super::{How, Kind, Scenario, Stage, escaped, scenario};

const GROUP: &str = "directories";

pub const SCENARIOS: &[Scenario] = &[
    scenario(GROUP, "make a directory", make),
    scenario(GROUP, "make one where it cannot be", make_elsewhere),
    scenario(GROUP, "remove a directory", remove),
    scenario(GROUP, "remove what is no directory", remove_others),
    scenario(GROUP, "remove a file", unlink),
    scenario(GROUP, "list what there is", list),
    scenario(GROUP, "list a directory that is empty", list_empty),
    scenario(GROUP, "list a directory that is large", list_large),
    scenario(GROUP, "list twice", list_twice),
    scenario(GROUP, "remove while listing", list_and_remove),
    scenario(GROUP, "add after listing", list_and_add),
    scenario(GROUP, "list what is no directory", list_others),
    scenario(GROUP, "a directory that has been removed", removed),
    scenario(GROUP, "a directory in a directory in a directory", deep),
    scenario(GROUP, "stat", stat),
];

/// Paths that name nothing that could be made.
const NO_NAMES: [&[u8]; 14] = [
    b"",
    b".",
    b"..",
    b"/",
    b"/new",
    b"./",
    b"../new",
    b"up/new",
    b"absolute/new",
    b"absent/new",
    b"file/new",
    b"circle/new",
    b"n\0",
    b"directory/../..",
];

fn make(stage: &Stage<'_>) {
    let root = stage.root();
    for path in [&b"new"[..], b"new", b"new/a", b"new/a/", b"new/b/", b"new/../new/c", b"new//d", b"to-directory/new"] {
        stage.create_directory(root, path);
    }
    stage.stat_at(root, b"new/a", false);
    stage.list(stage.inside(root, b"new", "new:"));
    for path in [&b"new/a"[..], b"new/b/", b"new/c", b"new/d", b"new", b"directory/new"] {
        stage.remove_directory(root, path);
    }
}

fn make_elsewhere(stage: &Stage<'_>) {
    let root = stage.root();
    for path in NO_NAMES {
        stage.create_directory(root, path);
    }
    for path in [&b"file"[..], b"file/", b"directory", b"to-file", b"to-directory", b"to-directory/", b"dangling"] {
        stage.create_directory(root, path);
    }
    stage.create_directory(root, b"dangling/");
    stage.stat_at(root, b"nothing", false);
    for bytes in [255, 256] {
        stage.create_directory(root, &vec![b'n'; bytes]);
        stage.remove_directory(root, &vec![b'n'; bytes]);
    }
}

fn remove(stage: &Stage<'_>) {
    let root = stage.root();
    stage.create_directory(root, b"new");
    stage.create_directory(root, b"new/inner");
    stage.remove_directory(root, b"new");
    stage.remove_directory(root, b"new/inner");
    stage.remove_directory(root, b"new/inner");
    stage.write(root, b"new/file", b"x");
    stage.remove_directory(root, b"new/");
    stage.unlink_file(root, b"new/file");
    stage.remove_directory(root, b"new/");
    stage.stat_at(root, b"new", false);
}

fn remove_others(stage: &Stage<'_>) {
    let root = stage.root();
    for path in NO_NAMES {
        stage.remove_directory(root, path);
    }
    for path in
        [&b"file"[..], b"file/", b"to-file", b"to-directory", b"to-directory/", b"dangling", b"fifo", b"directory/.."]
    {
        stage.remove_directory(root, path);
    }
    stage.remove_directory(root, b"directory/.");
}

fn unlink(stage: &Stage<'_>) {
    let root = stage.root();
    for path in NO_NAMES {
        stage.unlink_file(root, path);
    }
    for path in [&b"directory"[..], b"directory/", b"empty", b"file/", b"to-file/", b"to-directory/", b"dangling/"] {
        stage.unlink_file(root, path);
    }
    stage.write(root, b"new", b"x");
    stage.symlink(b"file", root, b"second");
    stage.symlink(b"nothing", root, b"third");
    for path in [&b"new"[..], b"new", b"second", b"third"] {
        stage.unlink_file(root, path);
    }
    stage.show(root, b"file");
}

fn list(stage: &Stage<'_>) {
    let root = stage.root();
    stage.list(root);
    stage.list(stage.read_only());
    stage.list(stage.inside(root, b"directory", "directory:"));
}

fn list_empty(stage: &Stage<'_>) {
    stage.list(stage.inside(stage.root(), b"empty", "empty:"));
}

/// More than any host's buffer for a listing.
fn list_large(stage: &Stage<'_>) {
    let root = stage.root();
    stage.create_directory(root, b"new");
    let large = stage.inside(root, b"new", "large:");
    let name = |index: usize| format!("{index:0>220}").into_bytes();
    for index in 0..400 {
        stage.write(large, &name(index), b"");
    }
    let listed = stage.must("list", stage.listed(large.fd));
    let all = listed.iter().enumerate().all(|(index, entry)| *entry == (name(index), Kind::RegularFile));
    stage.line(format_args!("{} entries, all of them right: {all}", listed.len()));
    for index in 0..400 {
        stage.clear(large, &name(index));
    }
    stage.list(large);
    stage.wasi.close(large.fd);
    stage.remove_directory(root, b"new");
}

fn list_twice(stage: &Stage<'_>) {
    let root = stage.root();
    let directory = stage.inside(root, b"directory", "directory:");
    stage.list(directory);
    stage.list(directory);
    // A listing in another is one of its own.
    let mut pairs = 0;
    let outer = stage.wasi.list(directory.fd, &mut |_, _| {
        let again = stage.inside(root, b"directory", "directory:");
        let inner = stage.wasi.list(again.fd, &mut |_, _| pairs += 1);
        stage.done("list within", inner);
        stage.wasi.close(again.fd);
    });
    stage.done("list", outer);
    stage.line(format_args!("{pairs} pairs"));
}

pub fn list_and_remove(stage: &Stage<'_>) {
    let root = stage.root();
    stage.create_directory(root, b"new");
    let changing = stage.inside(root, b"new", "changing:");
    for index in 0..200 {
        stage.write(changing, format!("entry-{index:03}").as_bytes(), b"");
    }
    let mut seen = BTreeSet::new();
    let listed = stage.wasi.list(changing.fd, &mut |name, _| {
        seen.insert(name.to_owned());
        stage.clear(changing, name);
    });
    stage.done("list", listed);
    stage.line(format_args!("{} entries seen", seen.len()));
    stage.list(changing);
    stage.wasi.close(changing.fd);
    stage.remove_directory(root, b"new");
}

pub fn list_and_add(stage: &Stage<'_>) {
    let root = stage.root();
    stage.create_directory(root, b"new");
    let growing = stage.inside(root, b"new", "growing:");
    for name in [&b"b"[..], b"a", b"c"] {
        stage.write(growing, name, b"");
        stage.list(growing);
    }
    stage.rename(growing, b"a", growing, b"d");
    stage.list(growing);
    for name in [&b"b"[..], b"c", b"d"] {
        stage.clear(growing, name);
    }
    stage.list(growing);
    stage.remove_directory(root, b"new");
}

fn list_others(stage: &Stage<'_>) {
    let root = stage.root();
    for how in [How::READ, How::WRITE, How::BOTH] {
        let file = stage.must("file", stage.wasi.open(root.fd, b"file", how));
        stage.done(format_args!("list a file{how}"), stage.listed(file).map(drop));
        stage.wasi.close(file);
    }
    let plain = stage.must("directory", stage.wasi.open(root.fd, b"directory", How::READ));
    stage.tell("list a directory not opened as one", stage.listed(plain), |entries| format!("{}", entries.len()));
    stage.wasi.close(plain);
}

fn removed(stage: &Stage<'_>) {
    let root = stage.root();
    stage.create_directory(root, b"new");
    let gone = stage.inside(root, b"new", "gone:");
    stage.remove_directory(root, b"new");
    stage.list(gone);
    stage.create_directory(gone, b"inner");
    stage.try_open(gone, b"file", How::CREATE);
    stage.try_open(gone, b".", How::DIRECTORY);
    stage.try_open(gone, b"..", How::DIRECTORY);
    stage.stat_at(gone, b".", false);
    stage.rename(root, b"file", gone, b"file");
    stage.symlink(b"file", gone, b"link");
    stage.unlink_file(gone, b"file");
    stage.wasi.close(gone.fd);
}

fn deep(stage: &Stage<'_>) {
    let root = stage.root();
    let mut path = Vec::new();
    for depth in 0..40 {
        path.extend_from_slice(if depth == 0 { b"new" } else { b"/d" });
        if depth % 10 == 0 {
            stage.create_directory(root, &path);
        } else {
            stage.must("create-directory", stage.wasi.create_directory(root.fd, &path));
        }
    }
    stage.write(root, &[&path[..], b"/file"].concat(), b"deep");
    stage.show(root, &[&path[..], b"/file"].concat());
    let up = [&path[..], &b"/..".repeat(40)].concat();
    stage.stat_at(root, &[&up[..], b"/file"].concat(), false);
    stage.stat_at(root, &[&up[..], b"/.."].concat(), false);
    stage.clear(root, &[&path[..], b"/file"].concat());
    while let Some(slash) = path.iter().rposition(|byte| *byte == b'/') {
        stage.must(escaped(&path), stage.wasi.remove_directory(root.fd, &path));
        path.truncate(slash);
    }
    stage.remove_directory(root, &path);
}

fn stat(stage: &Stage<'_>) {
    let root = stage.root();
    for path in NO_NAMES {
        stage.stat_at(root, path, false);
        stage.stat_at(root, path, true);
    }
    for path in [
        &b"file"[..],
        b"file/",
        b"directory",
        b"directory/",
        b"directory/inside",
        b"to-file",
        b"to-file/",
        b"to-directory",
        b"to-directory/",
        b"to-directory/inside",
        b"to-link",
        b"dangling",
        b"dangling/",
        b"circle",
        b"out",
        b"up",
        b"up/",
        b"absolute",
        b"fifo",
        b"socket",
        b"absent",
    ] {
        stage.stat_at(root, path, false);
        stage.stat_at(root, path, true);
    }
    stage.stat(root.fd);
}
