//! Renames, hard links and symbolic links.

use super::{How, Scenario, Stage, scenario};

const GROUP: &str = "links";

pub const SCENARIOS: &[Scenario] = &[
    scenario(GROUP, "rename a file", rename),
    scenario(GROUP, "rename over something", rename_over),
    scenario(GROUP, "rename a directory", rename_directory),
    scenario(GROUP, "rename with slashes", rename_slashes),
    scenario(GROUP, "rename a link", rename_link),
    scenario(GROUP, "rename what cannot be", rename_others),
    scenario(GROUP, "rename what is open", rename_open),
    scenario(GROUP, "link a file", link),
    scenario(GROUP, "link what cannot be", link_others),
    scenario(GROUP, "link with slashes", link_slashes),
    scenario(GROUP, "the same file under two names", same),
    scenario(GROUP, "make symbolic links", symlink),
    scenario(GROUP, "make symbolic links where they cannot be", symlink_others),
    scenario(GROUP, "follow symbolic links", follow),
    scenario(GROUP, "follow many symbolic links", chain),
    scenario(GROUP, "read symbolic links", readlink),
];

/// Names that are no place for anything, or lead out.
const NO_PLACES: [&[u8]; 13] = [
    b"",
    b".",
    b"..",
    b"/",
    b"/new",
    b"../new",
    b"up/new",
    b"absolute/new",
    b"absent/new",
    b"file/new",
    b"circle/new",
    b"n\0",
    b"directory/../../new",
];

fn rename(stage: &Stage<'_>) {
    let root = stage.root();
    let directory = stage.inside(root, b"directory", "directory:");
    stage.write(root, b"new", b"renamed");
    stage.rename(root, b"new", root, b"second");
    stage.show(root, b"new");
    stage.show(root, b"second");
    stage.rename(root, b"second", root, b"second");
    stage.rename(root, b"second", directory, b"new");
    stage.show(directory, b"new");
    stage.rename(directory, b"new", root, b"directory/third");
    stage.rename(root, b"to-directory/third", root, b"new");
    stage.show(root, b"new");
    stage.unlink_file(root, b"new");
}

fn rename_over(stage: &Stage<'_>) {
    let root = stage.root();
    stage.write(root, b"one", b"one");
    stage.write(root, b"two", b"two");
    stage.rename(root, b"one", root, b"two");
    stage.show(root, b"two");
    stage.stat_at(root, b"one", false);
    for directory in [&b"empty"[..], b"directory"] {
        stage.rename(root, b"two", root, directory);
        stage.rename(root, directory, root, b"two");
    }
    stage.create_directory(root, b"new");
    stage.rename(root, b"new", root, b"empty");
    stage.stat_at(root, b"new", false);
    stage.create_directory(root, b"new");
    stage.rename(root, b"new", root, b"directory");
    stage.rename(root, b"directory", root, b"new");
    stage.list(stage.inside(root, b"new", "new:"));
    stage.rename(root, b"new", root, b"directory");
    stage.rename(root, b"two", root, b"to-file");
    stage.stat_at(root, b"to-file", false);
    stage.show(root, b"file");
    stage.unlink_file(root, b"to-file");
    stage.symlink(b"file", root, b"to-file");
}

fn rename_directory(stage: &Stage<'_>) {
    let root = stage.root();
    stage.create_directory(root, b"new");
    stage.create_directory(root, b"new/inner");
    stage.rename(root, b"new", root, b"new/inner/new");
    stage.rename(root, b"new", root, b"new/inner");
    stage.rename(root, b"new/inner", root, b"new");
    stage.rename(root, b"new", root, b"new");
    stage.rename(root, b"new", root, b"empty/moved");
    stage.list(stage.inside(root, b"empty", "empty:"));
    stage.rename(root, b"empty/moved/inner", root, b"inner");
    stage.remove_directory(root, b"empty/moved");
    stage.remove_directory(root, b"inner");
}

fn rename_slashes(stage: &Stage<'_>) {
    let root = stage.root();
    stage.write(root, b"new", b"x");
    stage.rename(root, b"new/", root, b"second");
    stage.rename(root, b"new", root, b"second/");
    stage.rename(root, b"new/", root, b"second/");
    stage.rename(root, b"to-directory/", root, b"second");
    stage.rename(root, b"absent/", root, b"second");
    stage.rename(root, b"empty/", root, b"second");
    stage.rename(root, b"second", root, b"empty/");
    stage.rename(root, b"empty/", root, b"second//");
    stage.rename(root, b"second/", root, b"to-file/");
    stage.rename(root, b"second/", root, b"dangling/");
    stage.rename(root, b"second", root, b"empty");
    stage.unlink_file(root, b"new");
}

