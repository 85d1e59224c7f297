//! Published advisories of WASI hosts, each by its name, through Preview 2: those about files and about sockets.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use crate::advisories_of_files::{OUT, two_grants};
use crate::climber::{link_to, mountain};
use crate::component::{app, data};
use crate::harness::tree::{picture, picture_without};
use crate::harness::{Folder, PATIENCE, Ran, granted, guest, run, start, turnkey};
use crate::system_calls::Openat2;

const READ_ONLY: i32 = 33;

/// Runs a component over a directory.
pub(crate) fn on(openat2: Openat2, directory: &Path, flag: &str, app: &Path) -> Ran {
    let mut command: Command = turnkey();
    command.args(["run", "--timeout", "20s"]).arg(flag).arg(granted(directory, "/d")).arg(app);
    run(openat2.for_command(&mut command))
}

/// A call of `open-at` in the first directory, with its result at 16.
pub(crate) fn open_at(path_flags: u32, path: (u32, usize), open_flags: u32, flags: u32) -> String {
    let (at, bytes) = path;
    format!(
        "(call $descriptor.open-at (local.get $root) (i32.const {path_flags}) (i32.const {at}) (i32.const {bytes})
            (i32.const {open_flags}) (i32.const {flags}) (i32.const 16))"
    )
}

const FOLLOW: u32 = 1;
const CREATE: u32 = 1;
pub(crate) const DIRECTORY: u32 = 2;
const EXCLUSIVE: u32 = 4;
pub(crate) const TRUNCATE: u32 = 8;
pub(crate) const READ: u32 = 1;
const WRITE: u32 = 2;
const MUTATE: u32 = 1 << 5;

/// Fields and a body that open what leads out in each way there is: how many attempts were no failure is the status.
pub(crate) fn opens_out() -> (String, String) {
    // Each path at a place of its own.
    let (mut fields, mut body) =
        (String::new(), String::from("(local $root i32) (local $out i32) (local.set $root (call $root))"));
    for (number, path) in OUT.iter().enumerate() {
        let at = 1024 + 64 * number as u32;
        fields += &data(at, path.as_bytes());
        for (open_flags, flags) in [
            (0, READ),
            (DIRECTORY, READ),
            (DIRECTORY, READ | MUTATE),
            (CREATE, READ | WRITE),
            (CREATE | EXCLUSIVE, WRITE),
            (CREATE | DIRECTORY, READ),
            (TRUNCATE, READ | WRITE),
        ] {
            for path_flags in [0, FOLLOW] {
                body += &open_at(path_flags, (at, path.len()), open_flags, flags);
                body += "(local.set $out (i32.add (local.get $out) (i32.eqz (i32.load8_u (i32.const 16)))))";
            }
        }
    }
    body += "(call $end (local.get $out))";
    (fields, body)
}

#[test]
fn ghsa_vqjp_4c8c_hfgg_a_trailing_slash_leads_no_component_out() {
    let apps = Folder::new();
    let (fields, body) = opens_out();
    opens_nothing_outside(&app(&apps, &fields, &body));
}

pub(crate) fn opens_nothing_outside(app: &Path) {
    for openat2 in Openat2::ANY {
        for flag in ["--dir", "--ro-dir"] {
            let folder = mountain();
            let before = picture_without(folder.root(), "inside");
            let ran = on(openat2, &folder.path("inside"), flag, app);
            assert_eq!((ran.status(), ran.stderr.as_str()), (0, ""), "{openat2:?} {flag}: so many were opened");
            assert!(picture_without(folder.root(), "inside") == before, "{openat2:?} {flag}");
        }
    }
}

#[test]
fn ghsa_vqjp_4c8c_hfgg_what_is_named_with_a_trailing_slash_can_be_opened_inside() {
    // The test above is of no use if nothing can be opened so.
    let folder = mountain();
    let body = format!(
        "(local $root i32) (local.set $root (call $root)) {} (call $must (i32.const 16))",
        open_at(0, (1024, 2), DIRECTORY, READ)
    );
    let apps = Folder::new();
    let app = app(&apps, &data(1024, b"a/"), &body);
    on(Openat2::Works, &folder.path("inside"), "--dir", &app).quiet();
}

