//! Names: long, odd, and such as are no text. Bytes to Preview 1; to the others a string, where a byte that is no text is a
//! character of its own.

use super::{How, NewTime, Scenario, Stage, escaped, scenario};

const GROUP: &str = "names";

pub const SCENARIOS: &[Scenario] = &[
    scenario(GROUP, "names that the host gave", |stage| given(stage, stage.root())),
    scenario(GROUP, "names that the host gave, to be read", |stage| given(stage, stage.read_only())),
    scenario(GROUP, "names that are made here", made),
    scenario(GROUP, "names of all lengths", lengths),
    scenario(GROUP, "paths of all lengths", path_lengths),
    scenario(GROUP, "names with a zero byte", zeroes),
    scenario(GROUP, "names that look alike", alike),
];

/// All of these the host has made in `names`.
const ODD: [&[u8]; 10] = [
    b" blank ",
    b"new\nline",
    b"\x1b[31mred",
    b"back\\slash",
    b"...",
    "gr\u{fc}n".as_bytes(),
    b"latin \xfc",
    b"\xff\xfe",
    b"cut \xe2\x82",
    // The character that stands for a byte: as itself it is written by its own three.
    "\u{effc}\u{ef80}".as_bytes(),
];

fn given(stage: &Stage<'_>, dir: super::Dir) {
    let names = stage.inside(dir, b"names", "names:");
    stage.list(names);
    let mut listed = Vec::new();
    let answer = stage.wasi.list(names.fd, &mut |name, _| listed.push(name.to_owned()));
    stage.done("list", answer);
    listed.sort();
    for name in listed {
        stage.stat_at(names, &name, false);
        stage.show(names, &name);
        stage.try_open(names, &name, How { exclusive: true, ..How::CREATE });
        stage.try_open(names, &[b"absent/", &name[..]].concat(), How::READ);
        stage.readlink(names, &name);
    }
    stage.wasi.close(names.fd);
}

fn made(stage: &Stage<'_>) {
    let root = stage.root();
    stage.create_directory(root, b"new");
    let names = stage.inside(root, b"new", "new:");
    for name in ODD {
        stage.try_open(names, name, How { exclusive: true, ..How::CREATE });
        stage.link(names, name, names, &[name, b" linked"].concat());
        stage.rename(names, name, names, &[name, b" renamed"].concat());
        stage.create_directory(names, name);
        stage.symlink(name, names, &[name, b"/link"].concat());
        stage.readlink(names, &[name, b"/link"].concat());
        stage.set_times_at(names, name, false, NewTime::At(1), NewTime::At(2));
    }
    stage.list(names);
    for name in ODD {
        stage.unlink_file(names, &[name, b"/link"].concat());
        stage.remove_directory(names, name);
        stage.unlink_file(names, &[name, b" linked"].concat());
        stage.unlink_file(names, &[name, b" renamed"].concat());
    }
    stage.list(names);
    stage.wasi.close(names.fd);
    stage.remove_directory(root, b"new");
}

/// A name is as long as its bytes on the host, also where each is three in a string.
fn lengths(stage: &Stage<'_>) {
    let root = stage.root();
    for byte in [b'n', b'\xff'] {
        for bytes in [1, 2, 254, 255, 256, 300, 1000, 5000] {
            let name = vec![byte; bytes];
            stage.try_open(root, &name, How::CREATE);
            stage.stat_at(root, &name, false);
            stage.unlink_file(root, &name);
            stage.create_directory(root, &name);
            stage.remove_directory(root, &name);
            stage.symlink(b"file", root, &name);
            stage.readlink(root, &name);
            stage.unlink_file(root, &name);
        }
    }
}

fn path_lengths(stage: &Stage<'_>) {
    let root = stage.root();
    for bytes in [4000, 4094, 4095, 4096, 4097, 10_000] {
        let mut path = b"./".repeat(bytes / 2);
        path.truncate(bytes - 4);
        path.extend_from_slice(if bytes % 2 == 0 { b"file" } else { b"/new" });
        stage.stat_at(root, &path, false);
        stage.try_open(root, &path, How::READ);
        let mut slashes = b"directory".to_vec();
        slashes.resize(bytes, b'/');
        stage.stat_at(root, &slashes, false);
        stage.try_open(root, &slashes, How::DIRECTORY);
    }
}

fn zeroes(stage: &Stage<'_>) {
    let root = stage.root();
    for path in [&b"\0"[..], b"file\0", b"\0file", b"fi\0le", b"directory/\0", b"\0/..", b"/\0", b"file/\0"] {
        stage.try_open(root, path, How::READ);
        stage.try_open(root, path, How::CREATE);
        stage.stat_at(root, path, false);
        stage.create_directory(root, path);
        stage.remove_directory(root, path);
        stage.unlink_file(root, path);
        stage.rename(root, path, root, b"new");
        stage.rename(root, b"file", root, path);
        stage.link(root, b"file", root, path);
        stage.symlink(b"file", root, path);
        stage.symlink(path, root, b"new");
        stage.readlink(root, path);
        stage.set_times_at(root, path, true, NewTime::Now, NewTime::Now);
    }
}

/// No two of these are the same file.
fn alike(stage: &Stage<'_>) {
    let root = stage.root();
    let names: [&[u8]; 6] =
        [b"n\xfc", "n\u{fc}".as_bytes(), "nu\u{308}".as_bytes(), "n\u{effc}".as_bytes(), b"n", b"N"];
    for name in names {
        stage.write(root, name, name);
    }
    for name in names {
        stage.show(root, name);
    }
    let found = stage.must("list", stage.listed(root.fd));
    for (name, _) in found.iter().filter(|(name, _)| names.contains(&&name[..])) {
        stage.line(escaped(name));
    }
    for name in names {
        stage.unlink_file(root, name);
    }
}
