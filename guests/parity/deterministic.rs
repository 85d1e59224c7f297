//! What differs from run to run, and must not where a run is to be the same every time.

use super::{Clock, How, Scenario, Stage, Wait, escaped, scenario};

const GROUP: &str = "deterministic";

pub const SCENARIOS: &[Scenario] = &[
    scenario(GROUP, "the order of a directory", order),
    scenario(GROUP, "remove while listing", super::directories::list_and_remove),
    scenario(GROUP, "add after listing", super::directories::list_and_add),
    scenario(GROUP, "numbers of files", identities),
    scenario(GROUP, "clocks and times", clocks),
    scenario(GROUP, "random bytes", random),
];

fn order(stage: &Stage<'_>) {
    let root = stage.root();
    for name in [&b"c"[..], b"a", b"b", b"\xff", b"B"] {
        stage.write(root, &[b"empty/", name].concat(), b"");
    }
    for path in [&b"."[..], b"names", b"empty"] {
        let dir = stage.inside(root, path, "");
        let answer = stage.wasi.list(dir.fd, &mut |name, kind| stage.line(format_args!("  {} {kind}", escaped(name))));
        stage.done(format_args!("list {}", escaped(path)), answer);
        stage.wasi.close(dir.fd);
    }
}

/// Files are told apart by numbers of the guest's own. Which these are is nobody's business, and so each is shown as the
/// place at which it was met first.
fn identities(stage: &Stage<'_>) {
    let root = stage.root();
    let mut met = Vec::new();
    let directory = stage.inside(root, b"directory", "");
    let file = stage.must("file", stage.wasi.open(root.fd, b"file", How::READ));
    let opened = [("directory", stage.wasi.stat(directory.fd)), ("file", stage.wasi.stat(file))];
    let paths = ["file", "to-file", "directory", "directory/inside", "directory/..", ".", "names", "empty", "file"];
    let paths = paths
        .iter()
        .flat_map(|path| [false, true].map(|follow| (*path, stage.wasi.stat_at(root.fd, path.as_bytes(), follow))));
    for (path, stat) in opened.into_iter().chain(paths) {
        let identity = stage.must(path, stat).identity;
        let place = met.iter().position(|known| *known == identity).unwrap_or_else(|| {
            met.push(identity);
            met.len() - 1
        });
        stage.line(format_args!("{path} is number {place}"));
    }
    stage.wasi.close(file);
    stage.wasi.close(directory.fd);
}

fn clocks(stage: &Stage<'_>) {
    for _ in 0..3 {
        let (wall, monotonic) = (stage.wasi.now(Clock::Realtime), stage.wasi.now(Clock::Monotonic));
        stage.line(format_args!("wall clock {wall}, monotonic clock {monotonic}"));
        stage.line(format_args!("sleep: {:?}", stage.wasi.poll(&[Wait::For(1_234_567)])));
    }
    let root = stage.root();
    for path in [&b"file"[..], b"times/known", b"times/far", b"."] {
        let answer = stage.wasi.stat_at(root.fd, path, false);
        stage.tell(escaped(path), answer, |stat| format!("{} {}", stat.accessed, stat.modified));
    }
}

fn random(stage: &Stage<'_>) {
    for bytes in [0, 1, 7, 64, 100] {
        stage.line(format_args!("{bytes}: {:02x?}", stage.wasi.random(bytes)));
    }
}