/// Fields and a body that rename in the first directory.
fn rename(old: &str, new: &str) -> (String, String) {
    let fields = data(1024, old.as_bytes()) + &data(2048, new.as_bytes());
    let body = format!(
        "(local $root i32) (local.set $root (call $root))
         (call $descriptor.rename-at (local.get $root) (i32.const 1024) (i32.const {}) (local.get $root)
            (i32.const 2048) (i32.const {}) (i32.const 16))",
        old.len(),
        new.len()
    );
    (fields, body)
}

#[test]
fn ghsa_m9f7_9w4p_gv38_renaming_links_with_a_trailing_slash_leads_no_component_out() {
    renames_nothing_outside(app);
}

/// What renames in each way that might lead out does not.
pub(crate) fn renames_nothing_outside(app: fn(&Folder, &str, &str) -> PathBuf) {
    let apps = Folder::new();
    for path in OUT {
        for (old, new) in [(path, "taken"), ("a/", path), ("file", path), ("a", path)] {
            let (fields, body) = rename(old, new);
            let app = app(&apps, &fields, &body);
            for openat2 in Openat2::ANY {
                let folder = mountain();
                let before = picture_without(folder.root(), "inside");
                on(openat2, &folder.path("inside"), "--dir", &app).quiet();
                assert!(picture_without(folder.root(), "inside") == before, "{openat2:?} {old} to {new}");
                assert!(!folder.path("inside/taken").exists(), "{openat2:?} {old} to {new}");
            }
        }
    }
}

fn climb(climber: &str, folder: &Folder, flag: &str, openat2: Openat2) -> Ran {
    let mut command: Command = turnkey();
    command.arg("run").arg(flag).arg(granted(&folder.path("inside"), "/d"));
    command.arg(guest(climber)).arg("/d");
    run(openat2.for_command(&mut command))
}

/// Lets it loose: it got nowhere, and nothing around the directory is other than before. Its transcript.
fn climbs_in_vain(climber: &str, folder: &Folder, flag: &str, openat2: Openat2) -> String {
    let before = (picture_without(folder.root(), "inside"), picture(&folder.path("inside")));
    let ran = climb(climber, folder, flag, openat2);
    let transcript = ran.quiet().to_owned();
    assert!(!transcript.contains("ESCAPED"), "{transcript}");
    assert!(transcript.lines().last().unwrap().starts_with("stayed inside, "), "{transcript}");
    assert!(picture_without(folder.root(), "inside") == before.0, "something outside was changed");
    if flag == "--ro-dir" {
        assert!(picture(&folder.path("inside")) == before.1, "something was changed that was for reading only");
    }
    transcript
}

#[test]
fn the_climber_of_components_stays_inside_whoever_resolves_its_paths() {
    stays_inside_whoever_resolves_its_paths("components/p2_climber");
}

pub(crate) fn stays_inside_whoever_resolves_its_paths(climber: &str) {
    for flag in ["--dir", "--ro-dir"] {
        let kernel = climbs_in_vain(climber, &mountain(), flag, Openat2::Works);
        assert!(kernel.lines().count() > 1000, "it tried only {} things", kernel.lines().count());
        assert!(kernel.contains("open-at file: ok\n"), "it reaches its own");
        for openat2 in [Openat2::Missing, Openat2::Refused] {
            let walk = climbs_in_vain(climber, &mountain(), flag, openat2);
            let differs = kernel.lines().zip(walk.lines()).find(|(kernel, walk)| kernel != walk);
            assert!(kernel == walk, "{openat2:?}: {differs:?}");
        }
    }
}

#[test]
fn the_climber_of_components_changes_nothing_of_what_is_for_reading() {
    changes_nothing_of_what_is_for_reading("components/p2_climber");
}

pub(crate) fn changes_nothing_of_what_is_for_reading(climber: &str) {
    let changes = [
        "symlink-at",
        "link-at",
        "rename-at",
        "create-directory-at",
        "remove-directory-at",
        "unlink-file-at",
        "set-times-at",
        "open-at+create",
        "open-at+follow+create",
        "open-at+truncate",
        "open-at+follow+truncate",
    ];
    for line in climbs_in_vain(climber, &mountain(), "--ro-dir", Openat2::Works).lines() {
        assert!(!changes.iter().any(|function| line.starts_with(function)) || !line.ends_with(": ok"), "{line}");
    }
}

