//! As many descriptors as a program may have, and what it is told then.

use super::{How, Scenario, Stage, scenario};

pub const SCENARIOS: &[Scenario] = &[scenario("limits", "open as many as possible", descriptors)];

/// How many there are before is not the same: Preview 1 counts the standard streams.
fn descriptors(stage: &Stage<'_>) {
    let root = stage.root();
    for how in [How::READ, How::DIRECTORY] {
        let path = if how.directory { &b"directory"[..] } else { b"file" };
        let mut open = Vec::new();
        let word = loop {
            match stage.wasi.open(root.fd, path, how) {
                Ok(fd) if open.len() < 10_000 => open.push(fd),
                Ok(_) => break "there is no end",
                Err(word) => break word,
            }
        };
        stage.line(format_args!("after some: {}, {word}", open.len() > 1));
        let closed = open.pop();
        closed.into_iter().for_each(|fd| stage.wasi.close(fd));
        stage.try_open(root, path, how);
        let again = stage.open(root, path, how);
        stage.try_open(root, b"new", How::CREATE);
        stage.stat_at(root, b"new", false);
        stage.try_open(root, b"file", How { truncate: true, ..How::WRITE });
        open.into_iter().chain(again).for_each(|fd| stage.wasi.close(fd));
    }
    stage.show(root, b"file");
}
