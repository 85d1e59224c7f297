//! Published advisories of WASI hosts, each by its name, through Preview 3: those about files and about sockets.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, UNIX_EPOCH};

use crate::advisories_of_components as components;
use crate::advisories_of_components::{BetweenTwoPeers, DIRECTORY, READ, between_two_peers, codes_of, on, open_at};
use crate::advisories_of_files::two_grants;
use crate::async_component::app;
use crate::climber::mountain;
use crate::component::data;
use crate::harness::tree::picture;
use crate::harness::{Folder, granted, run, turnkey};
use crate::system_calls::Openat2;

const EXIST: u8 = 6;
const INVALID: u8 = 11;
const READ_ONLY: u8 = 32;

#[test]
fn ghsa_vqjp_4c8c_hfgg_a_trailing_slash_leads_no_async_component_out() {
    let apps = Folder::new();
    let (fields, body) = components::opens_out();
    components::opens_nothing_outside(&app(&apps, &fields, &body));
}

#[test]
fn ghsa_vqjp_4c8c_hfgg_what_is_named_with_a_trailing_slash_can_be_opened_inside_by_an_async_component() {
    // The test above is of no use if nothing can be opened so.
    let (folder, apps) = (mountain(), Folder::new());
    let open = open_at(0, (1024, 2), DIRECTORY, READ);
    let body = format!("(local $root i32) (local.set $root (call $root)) {open} (call $must (i32.const 16))");
    on(Openat2::Works, &folder.path("inside"), "--dir", &app(&apps, &data(1024, b"a/"), &body)).quiet();
}

#[test]
fn ghsa_m9f7_9w4p_gv38_renaming_links_with_a_trailing_slash_leads_no_async_component_out() {
    components::renames_nothing_outside(app);
}

const CLIMBER: &str = "components/p3_climber";

#[test]
fn the_climber_of_async_components_stays_inside_whoever_resolves_its_paths() {
    components::stays_inside_whoever_resolves_its_paths(CLIMBER);
}

#[test]
fn the_climber_of_async_components_changes_nothing_of_what_is_for_reading() {
    components::changes_nothing_of_what_is_for_reading(CLIMBER);
}

#[test]
fn links_to_directories_by_relative_paths_lead_no_async_component_out_either() {
    components::links_by_relative_paths_lead_nowhere(CLIMBER);
}

/// Has a component try all of these in both directories: the code of each.
fn codes(folder: &Folder, calls: &[String]) -> Vec<u8> {
    let apps = Folder::new();
    let (names, body) = components::tries(calls);
    let print = format!("(call $print (i32.const 8192) (i32.const {}))", calls.len());
    codes_of(folder, &app(&apps, &names, &(body + &print)))
}

#[test]
fn ghsa_4ch3_9j33_3pmj_links_and_renames_of_async_components_ask_for_the_right_to_write_on_both_sides() {
    let (folder, before) = two_grants();
    let calls = components::links_and_renames();
    assert_eq!(codes(&folder, &calls), [READ_ONLY].repeat(calls.len()));
    assert!(picture(folder.root()) == before);
    assert_eq!(codes(&folder, &[components::allowed_link()]), [255], "where both may be written, it is done");
}

#[test]
fn ghsa_2r75_cxrj_cmph_nothing_that_is_for_reading_is_emptied_or_changed_by_an_async_component() {
    let (folder, before) = two_grants();
    let opens = components::emptying_opens();
    for (code, open) in codes(&folder, &opens).iter().zip(&opens) {
        assert!([READ_ONLY, EXIST].contains(code), "{code}: {open}");
    }
    // A stream that is not taken: what its future says.
    let stream = |call: &str| {
        format!(
            "(local.set $ends (call $descriptor.write-via-stream.0.new)) (call $streamed (call {call}))",
            call = call.replace("DATA", "(i32.wrap_i64 (local.get $ends))")
        )
    };
    let streams = [
        stream("$descriptor.write-via-stream (local.get $file) DATA (i64.const 0)"),
        stream("$descriptor.append-via-stream (local.get $file) DATA"),
    ];
    let others = [components::changes(), streams.to_vec()].concat();
    let apps = Folder::new();
    let (names, body) = components::tries(&others);
    let streamed = "(func $streamed (param $future i32)
        (drop (call $settled
            (call $descriptor.write-via-stream.1.read.async (local.get $future) (i32.const 16)) (local.get $future))))";
    let body = format!(
        "(local $ends i64) {body}
         (call $print (i32.const 8192) (i32.const {}))",
        others.len()
    );
    let found = codes_of(&folder, &app(&apps, &(names + streamed), &body));
    assert_eq!(found.len(), others.len());
    for (code, call) in found.iter().zip(&others) {
        assert!(![0, 255].contains(code), "{code}: {call}");
    }
    assert!(picture(folder.root()) == before);
    assert_eq!(codes(&folder, &[components::allowed_emptying()]), [255]);
    assert_eq!(fs::read(folder.path("rw/file")).unwrap(), b"", "where it may be written, it is emptied");
}