#[test]
fn links_to_directories_by_relative_paths_lead_no_component_out_either() {
    links_by_relative_paths_lead_nowhere("components/p2_climber");
}

pub(crate) fn links_by_relative_paths_lead_nowhere(climber: &str) {
    let folder = mountain();
    link_to(&folder, "linkdir", "../elsewhere");
    climbs_in_vain(climber, &folder, "--dir", Openat2::Works);
}

/// Has a component try all of these, in a directory to write (`$rw`) and in one to read (`$ro`), each with its result at
/// 16: the code of each, in the same order.
fn codes(folder: &Folder, calls: &[String]) -> Vec<u8> {
    let apps = Folder::new();
    let (names, body) = tries(calls);
    let print = format!(
        "(call $output-stream.blocking-write-and-flush (call $stdout.get-stdout) (i32.const 8192) (i32.const {}) (i32.const 16))",
        calls.len()
    );
    codes_of(folder, &app(&apps, &names, &(body + &print)))
}

/// What a component has printed that was given both directories.
pub(crate) fn codes_of(folder: &Folder, app: &Path) -> Vec<u8> {
    let mut command = turnkey();
    command.args(["run", "--dir"]).arg(granted(&folder.path("rw"), "/rw"));
    command.arg("--ro-dir").arg(granted(&folder.path("ro"), "/ro")).arg(app);
    let ran = run(&mut command);
    assert_eq!((ran.status(), ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout
}

/// Fields and a body that try all of these: the code of each lies from 8192 on, 255 where there was none.
pub(crate) fn tries(calls: &[String]) -> (String, String) {
    let mut body = String::from(
        "(local $rw i32) (local $ro i32) (local $file i32)
         (call $preopens.get-directories (i32.const 16))
         (local.set $rw (i32.load (i32.load (i32.const 16))))
         (local.set $ro (i32.load offset=12 (i32.load (i32.const 16))))
         (call $descriptor.open-at (local.get $ro) (i32.const 0) (i32.const 1024) (i32.const 4) (i32.const 0) (i32.const 1) (i32.const 16))
         (call $must (i32.const 16))
         (local.set $file (i32.load (i32.const 20)))",
    );
    for (number, call) in calls.iter().enumerate() {
        // A code lies behind a handle's place, or at once.
        body += &format!(
            "(i64.store (i32.const 16) (i64.const 0)) {call}
             (i32.store8 (i32.const {}) (if (result i32) (i32.load8_u (i32.const 16))
                (then (i32.or (i32.load8_u (i32.const 17)) (i32.load8_u (i32.const 20))))
                (else (i32.const 255))))",
            8192 + number
        );
    }
    (data(1024, b"file") + &data(1088, b"folder") + &data(1152, b"new"), body)
}

const FILE: &str = "(i32.const 1024) (i32.const 4)";
const FOLDER: &str = "(i32.const 1088) (i32.const 6)";
const NEW: &str = "(i32.const 1152) (i32.const 3)";

/// Links and renames of which one side, or both, may only be read.
pub(crate) fn links_and_renames() -> Vec<String> {
    let mut calls = Vec::new();
    for (call, old, new) in [
        ("link-at", ("rw", FILE), ("ro", NEW)),
        ("link-at", ("ro", FILE), ("rw", NEW)),
        ("link-at", ("ro", FILE), ("ro", NEW)),
        ("rename-at", ("rw", FILE), ("ro", NEW)),
        ("rename-at", ("rw", FILE), ("ro", FILE)),
        ("rename-at", ("rw", FOLDER), ("ro", FOLDER)),
        ("rename-at", ("ro", FILE), ("rw", NEW)),
        ("rename-at", ("ro", FILE), ("rw", FILE)),
        ("rename-at", ("ro", FOLDER), ("rw", FOLDER)),
        ("rename-at", ("ro", FILE), ("ro", NEW)),
    ] {
        let lookup = if call == "link-at" { "(i32.const 0)" } else { "" };
        calls.push(format!(
            "(call $descriptor.{call} (local.get ${}) {lookup} {} (local.get ${}) {} (i32.const 16))",
            old.0, old.1, new.0, new.1
        ));
    }
    calls
}

/// One of which both may be written.
pub(crate) fn allowed_link() -> String {
    format!("(call $descriptor.link-at (local.get $rw) (i32.const 0) {FILE} (local.get $rw) {NEW} (i32.const 16))")
}

#[test]
fn ghsa_4ch3_9j33_3pmj_links_and_renames_of_components_ask_for_the_right_to_write_on_both_sides() {
    let (folder, before) = two_grants();
    let calls = links_and_renames();
    assert_eq!(codes(&folder, &calls), [READ_ONLY as u8].repeat(calls.len()));
    assert!(picture(folder.root()) == before);
    assert_eq!(codes(&folder, &[allowed_link()]), [255], "where both may be written, it is done");
}

/// Each way to open with truncation what may only be read.
pub(crate) fn emptying_opens() -> Vec<String> {
    let mut opens = Vec::new();
    for flags in [0, READ, WRITE, READ | WRITE, READ | WRITE | MUTATE, 63] {
        for open_flags in [TRUNCATE, TRUNCATE | CREATE, TRUNCATE | CREATE | EXCLUSIVE] {
            for path_flags in [0, FOLLOW] {
                opens.push(format!(
                    "(call $descriptor.open-at (local.get $ro) (i32.const {path_flags}) {FILE} (i32.const {open_flags})
                        (i32.const {flags}) (i32.const 16))"
                ));
            }
        }
    }
    opens
}

/// What else changes something of what may only be read.
pub(crate) fn changes() -> Vec<String> {
    let now = "(i32.const 1) (i64.const 0) (i32.const 0)";
    vec![
        "(call $descriptor.set-size (local.get $file) (i64.const 0) (i32.const 16))".to_owned(),
        format!("(call $descriptor.set-times (local.get $file) {now} {now} (i32.const 16))"),
        format!("(call $descriptor.set-times (local.get $ro) {now} {now} (i32.const 16))"),
        format!("(call $descriptor.set-times-at (local.get $ro) (i32.const 0) {FILE} {now} {now} (i32.const 16))"),
        format!("(call $descriptor.unlink-file-at (local.get $ro) {FILE} (i32.const 16))"),
        format!("(call $descriptor.remove-directory-at (local.get $ro) {FOLDER} (i32.const 16))"),
        format!("(call $descriptor.create-directory-at (local.get $ro) {NEW} (i32.const 16))"),
        format!("(call $descriptor.symlink-at (local.get $ro) {FILE} {NEW} (i32.const 16))"),
    ]
}

/// Empties what may be written.
pub(crate) fn allowed_emptying() -> String {
    format!(
        "(call $descriptor.open-at (local.get $rw) (i32.const 0) {FILE} (i32.const {TRUNCATE}) (i32.const 3) (i32.const 16))"
    )
}

#[test]
fn ghsa_2r75_cxrj_cmph_nothing_that_is_for_reading_is_emptied_or_changed_by_a_component() {
    let (folder, before) = two_grants();
    let exist = 7;
    let opens = emptying_opens();
    for (code, open) in codes(&folder, &opens).iter().zip(&opens) {
        assert!([READ_ONLY as u8, exist].contains(code), "{code}: {open}");
    }
    let streams = [
        "(call $descriptor.write-via-stream (local.get $file) (i64.const 0) (i32.const 16))".to_owned(),
        "(call $descriptor.append-via-stream (local.get $file) (i32.const 16))".to_owned(),
    ];
    let others = [changes(), streams.to_vec()].concat();
    for (code, call) in codes(&folder, &others).iter().zip(&others) {
        assert!(![0, 255].contains(code), "{code}: {call}");
    }
    assert!(picture(folder.root()) == before);
    assert_eq!(codes(&folder, &[allowed_emptying()]), [255]);
    assert_eq!(fs::read(folder.path("rw/file")).unwrap(), b"", "where it may be written, it is emptied");
}

#[test]
fn ghsa_96f6_r43r_8c24_a_result_has_no_bytes_of_the_host_between_its_fields() {
    // Of a file's metadata, behind the case: its type, and 7 bytes of nothing; in each time, 7 behind the case and 4 at the
    // end. Filled before, these are as they were.
    let body = "(local $file i32) (local.set $file (call $file))
        (memory.fill (i32.const 1024) (i32.const 0xaa) (i32.const 128))
        (call $descriptor.stat (local.get $file) (i32.const 1024))
        (call $output-stream.blocking-write-and-flush (call $stdout.get-stdout) (i32.const 1024) (i32.const 112) (i32.const 16))";
    let (folder, apps) = (Folder::new(), Folder::new());
    folder.file("file", "");
    let ran = on(Openat2::Works, folder.root(), "--dir", &app(&apps, "", body));
    assert_eq!((ran.status(), ran.stdout.len()), (0, 112), "{ran:?}");
    let times = [32, 56, 80].iter().flat_map(|time| (time + 1..time + 8).chain(time + 20..time + 24));
    for at in (1..8).chain(9..16).chain(times) {
        assert!([0xaa, 0].contains(&ran.stdout[at]), "byte {at}: {:x?}", ran.stdout);
    }
    assert_eq!(ran.stdout[104..112], [0xaa; 8], "nothing is written behind it");
}

#[test]
fn ghsa_mr2v_56j5_cmfc_a_time_before_1970_is_no_panic_for_a_component() {
    let folder = Folder::new();
    let file = folder.file("file", "");
    let apps = Folder::new();
    // The seconds of the time of writing, by the descriptor and by its name.
    let body = "(local $file i32) (local.set $file (call $file))
        (call $descriptor.stat (local.get $file) (i32.const 1024)) (call $must64 (i32.const 1024))
        (call $descriptor.stat-at (call $root) (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 2048))
        (call $must64 (i32.const 2048))
        (i64.store (i32.const 512) (i64.load (i32.const 1088))) (i64.store (i32.const 520) (i64.load (i32.const 2112)))
        (i32.store (i32.const 528) (i32.load (i32.const 1096)))
        (call $output-stream.blocking-write-and-flush (call $stdout.get-stdout) (i32.const 512) (i32.const 20) (i32.const 16))";
    let app = app(&apps, "", body);
    for before in [1, 1_000_000_000, 2_000_000_000_000_000_000, 9_000_000_000_000_000_000].map(Duration::from_nanos) {
        fs::File::options().write(true).open(&file).unwrap().set_modified(UNIX_EPOCH - before).unwrap();
        for flags in [&[][..], &["--clock-resolution", "1s"], &["--clock", "frozen"], &["--deterministic"]] {
            let mut command = turnkey();
            command.arg("run").args(flags).arg("--dir").arg(granted(folder.root(), "/d"));
            let ran = run(command.arg(&app));
            assert_eq!((ran.status(), ran.stderr.as_str()), (0, ""), "{before:?}");
            assert_eq!(ran.stdout, [0; 20], "the standard counts from 1970, and this is nearest: {before:?}");
        }
    }
}

#[test]
fn ghsa_mr2v_56j5_cmfc_no_time_that_a_component_sets_is_a_panic() {
    let folder = Folder::new();
    folder.file("file", "");
    let apps = Folder::new();
    for seconds in [0, 1, i64::MAX, i64::MIN, -1, i64::MIN + 1, i64::MAX / 1_000_000_000] {
        for nanoseconds in [0, 999_999_999, 1_000_000_000, -1] {
            let time = format!("(i32.const 2) (i64.const {seconds}) (i32.const {nanoseconds})");
            let set = format!(
                "(local $file i32) (local.set $file (call $file))
                 (call $descriptor.set-times (local.get $file) {time} {time} (i32.const 16))
                 (i32.store8 (i32.const 512) (i32.load8_u (i32.const 16)))
                 (call $descriptor.set-times-at (call $root) (i32.const 0) (i32.const 64) (i32.const 4) {time} {time} (i32.const 16))
                 (i32.store8 (i32.const 513) (i32.load8_u (i32.const 16)))
                 (call $descriptor.stat (local.get $file) (i32.const 1024)) (call $must64 (i32.const 1024))
                 (call $timezone.utc-offset (i64.const {seconds}) (i32.const {nanoseconds})) drop
                 (call $timezone.display (i64.const {seconds}) (i32.const {nanoseconds}) (i32.const 2048))
                 (call $output-stream.blocking-write-and-flush (call $stdout.get-stdout) (i32.const 512) (i32.const 2) (i32.const 16))"
            );
            let ran = on(Openat2::Works, folder.root(), "--dir", &app(&apps, "", &set));
            assert_eq!((ran.status(), ran.stderr.as_str()), (0, ""), "{seconds} {nanoseconds}: {ran:?}");
            if seconds < 0 || !(0..1_000_000_000).contains(&nanoseconds) {
                assert_eq!(ran.stdout, [1, 1], "{seconds} {nanoseconds} is no time");
            }
        }
    }
}

/// A run of a guest that was granted one of two peers, and knows both.
pub(crate) struct BetweenTwoPeers {
    pub(crate) ran: Ran,
    pub(crate) granted: SocketAddr,
    pub(crate) denied: SocketAddr,
    /// What the granted one has heard.
    pub(crate) heard: Vec<String>,
    /// Whether the other one has heard anything.
    pub(crate) denied_heard: bool,
}

pub(crate) fn between_two_peers(name: &str) -> BetweenTwoPeers {
    let [granted, denied] = [(); 2].map(|()| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    });
    let (granted_at, denied_at) = (granted.local_addr().unwrap(), denied.local_addr().unwrap());
    // The granted one answers; before that, the denied one has written.
    let answers = {
        let denied = denied.try_clone().unwrap();
        std::thread::spawn(move || {
            let (mut heard, mut room) = (Vec::new(), [0; 100]);
            for _ in 0..2 {
                loop {
                    let (bytes, from) = granted.recv_from(&mut room).unwrap();
                    heard.push(String::from_utf8_lossy(&room[..bytes]).into_owned());
                    if heard.last().unwrap() == "answer" {
                        denied.send_to(b"from the denied one", from).unwrap();
                        granted.send_to(b"answer", from).unwrap();
                        break;
                    }
                }
            }
            heard
        })
    };
    let mut command = turnkey();
    command.args(["run", "--timeout", "40s", "--explain", "--allow", "udp-bind=127.0.0.1:0"]);
    command.arg("--allow").arg(format!("udp={granted_at}"));
    command.arg(guest(name)).args([granted_at.to_string(), denied_at.to_string()]);
    let ran = run(&mut command);
    assert_eq!(ran.status(), 0, "{ran:?}");
    let heard = answers.join().unwrap();
    denied.set_nonblocking(true).unwrap();
    let denied_heard = denied.recv_from(&mut [0; 100]).is_ok();
    BetweenTwoPeers { ran, granted: granted_at, denied: denied_at, heard, denied_heard }
}

