//! Times of files: set, kept, set to now; before 1970, and far from it.

use super::{Clock, How, NewTime, Scenario, Stage, Time, scenario};

const GROUP: &str = "times";
/// The same scenarios where clocks stand still, or show coarse steps.
const COARSE: &str = "times-coarse";
const FROZEN: &str = "times-frozen";

pub const SCENARIOS: &[Scenario] = &[
    scenario(GROUP, "times that the host gave", given),
    scenario(GROUP, "set times", set),
    scenario(GROUP, "set times to now", now),
    scenario(GROUP, "set times through links", links),
    scenario(GROUP, "set times of what cannot be", others),
    scenario(GROUP, "what else changes times", changes),
    scenario(COARSE, "times that the host gave", given),
    scenario(COARSE, "set times", set),
    scenario(COARSE, "set times to now", now),
    scenario(FROZEN, "times that the host gave", given),
    scenario(FROZEN, "set times", set),
    scenario(FROZEN, "set times to now", now),
];

const SECOND: Time = 1_000_000_000;

/// Whether a time is about now: the kernel's own clock for files lags by some milliseconds.
fn about_now(stage: &Stage<'_>, time: Time) -> bool {
    stage.wasi.now(Clock::Realtime).abs_diff(time) < 30 * SECOND
}

fn times(stage: &Stage<'_>, dir: super::Dir, path: &[u8], follow: bool) {
    let shown = |time: Time| if about_now(stage, time) { "now".to_owned() } else { time.to_string() };
    let answer = stage.wasi.stat_at(dir.fd, path, follow);
    let what = format!("times of {}{}", dir.name, path.escape_ascii());
    stage.tell(what, answer, |stat| format!("{} {}", shown(stat.accessed), shown(stat.modified)));
}

fn given(stage: &Stage<'_>) {
    for dir in [stage.root(), stage.read_only()] {
        for name in [&b"times/old"[..], b"times/oldest", b"times/known", b"times/far"] {
            times(stage, dir, name, false);
        }
    }
}

fn set(stage: &Stage<'_>) {
    let root = stage.root();
    let file = stage.file(root, b"new", b"x");
    let all = [
        NewTime::At(0),
        NewTime::At(1),
        NewTime::At(999_999_999),
        NewTime::At(SECOND),
        NewTime::At(1_500_000_000 * SECOND + 123_456_789),
        NewTime::At(4_000_000_000 * SECOND + 5),
        // Beyond what some file systems count.
        NewTime::At(16_000_000_000 * SECOND + 5),
        NewTime::At(u64::MAX),
        NewTime::Keep,
    ];
    for (accessed, modified) in all.into_iter().zip(all.into_iter().rev()) {
        stage.set_times(file, accessed, modified);
        times(stage, root, b"new", false);
        stage.set_times_at(root, b"new", false, modified, accessed);
        times(stage, root, b"new", false);
    }
    stage.wasi.close(file);
    stage.clear(root, b"new");
    stage.create_directory(root, b"new");
    stage.set_times_at(root, b"new", false, NewTime::At(SECOND), NewTime::At(2 * SECOND));
    times(stage, root, b"new", false);
    let directory = stage.inside(root, b"new", "new:");
    stage.set_times(directory.fd, NewTime::Keep, NewTime::At(3 * SECOND + 1));
    times(stage, directory, b".", false);
    stage.set_times_at(root, b"new/", false, NewTime::At(4), NewTime::Keep);
    times(stage, root, b"new/", false);
    stage.remove_directory(root, b"new");
}

fn now(stage: &Stage<'_>) {
    let root = stage.root();
    let file = stage.file(root, b"new", b"x");
    for (accessed, modified) in [
        (NewTime::Now, NewTime::Keep),
        (NewTime::At(7), NewTime::Now),
        (NewTime::Keep, NewTime::At(9)),
        (NewTime::Now, NewTime::Now),
    ] {
        stage.set_times(file, NewTime::At(SECOND), NewTime::At(SECOND));
        stage.set_times(file, accessed, modified);
        times(stage, root, b"new", false);
    }
    stage.wasi.close(file);
    stage.clear(root, b"new");
}

fn links(stage: &Stage<'_>) {
    let root = stage.root();
    stage.write(root, b"new", b"x");
    stage.symlink(b"new", root, b"second");
    let at = NewTime::At;
    stage.set_times_at(root, b"second", false, at(SECOND), at(SECOND));
    stage.set_times_at(root, b"second", true, at(2 * SECOND), at(2 * SECOND));
    times(stage, root, b"new", false);
    times(stage, root, b"second", false);
    times(stage, root, b"second", true);
    for path in [&b"dangling"[..], b"circle", b"out", b"up", b"absolute", b"to-directory/"] {
        stage.set_times_at(root, path, true, at(3 * SECOND), at(3 * SECOND));
        stage.set_times_at(root, path, false, at(4 * SECOND), at(4 * SECOND));
        times(stage, root, path, false);
    }
    stage.clear(root, b"new");
    stage.clear(root, b"second");
}

fn others(stage: &Stage<'_>) {
    let root = stage.root();
    for path in [&b""[..], b"..", b"/", b"/new", b"../new", b"up/outside", b"absent", b"file/", b"file/new", b"n\0"] {
        stage.set_times_at(root, path, false, NewTime::At(1), NewTime::At(1));
        stage.set_times_at(root, path, true, NewTime::Now, NewTime::Now);
        stage.set_times_at(root, path, true, NewTime::Keep, NewTime::Keep);
    }
    for how in [How::READ, How::WRITE] {
        let file = stage.must("file", stage.wasi.open(root.fd, b"file", how));
        stage.set_times(file, NewTime::At(1), NewTime::At(1));
        stage.wasi.close(file);
    }
    times(stage, root, b"file", false);
}

/// From times long ago.
fn changes(stage: &Stage<'_>) {
    let root = stage.root();
    let long_ago = |path: &[u8]| stage.set_times_at(root, path, false, NewTime::At(SECOND), NewTime::At(SECOND));
    let file = stage.file(root, b"new", b"x");
    long_ago(b"new");
    stage.write_at(file, 0, b"y");
    times(stage, root, b"new", false);
    long_ago(b"new");
    stage.set_size(file, 0);
    times(stage, root, b"new", false);
    long_ago(b"new");
    stage.rename(root, b"new", root, b"empty/new");
    times(stage, root, b"empty/new", false);
    times(stage, root, b"empty", false);
    long_ago(b"empty");
    stage.unlink_file(root, b"empty/new");
    times(stage, root, b"empty", false);
    stage.wasi.close(file);
}