#[test]
fn ghsa_c2f5_jxjv_2hh8_and_ghsa_hxf5_99xg_86hw_names_of_devices_on_windows_are_names_to_an_async_component() {
    let names = ["COM1", "COM\u{b9}", "LPT\u{b2}", "com\u{b3}.txt", "NUL", "CON", "AUX", "CONIN$", "C:", "a:b"];
    let (mut fields, mut body) = (String::new(), String::from("(local $root i32) (local.set $root (call $root))"));
    for (number, name) in names.iter().enumerate() {
        let at = 1024 + 64 * number as u32;
        fields += &data(at, name.as_bytes());
        // Made, and written to by its size.
        body += &format!(
            "(call $descriptor.open-at (local.get $root) (i32.const 0) (i32.const {at}) (i32.const {}) (i32.const 5) (i32.const 3) (i32.const 16))
             (call $must (i32.const 16))
             (call $descriptor.set-size (i32.load (i32.const 20)) (i64.const {}) (i32.const 16)) (call $must (i32.const 16))",
            name.len(),
            number + 1
        );
    }
    let (folder, apps) = (Folder::new(), Folder::new());
    on(Openat2::Works, folder.root(), "--dir", &app(&apps, &fields, &body)).quiet();
    for (number, name) in names.iter().enumerate() {
        assert_eq!(fs::metadata(folder.path(name)).unwrap().size(), number as u64 + 1, "{name}");
    }
}

#[test]
fn ghsa_96f6_r43r_8c24_a_result_of_an_async_function_has_no_bytes_of_the_host_between_its_fields() {
    // Of a file's metadata: behind the case 7 bytes of nothing; the type, with room for a word that a regular file has not; in
    // each time 7 behind the case and 4 at the end. Filled before, these are as they were.
    let body = "(local $file i32) (local.set $file (call $file))
        (memory.fill (i32.const 1024) (i32.const 0xaa) (i32.const 128))
        (call $descriptor.stat (local.get $file) (i32.const 1024))
        (call $print (i32.const 1024) (i32.const 120))";
    let (folder, apps) = (Folder::new(), Folder::new());
    folder.file("file", "");
    let ran = on(Openat2::Works, folder.root(), "--dir", &app(&apps, "", body));
    assert_eq!((ran.status(), ran.stdout.len()), (0, 120), "{ran:?}");
    let times = [40, 64, 88].iter().flat_map(|time| (time + 1..time + 8).chain(time + 20..time + 24));
    for at in (1..8).chain(9..24).chain(times) {
        assert!([0xaa, 0].contains(&ran.stdout[at]), "byte {at}: {:x?}", ran.stdout);
    }
    assert_eq!(ran.stdout[112..120], [0xaa; 8], "nothing is written behind it");
}

#[test]
fn ghsa_96f6_r43r_8c24_an_entry_in_a_stream_has_no_bytes_of_the_host_between_its_fields() {
    let body = "(local $root i32) (local $stream i32) (local.set $root (call $root))
        (call $descriptor.read-directory (local.get $root) (i32.const 16))
        (local.set $stream (i32.load (i32.const 16)))
        (memory.fill (i32.const 1024) (i32.const 0xaa) (i32.const 128))
        (drop (call $settled
            (call $descriptor.read-directory.0.read.async (local.get $stream) (i32.const 1024) (i32.const 4))
            (local.get $stream)))
        (call $print (i32.const 1024) (i32.const 128))";
    let (folder, apps) = (Folder::new(), Folder::new());
    for name in ["a", "b", "c"] {
        folder.file(name, "");
    }
    let ran = on(Openat2::Works, folder.root(), "--dir", &app(&apps, "", body));
    assert_eq!((ran.status(), ran.stdout.len()), (0, 128), "{ran:?}");
    for (number, entry) in ran.stdout[..72].chunks(24).enumerate() {
        let regular_file = 5;
        assert_eq!((entry[0], &entry[20..]), (regular_file, &[1, 0, 0, 0][..]), "entry {number}: {entry:x?}");
        assert!(entry[1..16].iter().all(|byte| [0xaa, 0].contains(byte)), "entry {number}: {entry:x?}");
    }
    assert_eq!(ran.stdout[72..], [0xaa; 56], "nothing is written behind them");
}

