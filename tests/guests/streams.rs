//! Programs that are about arguments, variables, standard streams and the exit status; and what is left of `hog`.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::harness::{Folder, bytes, guest, run, start, turnkey};
use crate::native::{self, same};

#[test]
fn environment_is_told_what_it_is_told_natively() {
    let folder = Folder::new();
    let input = folder.file("in", (0..=255).cycle().take(300_000).collect::<Vec<u8>>());
    let open = || Stdio::from(fs::File::open(&input).unwrap());
    let words = [bytes(b"plain"), bytes(b""), bytes(b"caf\xe9"), bytes("\u{1f511}".as_bytes())];
    let mut wasm = turnkey();
    wasm.args(["run", "--env", "EXIT=77", "--env", "B=two words", "--env", "A="]).arg("--env").arg(bytes(b"RAW=\xff"));
    let wasm = run(wasm.arg(guest("environment")).args(words).stdin(open()));
    let mut native = native::rust("environment");
    native.env("EXIT", "77").env("B", "two words").env("A", "").env("RAW", bytes(b"\xff"));
    let native = run(native.args(words).stdin(open()));
    // But for the name that each was started by.
    let after_name = |all: &[u8]| all[all.iter().position(|&byte| byte == b'\n').unwrap()..].to_vec();
    assert!(
        after_name(&wasm.stdout) == after_name(&native.stdout),
        "{} bytes, {}",
        wasm.stdout.len(),
        native.stdout.len()
    );
    assert_eq!((wasm.stderr.as_str(), wasm.status()), (native.stderr.as_str(), native.status()));
    assert_eq!(wasm.status(), 77);
}

#[test]
fn small_computes_what_it_computes_natively() {
    for words in [&[][..], &["1 2 x 3.5 -4 1e300"]] {
        same(turnkey().arg("run").arg(guest("small")).args(words), native::rust("small").args(words));
    }
}

#[test]
fn hog_takes_what_it_is_given_and_its_end_is_told() {
    let mut command = turnkey();
    command
        .arg("run")
        .arg(guest("hog"))
        .arg("stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = start(&mut command);
    running.child.stdin.take().unwrap().write_all(b"hello").unwrap();
    assert_eq!(running.wait().quiet(), "5 bytes came\n");
    let ran = run(turnkey().arg("run").arg(guest("hog")).arg("recurse"));
    assert!(ran.ended_with(134).contains("call stack"));
    let ran = run(turnkey().arg("run").arg(guest("hog")));
    assert_eq!((ran.status(), ran.stderr.starts_with("hog: usage")), (1, true));
}