fn rename_link(stage: &Stage<'_>) {
    let root = stage.root();
    for link in [&b"to-file"[..], b"to-directory", b"dangling", b"circle", b"out", b"up", b"absolute"] {
        stage.rename(root, link, root, b"new");
        stage.stat_at(root, b"new", false);
        stage.rename(root, b"new", root, link);
    }
    stage.rename(root, b"file", root, b"dangling");
    stage.stat_at(root, b"dangling", false);
    stage.rename(root, b"dangling", root, b"file");
    stage.symlink(b"nothing", root, b"dangling");
}

fn rename_others(stage: &Stage<'_>) {
    let root = stage.root();
    for path in NO_PLACES {
        stage.rename(root, path, root, b"new");
        stage.rename(root, b"file", root, path);
    }
    stage.rename(root, b"absent", root, b"new");
    stage.rename(root, b"absent", root, b"absent/new");
    stage.rename(root, b"file", root, &[b'n'; 256]);
    stage.rename(root, b"file", root, &[b'n'; 255]);
    stage.rename(root, &[b'n'; 255], root, b"file");
    stage.rename(root, b"directory/..", root, b"new");
    stage.rename(root, b"file", root, b"directory/.");
}

fn rename_open(stage: &Stage<'_>) {
    let root = stage.root();
    let file = stage.file(root, b"one", b"one");
    let over = stage.file(root, b"two", b"two");
    stage.rename(root, b"one", root, b"two");
    stage.read_at(file, 0, 10);
    stage.read_at(over, 0, 10);
    stage.stat(file);
    stage.stat(over);
    stage.write_at(over, 0, b"lost");
    stage.show(root, b"two");
    stage.wasi.close(file);
    stage.wasi.close(over);
    stage.create_directory(root, b"new");
    let moved = stage.inside(root, b"new", "moved:");
    stage.rename(root, b"new", root, b"empty/new");
    stage.write(moved, b"file", b"x");
    stage.show(root, b"empty/new/file");
    stage.try_open(moved, b"..", How::DIRECTORY);
    stage.unlink_file(moved, b"file");
    stage.remove_directory(root, b"empty/new");
    stage.unlink_file(root, b"two");
}

fn link(stage: &Stage<'_>) {
    let root = stage.root();
    let directory = stage.inside(root, b"directory", "directory:");
    stage.write(root, b"new", b"linked");
    stage.link(root, b"new", root, b"second");
    stage.link(root, b"new", directory, b"third");
    stage.link(root, b"to-directory/third", root, b"fourth");
    stage.stat_at(root, b"new", false);
    stage.write(root, b"second", b"changed");
    stage.show(directory, b"third");
    for path in [&b"new"[..], b"second", b"directory/third"] {
        stage.unlink_file(root, path);
        stage.stat_at(root, b"fourth", false);
    }
    stage.unlink_file(root, b"fourth");
}

fn link_others(stage: &Stage<'_>) {
    let root = stage.root();
    for path in NO_PLACES {
        stage.link(root, path, root, b"new");
        stage.link(root, b"file", root, path);
    }
    stage.link(root, b"absent", root, b"new");
    stage.link(root, b"directory", root, b"new");
    stage.link(root, b"file", root, b"file");
    stage.link(root, b"file", root, b"directory");
    stage.link(root, b"file", root, b"to-file");
    stage.link(root, b"file", root, b"dangling");
    stage.link(root, b"file", root, &[b'n'; 256]);
    for link in [&b"to-file"[..], b"to-directory", b"dangling", b"circle", b"out"] {
        stage.link(root, link, root, b"new");
        stage.stat_at(root, b"new", false);
        stage.clear(root, b"new");
    }
    // The standards have it, and no host can do it without letting the link be swapped meanwhile.
    for path in [&b"file"[..], b"to-file", b"dangling", b"absent", b"../new"] {
        let answer = stage.wasi.link(root.fd, true, path, root.fd, b"new");
        stage.done(format_args!("link {} followed", path.escape_ascii()), answer);
    }
}

fn link_slashes(stage: &Stage<'_>) {
    let root = stage.root();
    stage.link(root, b"file/", root, b"new");
    stage.link(root, b"directory/", root, b"new");
    stage.link(root, b"to-file/", root, b"new");
    stage.link(root, b"absent/", root, b"new");
    stage.link(root, b"file", root, b"new/");
    stage.link(root, b"file", root, b"file/");
    stage.link(root, b"file", root, b"directory/");
    stage.link(root, b"file", root, b"to-directory/");
    stage.stat_at(root, b"new", false);
}