/// The seconds and nanoseconds of the time of writing of `file`, by its descriptor and by its name.
const SHOWN: &str = "(local $file i32) (local.set $file (call $file))
    (call $descriptor.stat (local.get $file) (i32.const 1024)) (call $must64 (i32.const 1024))
    (call $descriptor.stat-at (call $root) (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 2048))
    (call $must64 (i32.const 2048))
    (i64.store (i32.const 512) (i64.load (i32.const 1096))) (i32.store (i32.const 520) (i32.load (i32.const 1104)))
    (i64.store (i32.const 524) (i64.load (i32.const 2120))) (i32.store (i32.const 532) (i32.load (i32.const 2128)))
    (call $print (i32.const 512) (i32.const 24))";

#[test]
fn ghsa_mr2v_56j5_cmfc_a_time_before_1970_is_no_panic_for_an_async_component() {
    let (folder, apps) = (Folder::new(), Folder::new());
    let file = folder.file("file", "");
    let app = app(&apps, "", SHOWN);
    for before in [1, 1_000_000_000, 1_500_000_000, 2_000_000_000_000_000_000, 9_000_000_000_000_000_000] {
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(UNIX_EPOCH - Duration::from_nanos(before))
            .unwrap();
        // What the file system keeps of it.
        let kept = fs::metadata(&file).unwrap();
        for flags in [&[][..], &["--clock-resolution", "1s"], &["--clock", "frozen"], &["--deterministic"]] {
            let mut command = turnkey();
            command.arg("run").args(flags).arg("--dir").arg(granted(folder.root(), "/d"));
            let ran = run(command.arg(&app));
            assert_eq!((ran.status(), ran.stderr.as_str()), (0, ""), "{before}");
            assert_eq!(ran.stdout[..12], ran.stdout[12..], "{before}");
            let seconds = i64::from_le_bytes(ran.stdout[..8].try_into().unwrap());
            let nanoseconds = u32::from_le_bytes(ran.stdout[8..12].try_into().unwrap());
            assert!(nanoseconds < 1_000_000_000, "{before}: {nanoseconds}");
            if flags.is_empty() {
                assert_eq!((seconds, i64::from(nanoseconds)), (kept.mtime(), kept.mtime_nsec()), "{before}");
            }
        }
    }
}

#[test]
fn ghsa_mr2v_56j5_cmfc_no_time_that_an_async_component_sets_is_a_panic() {
    let (folder, apps) = (Folder::new(), Folder::new());
    folder.file("file", "");
    let seconds = [0, 1, i64::MAX, i64::MIN, -1, i64::MIN + 1, i64::MAX / 1_000_000_000, i64::MIN / 1_000_000_000];
    let nanoseconds = [0, 999_999_999, 1_000_000_000, -1];
    // All in one: the code of each, by the descriptor and by its name, 255 where there was none.
    let mut body = String::from(
        "(local $file i32) (local $root i32) (local.set $file (call $file)) (local.set $root (call $root))",
    );
    let code =
        "(if (result i32) (i32.load8_u (i32.const 16)) (then (i32.load8_u (i32.const 20))) (else (i32.const 255)))";
    let mut at = 8192;
    for seconds in seconds {
        for nanoseconds in nanoseconds {
            let time = format!("(i32.const 2) (i64.const {seconds}) (i32.const {nanoseconds})");
            body += &format!(
                "(call $descriptor.set-times (local.get $file) {time} {time} (i32.const 16))
                 (i32.store8 (i32.const {at}) {code})
                 (call $descriptor.set-times-at (local.get $root) (i32.const 0) (i32.const 64) (i32.const 4) {time} {time} (i32.const 16))
                 (i32.store8 (i32.const {}) {code})
                 (call $descriptor.stat (local.get $file) (i32.const 1024)) (call $must64 (i32.const 1024))
                 (call $timezone.utc-offset (i64.const {seconds}) (i32.const {nanoseconds}) (i32.const 2048))",
                at + 1
            );
            at += 2;
        }
    }
    body += &format!("(call $print (i32.const 8192) (i32.const {}))", at - 8192);
    let ran = on(Openat2::Works, folder.root(), "--dir", &app(&apps, "", &body));
    assert_eq!((ran.status(), ran.stderr.as_str()), (0, ""), "{ran:?}");
    let times = seconds.iter().flat_map(|seconds| nanoseconds.map(|nanoseconds| (*seconds, nanoseconds)));
    let codes = ran.stdout.chunks(2);
    assert_eq!(codes.len(), seconds.len() * nanoseconds.len());
    for ((seconds, nanoseconds), codes) in times.zip(codes) {
        let is_time = (0..1_000_000_000).contains(&nanoseconds);
        let ordinary = is_time && [0, 1, -1].contains(&seconds);
        if !is_time {
            assert_eq!(codes, [INVALID; 2], "{seconds} {nanoseconds} is no time");
        } else if ordinary {
            assert_eq!(codes, [255; 2], "{seconds} {nanoseconds} is a time");
        } else {
            // The file system may have no such time, or take the nearest that it has.
            assert_eq!(codes[0], codes[1], "{seconds} {nanoseconds}");
        }
    }
}

