//! Published advisories of WASI hosts that are about files, each by its name.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use crate::climber::mountain;
use crate::harness::tree::{Entry, picture, picture_without};
use crate::harness::wat::data;
use crate::harness::{Folder, Ran, granted, run, turnkey};
use crate::special_files::{CREAT, DIRECTORY, FD_READ, FD_WRITE, FOLLOW, TRUNC, open_in, open_without};
use crate::system_calls::Openat2;

const SUCCESS: i32 = 0;
const ROFS: i32 = 69;
const BADF: i32 = 8;

/// Paths that end in a slash, or in what means the same, and lead out in a host that looks at them too late.
pub(crate) const OUT: [&str; 14] = [
    "link/",
    "link//",
    "link/.",
    "linkdir/",
    "linkdir//",
    "linkdir/.",
    "linkdir/./",
    "linkdir/..",
    "relative/",
    "chain/",
    "dangling/",
    "../",
    "a/../../",
    "/",
];

#[test]
fn ghsa_vqjp_4c8c_hfgg_a_trailing_slash_leads_nobody_out() {
    let folder = mountain();
    let before = picture_without(folder.root(), "inside");
    for openat2 in Openat2::ANY {
        for path in OUT {
            for (oflags, rights) in
                [(0, FD_READ), (DIRECTORY, FD_READ), (CREAT, FD_WRITE), (CREAT | DIRECTORY, FD_READ)]
            {
                let inside = folder.path("inside");
                let (errno, read) = open_without(openat2, &inside, "--dir", path.as_bytes(), FOLLOW, oflags, rights);
                assert!(errno != SUCCESS && read.is_empty(), "{openat2:?} {path} {oflags}: {errno}");
            }
        }
    }
    assert!(picture_without(folder.root(), "inside") == before);
}

/// A guest that makes one call with two paths, each in one of two directories, and ends with its errno.
fn two_paths(folder: &Folder, call: &str, old: (u32, &str), new: (u32, &str)) -> PathBuf {
    let lookup = if call == "path_link" { "(i32.const 0)" } else { "" };
    let fields = data(4096, old.1.as_bytes()) + &data(8192, new.1.as_bytes());
    let body = format!(
        "(call $must (call ${call} (i32.const {}) {lookup} (i32.const 4096) (i32.const {}) (i32.const {}) (i32.const 8192) (i32.const {})))",
        old.0,
        old.1.len(),
        new.0,
        new.1.len()
    );
    folder.command(&fields, &body)
}

#[test]
fn ghsa_m9f7_9w4p_gv38_renaming_links_with_a_trailing_slash_leads_nobody_out() {
    let apps = Folder::new();
    for openat2 in Openat2::ANY {
        for path in OUT {
            for (old, new) in [(path, "taken"), ("a/", path), ("file", path), ("a", path)] {
                let folder = mountain();
                let before = picture_without(folder.root(), "inside");
                let mut command: Command = turnkey();
                command.args(["run", "--dir"]).arg(granted(&folder.path("inside"), "/d"));
                command.arg(two_paths(&apps, "path_rename", (3, old), (3, new)));
                let errno = run(openat2.for_command(&mut command)).status();
                assert!(picture_without(folder.root(), "inside") == before, "{openat2:?} {old} to {new}: {errno}");
                assert!(!folder.path("inside/taken").exists(), "{openat2:?} {old} to {new}: {errno}");
            }
        }
    }
}

/// A directory to write (3), one to read only (4), and everything in both.
pub(crate) fn two_grants() -> (Folder, BTreeMap<PathBuf, Entry>) {
    let folder = Folder::new();
    for side in ["rw", "ro"] {
        folder.file(format!("{side}/file"), "what it was");
        folder.folder(format!("{side}/folder"));
    }
    let before = picture(folder.root());
    (folder, before)
}

fn with_two_grants(folder: &Folder, app: PathBuf) -> Ran {
    let mut command = turnkey();
    command.args(["run", "--dir"]).arg(granted(&folder.path("rw"), "/rw"));
    run(command.arg("--ro-dir").arg(granted(&folder.path("ro"), "/ro")).arg(app))
}