fn same(stage: &Stage<'_>) {
    let root = stage.root();
    stage.write(root, b"new", b"x");
    stage.link(root, b"new", root, b"second");
    stage.write(root, b"third", b"x");
    let identity = |path: &[u8], follow| stage.wasi.stat_at(root.fd, path, follow).map(|stat| stat.identity);
    let file = stage.must("new", stage.wasi.open(root.fd, b"new", How::READ));
    let opened = stage.wasi.stat(file).map(|stat| stat.identity);
    for (path, follow) in [
        (&b"new"[..], false),
        (b"second", false),
        (b"third", false),
        (b"./new", false),
        (b"to-file", false),
        (b"to-file", true),
        (b"file", true),
        (b"directory", false),
        (b"to-directory", true),
        (b"directory/", false),
    ] {
        let what = format!("{} followed {follow}", path.escape_ascii());
        stage.line(format_args!("{what} is `new`: {}", identity(path, follow) == opened));
        stage.line(format_args!("{what} is `to-file`: {}", identity(path, follow) == identity(b"to-file", true)));
        let directory = identity(b"directory", false);
        stage.line(format_args!("{what} is `directory`: {}", identity(path, follow) == directory));
    }
    stage.line(format_args!("all on one device: {}", identity(b".", false).map(|it| it.1) == opened.map(|it| it.1)));
    stage.wasi.close(file);
    for path in [&b"new"[..], b"second", b"third"] {
        stage.unlink_file(root, path);
    }
}

fn symlink(stage: &Stage<'_>) {
    let root = stage.root();
    let long = [b'n'; 4095];
    for contents in [
        &b"file"[..],
        b"nothing",
        b".",
        b"..",
        b"../outside/secret",
        b"directory/",
        b"directory//inside",
        b"",
        b"/",
        b"/absolute",
        b"n\0",
        b"latin \xfc",
        "gr\u{fc}n".as_bytes(),
        &long[..300],
        &long,
        &[b'n'; 4096],
    ] {
        stage.symlink(contents, root, b"new");
        stage.stat_at(root, b"new", false);
        stage.readlink(root, b"new");
        stage.clear(root, b"new");
    }
}

fn symlink_others(stage: &Stage<'_>) {
    let root = stage.root();
    for path in NO_PLACES {
        stage.symlink(b"file", root, path);
    }
    for path in [&b"file"[..], b"directory", b"to-file", b"dangling", b"new/", b"file/", b"directory/", b"dangling/"] {
        stage.symlink(b"file", root, path);
    }
    stage.symlink(b"file", root, &[b'n'; 255]);
    stage.readlink(root, &[b'n'; 255]);
    stage.unlink_file(root, &[b'n'; 255]);
    stage.symlink(b"file", root, &[b'n'; 256]);
    // Which of two reasons is given.
    stage.symlink(b"/absolute", root, b"file");
    stage.symlink(b"/absolute", root, b"../new");
    stage.symlink(b"", root, b"file");
}

fn follow(stage: &Stage<'_>) {
    let root = stage.root();
    stage.create_directory(root, b"new");
    for (contents, path) in [
        (&b"../file"[..], &b"new/up-to-file"[..]),
        (b"../directory", b"new/up-to-directory"),
        (b"../../outside/secret", b"new/out"),
        (b"../new/../file", b"new/around"),
        (b"up-to-directory/inside", b"new/through"),
    ] {
        stage.symlink(contents, root, path);
        stage.stat_at(root, path, true);
        stage.try_open(root, path, How { follow: true, ..How::READ });
    }
    let new = stage.inside(root, b"new", "new:");
    // From here what is above is outside.
    for path in [&b"up-to-file"[..], b"up-to-directory/inside", b"around", b"through", b"out"] {
        stage.stat_at(new, path, true);
        stage.try_open(new, path, How { follow: true, ..How::READ });
        stage.clear(new, path);
    }
    stage.clear(new, b"up-to-directory");
    stage.wasi.close(new.fd);
    stage.remove_directory(root, b"new");
}

/// As many as a kernel follows, and one more.
fn chain(stage: &Stage<'_>) {
    let root = stage.root();
    let name = |index: usize| format!("chain-{index}").into_bytes();
    for index in 0..42 {
        let contents = if index == 0 { b"file".to_vec() } else { name(index - 1) };
        stage.must("symlink", stage.wasi.symlink(&contents, root.fd, &name(index)));
    }
    for index in [0, 1, 38, 39, 40, 41] {
        stage.stat_at(root, &name(index), true);
        stage.try_open(root, &name(index), How { follow: true, ..How::READ });
    }
    for index in 0..42 {
        stage.clear(root, &name(index));
    }
}

fn readlink(stage: &Stage<'_>) {
    let root = stage.root();
    for path in NO_PLACES {
        stage.readlink(root, path);
    }
    for path in [
        &b"to-file"[..],
        b"to-directory",
        b"to-link",
        b"dangling",
        b"circle",
        b"out",
        b"up",
        // The others say that what leads to an absolute path is not told.
        b"absolute",
        b"file",
        b"directory",
        b"fifo",
        b"absent",
        b"to-file/",
        b"to-directory/",
        b"dangling/",
        b"file/",
        b"directory/",
        b"to-directory/inside",
        b"directory/../to-file",
    ] {
        stage.readlink(root, path);
    }
}
