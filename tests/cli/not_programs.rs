//! What is given as APP and cannot run: 126, or 127 where there is nothing, and a line that says what it is.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::ordinary_user::as_ordinary_user;
use crate::harness::{Folder, Ran, run, shell, turnkey, turnkey_with};

fn run_file(path: &Path) -> Ran {
    run(turnkey().arg("run").arg(path))
}

/// The message for a file with these bytes.
#[track_caller]
fn refusal_of(bytes: &[u8]) -> String {
    let folder = Folder::new();
    run_file(&folder.file("app", bytes)).refused(126).to_owned()
}

#[test]
fn a_file_that_is_something_else_is_said_to_be_that() {
    for (bytes, words) in [
        (&b""[..], "it is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", "ELF"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        (b"\x28\xb5\x2f\xfd\0\0", "zstd"),
        (b"PK\x03\x04\x14\0", "zip"),
        (b"#!/bin/sh\necho hello\n", "script"),
        (b"hello, world\n", "it is text"),
        (b"\xff\xfe\xfd\xfc", "00 61 73 6d"),
        (b"\0asm\x02\0\0\0", "version"),
    ] {
        let message = refusal_of(bytes);
        assert!(message.contains("is not WebAssembly") && message.contains(words), "{bytes:?}: {message}");
    }
}

#[test]
fn the_binary_itself_is_no_program() {
    let itself = run_file(Path::new(env!("CARGO_BIN_EXE_turnkey")));
    assert!(itself.refused(126).contains("ELF"));
}

#[test]
fn a_module_that_was_cut_short_never_runs_and_never_panics() {
    // Without names or data: the code comes last, and no part of it is a program.
    let text = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start") (drop (call 0 (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))))"#;
    let module = wat::parse_str(text).unwrap();
    assert!(module.len() > 100);
    let folder = Folder::new();
    let path = folder.path("app");
    for bytes in 0..module.len() {
        fs::write(&path, &module[..bytes]).unwrap();
        let message = run_file(&path).refused(126).to_owned();
        // Between two sections it is a whole module, only not a command.
        let told = message.contains("not WebAssembly") || message.contains("not valid WebAssembly");
        assert!(told || message.contains("no command"), "{bytes} bytes: {message}");
    }
    fs::write(&path, &module).unwrap();
    run_file(&path).quiet();
}

#[test]
fn text_that_is_no_valid_module_is_said_to_be_none() {
    for text in ["(module (func", "(module (func (export \"_start\") (i32.add)))", "(modul)", "(module)(module)", "("] {
        assert!(refusal_of(text.as_bytes()).contains("is not valid WebAssembly"), "{text}");
    }
}

#[test]
fn text_that_nests_without_end_is_refused_and_no_stack_runs_out() {
    let module = |open: &str, close: &str| format!("(module (func {}{}))", open.repeat(10_000), close.repeat(10_000));
    for text in ["(".repeat(1_000_000), "(;".repeat(1_000_000), "(module ".repeat(100_000)] {
        refusal_of(text.as_bytes());
    }
    // These are valid, and so only no commands.
    for text in [module("(block ", ")"), module("block ", "end ")] {
        refusal_of(text.as_bytes());
    }
}

/// The size of a file is no reason to ask for as much memory before its first bytes have been looked at.
#[test]
fn a_file_of_a_terabyte_is_said_to_be_no_program() {
    let folder = Folder::new();
    let app = folder.path("app");
    if fs::File::create(&app).unwrap().set_len(1 << 40).is_err() {
        eprintln!("skipped: no file is so large here");
        return;
    }
    // Bounded, so that a host that reads all of it fails instead of taking the machine with it.
    for command in ["run", "check"] {
        let ran = run(shell(&format!("ulimit -v 8000000; exec \"$0\" {command} \"$1\"")).arg(&app));
        assert_eq!(ran.ended.code(), Some(126), "{ran:?}");
        ran.in_form();
    }
}

#[test]
fn an_import_that_nobody_provides_is_named_with_the_one_that_was_meant() {
    for (module, name, nearest) in [
        ("wasi_snapshot_preview1", "fd_raed", Some("wasi_snapshot_preview1::fd_read")),
        ("wasi_unstable", "sock_accept", Some("wasi_snapshot_preview1::sock_accept")),
        ("wasi_snapshot_preview2", "fd_write", Some("wasi_snapshot_preview1::fd_write")),
        ("env", "emscripten_resize_heap", None),
        ("wasi:cli/run@0.2.0", "run", None),
    ] {
        let text = format!(r#"(module (import "{module}" "{name}" (func)) (func (export "_start")))"#);
        let message = refusal_of(text.as_bytes());
        assert!(message.contains(&format!("`{module}::{name}`")), "{message}");
        match nearest {
            Some(nearest) => {
                assert!(message.contains(&format!("hint: nearest to `{module}::{name}`: `{nearest}`")), "{message}")
            }
            None => assert!(!message.contains("hint:"), "{message}"),
        }
    }
}

#[test]
fn an_import_that_is_no_function_is_named_too() {
    for import in [
        r#""env" "memory" (memory 1)"#,
        r#""env" "base" (global i32)"#,
        r#""wasi_snapshot_preview1" "fd_write" (memory 1)"#,
    ] {
        let message = refusal_of(format!(r#"(module (import {import}) (func (export "_start")))"#).as_bytes());
        assert!(message.contains("imports `") && message.contains("which nothing here provides"), "{message}");
    }
}

#[test]
fn of_many_missing_imports_a_few_are_named() {
    let imports: String = (0..1000).map(|index| format!(r#"(import "env" "f{index}" (func))"#)).collect();
    let message = refusal_of(format!(r#"(module {imports} (func (export "_start")))"#).as_bytes());
    assert!(message.contains("and 995 more") && message.len() < 1000, "{message}");
}

#[test]
fn a_function_imported_by_the_wrong_signature_is_named() {
    let message = refusal_of(
        br#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i64))) (func (export "_start")))"#,
    );
    assert!(message.contains("wasi_snapshot_preview1::fd_write") && message.contains("i64"), "{message}");
}

#[test]
fn a_module_without_a_start_is_told_how_its_functions_are_called() {
    let message = refusal_of(br#"(module (func (export "add")) (func (export "sub")) (memory (export "memory") 1))"#);
    assert!(message.contains("is no command: it exports no `_start`"), "{message}");
    assert!(message.contains("`--invoke NAME`") && message.contains("`add`, `sub`"), "{message}");
    let message = refusal_of(b"(module)");
    assert!(message.contains("exports no functions at all"), "{message}");
}

#[test]
fn a_start_that_is_no_function_or_takes_arguments_is_the_programs_fault() {
    for export in [r#"(memory (export "_start") 1)"#, r#"(func (export "_start") (param i32))"#] {
        let message = refusal_of(format!("(module {export})").as_bytes());
        assert!(message.contains("`_start`"), "{message}");
    }
}

#[test]
fn a_file_that_is_not_there_is_127() {
    let folder = Folder::new();
    let file = folder.file("file", "");
    for path in [folder.path("nothing"), file.join("below"), folder.path("no/where"), Path::new("").to_owned()] {
        assert!(run_file(&path).refused(127).contains("there is no file"), "{path:?}");
    }
}

#[test]
fn a_directory_is_no_program() {
    let folder = Folder::new();
    assert!(run_file(folder.root()).refused(126).contains("is a directory"));
}

#[test]
fn a_pipe_in_the_file_system_is_refused_without_waiting_for_its_other_end() {
    let folder = Folder::new();
    let path = folder.path("pipe");
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the name ends in a zero and lives as long as the call.
    #[allow(unsafe_code, reason = "the standard library makes no FIFOs")]
    let made = unsafe { libc::mkfifo(name.as_ptr(), 0o600) };
    assert_eq!(made, 0);
    assert!(run_file(&path).refused(126).contains("no regular file"));
    assert!(run_file(Path::new("/dev/zero")).refused(126).contains("no regular file"));
}

#[test]
fn a_file_that_may_not_be_read_is_said_to_be_that() {
    let folder = Folder::new();
    let app = folder.file("app", "(module)");
    fs::set_permissions(&app, fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(folder.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = turnkey();
    command.env("XDG_CACHE_HOME", folder.path("cache")).arg("run").arg(&app);
    if as_ordinary_user(&mut command, &[]) {
        assert!(run(&mut command).refused(126).contains("you have no permission"));
    }
}

#[test]
fn the_same_is_said_by_every_command_that_reads_a_program() {
    let folder = Folder::new();
    let (empty, out) = (folder.file("empty", ""), folder.path("out"));
    let words = |command: &'static str, app: &Path| {
        let mut words = vec![command.into(), app.as_os_str().to_owned()];
        if command == "compile" {
            words.extend(["-o".into(), out.as_os_str().to_owned()]);
        }
        words
    };
    for command in ["run", "check", "compile"] {
        assert!(turnkey_with(words(command, &empty)).refused(126).contains("it is empty"));
        turnkey_with(words(command, &folder.path("nothing"))).refused(127);
        turnkey_with(words(command, folder.root())).refused(126);
    }
    assert!(!out.exists());
}