#[test]
fn ghsa_4ch3_9j33_3pmj_links_and_renames_ask_for_the_right_to_write_on_both_sides() {
    let apps = Folder::new();
    let (rw, ro) = (3, 4);
    for (call, old, new) in [
        ("path_link", (rw, "file"), (ro, "new")),
        ("path_link", (ro, "file"), (rw, "new")),
        ("path_link", (ro, "file"), (ro, "new")),
        ("path_rename", (rw, "file"), (ro, "new")),
        ("path_rename", (rw, "file"), (ro, "file")),
        ("path_rename", (rw, "folder"), (ro, "folder")),
        ("path_rename", (ro, "file"), (rw, "new")),
        ("path_rename", (ro, "file"), (rw, "file")),
        ("path_rename", (ro, "folder"), (rw, "folder")),
        ("path_rename", (ro, "file"), (ro, "new")),
    ] {
        let (folder, before) = two_grants();
        let ran = with_two_grants(&folder, two_paths(&apps, call, old, new));
        assert_eq!(ran.status(), ROFS, "{call} {old:?} {new:?}");
        assert!(picture(folder.root()) == before, "{call} {old:?} {new:?}");
    }
    let (folder, _) = two_grants();
    assert_eq!(with_two_grants(&folder, two_paths(&apps, "path_link", (rw, "file"), (rw, "new"))).status(), SUCCESS);
}

#[test]
fn ghsa_2r75_cxrj_cmph_nothing_that_is_for_reading_is_emptied_by_opening_it() {
    let folder = Folder::new();
    let file = folder.file("file", "what it was");
    let before = picture(folder.root());
    for rights in [0, FD_READ, FD_WRITE, FD_READ | FD_WRITE, u64::MAX >> 1] {
        for oflags in [TRUNC, TRUNC | CREAT] {
            for lookup in [0, FOLLOW] {
                let (errno, _) = open_in(folder.root(), "--ro-dir", b"file", lookup, oflags, rights);
                assert_eq!(errno, ROFS, "{oflags} {rights:#x}");
            }
        }
    }
    assert!(picture(folder.root()) == before);
    assert_eq!(open_in(folder.root(), "--dir", b"file", 0, TRUNC, FD_READ).0, SUCCESS);
    assert_eq!(fs::read(file).unwrap(), b"", "where it may be written, it is emptied");
}

const DIRENT_BYTES: usize = 24;

#[test]
fn ghsa_96f6_r43r_8c24_a_listing_has_no_bytes_of_the_host_in_it() {
    const BUFFER: usize = 4096;
    let folder = Folder::new();
    for length in [1, 2, 3, 7, 8, 100] {
        folder.file("n".repeat(length), "");
    }
    let apps = Folder::new();
    let app = apps.command(
        "",
        &format!(
            "(memory.fill (i32.const 1024) (i32.const 0xaa) (i32.const {BUFFER}))
             (call $must (call $fd_readdir (i32.const 3) (i32.const 1024) (i32.const {BUFFER}) (i64.const 0) (i32.const 32)))
             (call $must (call $put (i32.const 1) (i32.const 32) (i32.const 4)))
             (call $must (call $put (i32.const 1) (i32.const 1024) (i32.const {BUFFER})))"
        ),
    );
    for flags in [&[][..], &["--deterministic"]] {
        let mut command = turnkey();
        command.arg("run").args(flags).arg("--dir").arg(granted(folder.root(), "/d"));
        let ran = run(command.arg(&app));
        assert_eq!(ran.status(), 0, "{ran:?}");
        let (used, buffer) = ran.stdout.split_first_chunk::<4>().unwrap();
        let (mut listed, untouched) = buffer.split_at(u32::from_le_bytes(*used) as usize);
        assert!(untouched.iter().all(|&byte| byte == 0xaa), "written beyond what was used");
        let mut entries = 0;
        while let Some((header, rest)) = listed.split_first_chunk::<DIRENT_BYTES>() {
            assert_eq!(header[21..], [0, 0, 0], "padding is nothing");
            let length = u32::from_le_bytes(header[16..20].try_into().unwrap()) as usize;
            listed = &rest[length..];
            entries += 1;
        }
        assert_eq!((entries, listed.len()), (8, 0), "six files, `.` and `..`");
    }
}

#[test]
fn ghsa_mr2v_56j5_cmfc_a_time_before_1970_is_no_panic() {
    let folder = Folder::new();
    let file = folder.file("file", "");
    let apps = Folder::new();
    let stat = apps.command(
        &data(4096, b"file"),
        "(call $must (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 4096) (i32.const 4) (i32.const 1024)))
         (call $must (call $put (i32.const 1) (i32.const 1072) (i32.const 8)))",
    );
    for before in [1, 1_000_000_000, 2_000_000_000_000_000_000, 9_000_000_000_000_000_000].map(Duration::from_nanos) {
        fs::File::options().write(true).open(&file).unwrap().set_modified(UNIX_EPOCH - before).unwrap();
        for flags in [&[][..], &["--clock-resolution", "1s"], &["--clock", "frozen"], &["--deterministic"]] {
            let mut command = turnkey();
            command.arg("run").args(flags).arg("--dir").arg(granted(folder.root(), "/d"));
            let ran = run(command.arg(&stat));
            assert_eq!((ran.status(), ran.stderr.as_str()), (0, ""), "{before:?}");
            assert_eq!(ran.stdout, [0; 8], "the standard counts from 1970, and this is nearest: {before:?}");
        }
    }
}