#[test]
fn ghsa_hmmr_87qq_258j_no_datagram_goes_to_or_comes_from_a_peer_that_is_not_granted() {
    let BetweenTwoPeers { ran, granted, denied, heard, denied_heard } = between_two_peers("components/udp_denied");
    let expected = format!(
        "to the peer that is granted: 1 sent
to the peer that is denied: access-denied
to both in one call: 1 sent
connected to the peer that is denied: access-denied
connected to the granted one, to it: 1 sent
connected to the granted one, to it by its address: 1 sent
connected to the granted one, to the denied one: invalid-argument
by the streams of before, to the denied one: invalid-state
by the streams of before, to nobody: invalid-state
no longer connected, to the denied one: access-denied
no longer connected, by the streams of the connection: invalid-state
asking for an answer: 1 sent
by a socket without a peer, came: answer from port {0}
asking for an answer: 1 sent
by a socket with a peer, came: answer from port {0}
",
        granted.port()
    );
    assert_eq!(ran.text(), expected, "{}", ran.stderr);
    assert!(ran.stderr.contains("receive") && ran.stderr.contains(&format!("--allow udp={denied}")), "{}", ran.stderr);
    assert_eq!(heard, ["granted", "granted", "granted", "granted", "answer", "answer"]);
    assert!(!denied_heard, "something came to where nothing may go");
}

#[test]
fn ghsa_hmmr_87qq_258j_without_a_grant_no_datagram_goes_anywhere() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = peer.local_addr().unwrap();
    for mode in ["client", "sender"] {
        for grants in [&[][..], &["--allow", "udp-bind=*:*"]] {
            let mut command = turnkey();
            command.args(["run", "--timeout", "20s"]).args(grants).arg(guest("components/udp_echo"));
            let ran = start(command.args([mode, &at.to_string(), "text"]).stdout(std::process::Stdio::piped())).wait();
            assert_eq!((ran.status(), ran.text().contains("access-denied")), (4, true), "{mode} {grants:?}: {ran:?}");
        }
    }
    peer.set_nonblocking(true).unwrap();
    assert!(peer.recv_from(&mut [0; 100]).is_err());
}