#[test]
fn ghsa_mr2v_56j5_cmfc_no_duration_of_an_async_component_is_a_panic() {
    let apps = Folder::new();
    let body = |call: &str, time: i64| format!("(drop (call $monotonic-clock.{call}.async (i64.const {time})))");
    let all: String = ["wait-for", "wait-until"]
        .iter()
        .flat_map(|call| [0, 1, -1, i64::MAX, i64::MIN, i64::MAX - 1].map(|time| body(call, time)))
        .collect();
    for flags in [&[][..], &["--clock-resolution", "1s"], &["--clock", "frozen"], &["--deterministic"]] {
        let ran = run(turnkey().args(["run", "--timeout", "20s"]).args(flags).arg(app(
            &apps,
            "",
            &(all.clone() + "(call $end (i32.const 7))"),
        )));
        assert_eq!((ran.status(), ran.stderr.as_str()), (7, ""), "{flags:?}: {ran:?}");
    }
}

#[test]
fn ghsa_hmmr_87qq_258j_no_datagram_of_an_async_component_goes_to_or_comes_from_a_peer_that_is_not_granted() {
    let BetweenTwoPeers { ran, granted, denied, heard, denied_heard } = between_two_peers("components/p3_denied");
    let expected = format!(
        "to the peer that is granted: ok
to the peer that is denied: access-denied
connected to the peer that is denied: access-denied
not connected, to nobody: invalid-argument
connected to the granted one: ok
connected to the granted one, to it: ok
connected to the granted one, to it by its address: ok
connected to the granted one, to the denied one: invalid-argument
connected again, to the denied one: access-denied
connected again, to nobody: ok
disconnected: ok
no longer connected, to the denied one: access-denied
no longer connected, to nobody: invalid-argument
asking for an answer: ok
by a socket without a peer, came: answer from port {0}
connected to the granted one: ok
asking for an answer: ok
by a socket with a peer, came: answer from port {0}
",
        granted.port()
    );
    assert_eq!(ran.text(), expected, "{}", ran.stderr);
    assert!(ran.stderr.contains("receive") && ran.stderr.contains(&format!("--allow udp={denied}")), "{}", ran.stderr);
    assert_eq!(heard, ["granted"; 4].into_iter().chain(["answer"; 2]).collect::<Vec<_>>());
    assert!(!denied_heard, "something came to where nothing may go");
}

#[test]
fn ghsa_hmmr_87qq_258j_without_a_grant_no_datagram_of_an_async_component_goes_anywhere() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = peer.local_addr().unwrap().port();
    let zeroes = "(i32.const 0) ".repeat(6);
    let remote =
        format!("(i32.const 0) (i32.const {port}) (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1) {zeroes}");
    // The code of each thing tried, 255 where there was none.
    let code = |at: u32| {
        format!(
            "(i32.store8 (i32.const {at}) (if (result i32) (i32.load8_u (i32.const 16)) (then (i32.load8_u (i32.const 20))) (else (i32.const 255))))"
        )
    };
    let body = format!(
        "(local $socket i32)
         (call $udp-socket.create (i32.const 0) (i32.const 16)) (call $must (i32.const 16))
         (local.set $socket (i32.load (i32.const 20)))
         (call $udp-socket.send (local.get $socket) (i32.const 64) (i32.const 4) (i32.const 1) {remote} (i32.const 16)) {}
         (call $udp-socket.connect (local.get $socket) {remote} (i32.const 16)) {}
         (call $udp-socket.send (local.get $socket) (i32.const 64) (i32.const 4) (i32.const 0) {} {zeroes} (i32.const 16)) {}
         (call $print (i32.const 512) (i32.const 3))",
        code(512),
        code(513),
        zeroes,
        code(514)
    );
    let apps = Folder::new();
    let app = app(&apps, "", &body);
    let (access_denied, invalid_argument) = (0, 2);
    for grants in [&[][..], &["--allow", "udp-bind=*:*"]] {
        let ran = run(turnkey().args(["run", "--timeout", "20s"]).args(grants).arg(&app));
        assert_eq!(
            (ran.status(), &ran.stdout[..]),
            (0, &[access_denied, access_denied, invalid_argument][..]),
            "{ran:?}"
        );
    }
    peer.set_nonblocking(true).unwrap();
    assert!(peer.recv_from(&mut [0; 100]).is_err());
}