#[test]
fn ghsa_mr2v_56j5_cmfc_a_time_beyond_all_others_is_no_panic() {
    let folder = Folder::new();
    folder.file("file", "");
    let apps = Folder::new();
    for nanoseconds in [0_i64, 1, i64::MAX, i64::MIN, -1] {
        let set = apps.command(
            &data(4096, b"file"),
            &format!(
                "(call $must (call $path_filestat_set_times (i32.const 3) (i32.const 0) (i32.const 4096) (i32.const 4)
                    (i64.const {nanoseconds}) (i64.const {nanoseconds}) (i32.const 5)))
                 (call $must (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 4096) (i32.const 4) (i32.const 1024)))"
            ),
        );
        let mut command = turnkey();
        let ran = run(command.args(["run", "--dir"]).arg(granted(folder.root(), "/d")).arg(&set));
        assert_eq!((ran.status(), ran.stderr.as_str()), (0, ""), "{nanoseconds}: {ran:?}");
    }
}

#[test]
fn ghsa_fm79_3f68_h2fc_renumbering_is_no_panic_whatever_the_numbers() {
    let folder = Folder::new();
    let renumber = |from: u32, to: u32| {
        let app = folder.command("", &format!("(call $must (call $fd_renumber (i32.const {from}) (i32.const {to})))"));
        let mut command = turnkey();
        command.args(["run", "--tcp-listener", "127.0.0.1:0", "--dir"]).arg(granted(folder.root(), "/d"));
        let ran = run(command.arg(app));
        assert!(!ran.stderr.contains("panicked"), "{ran:?}");
        ran.status()
    };
    for (from, to) in [(5, 3), (3, 5), (99, 99), (u32::MAX, 3), (3, u32::MAX), (u32::MAX, u32::MAX), (1 << 31, 0)] {
        assert_eq!(renumber(from, to), BADF, "{from} to {to}");
    }
    for (from, to) in [(3, 3), (0, 0), (3, 4), (4, 3), (0, 1), (3, 0), (2, 1)] {
        assert_eq!(renumber(from, to), SUCCESS, "{from} to {to}");
    }
}

#[test]
fn ghsa_fm79_3f68_h2fc_a_descriptor_is_whole_where_it_was_put() {
    let folder = Folder::new();
    folder.file("file", "from the file");
    let apps = Folder::new();
    let app = apps.command(
        &data(4096, b"file"),
        "(call $must (call $path_open (i32.const 3) (i32.const 0) (i32.const 4096) (i32.const 4) (i32.const 0)
            (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32)))
         (call $must (call $fd_renumber (i32.load (i32.const 32)) (i32.const 0)))
         (if (i32.ne (call $fd_close (i32.load (i32.const 32))) (i32.const 8)) (then unreachable))
         (call $must (call $get (i32.const 0)))
         (call $must (call $put (i32.const 1) (i32.const 64) (i32.load (i32.const 16))))",
    );
    let mut command = turnkey();
    let ran = run(command.args(["run", "--dir"]).arg(granted(folder.root(), "/d")).arg(app));
    assert_eq!(ran.quiet(), "from the file");
}

#[test]
fn ghsa_3p27_qvp9_27qf_renumbering_leaves_nothing_open() {
    let folder = Folder::new();
    folder.file("file", "");
    let apps = Folder::new();
    let app = apps.command(
        &data(4096, b"file"),
        "(local $i i32)
         (loop $again
            (call $must (call $path_open (i32.const 3) (i32.const 0) (i32.const 4096) (i32.const 4) (i32.const 0)
                (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32)))
            (call $must (call $fd_renumber (i32.load (i32.const 32)) (i32.const 0)))
            (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20000))))",
    );
    // The table of the guest has room for one more than it begins with, and the process for a few dozen.
    let script = "ulimit -n 40; exec \"$0\" run --max-descriptors 5 --max-memory 1MiB --dir \"$1::/d\" \"$2\"";
    let ran = run(crate::harness::shell(script).arg(folder.root()).arg(app));
    assert_eq!(ran.quiet(), "");
}

#[test]
fn cve_2026_47218_forged_native_code_is_not_loaded_wherever_it_comes_from() {
    let folder = Folder::new();
    let app = folder.command("", "");
    let artifact = folder.path("artifact");
    run(turnkey().arg("compile").arg(&app).arg("-o").arg(&artifact)).quiet();
    for name in ["app.wasm", "app.wat", "app.cwasm", "app"] {
        fs::copy(&artifact, folder.path(name)).unwrap();
        assert!(run(turnkey().arg("run").arg(folder.path(name))).refused(126).contains("precompiled"), "{name}");
    }
    let ran = run(turnkey().args(["run", "-"]).stdin(fs::File::open(&artifact).unwrap()));
    ran.refused(126);
}
