//! What is in `wit/0.2` is what is published: every package, interface, type, function and world, with its gates and in its
//! order. Not whether the host has it: that is `every_function.rs`. Source of truth: the definitions that the crate `wasip2`
//! ships.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

mod definitions;

use definitions::{differences, edited, ours, published, statements};

#[test]
fn what_is_here_is_what_is_published() {
    let found = differences(&statements(&ours("0.2")), &statements(&published("wasip2")));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn whatever_else_is_here_is_seen() {
    let (ours, published) = (ours("0.2"), statements(&published("wasip2")));
    for (file, from, to) in [
        // Functions: a name, a parameter's name, its type, what is owned and what is lent, a result, which kind, one too few,
        // one too many, their order.
        ("random.wit", "get-random-u64:", "get-random-number:"),
        ("filesystem.wit", "(offset: filesize)", "(at: filesize)"),
        ("io.wit", "write: func(contents: list<u8>)", "write: func(contents: list<s8>)"),
        ("io.wit", "list<borrow<pollable>>", "list<pollable>"),
        ("clocks.wit", "-> s32", "-> u32"),
        ("io.wit", "-> result<_, stream-error>", "-> result<u64, stream-error>"),
        ("io.wit", "block: func()", "block: static func()"),
        ("filesystem.wit", "@since(version = 0.2.0)\n    sync: func() -> result<_, error-code>;", ""),
        ("cli.wit", "initial-cwd: func() -> option<string>;", "initial-cwd: func() -> option<string>;\n  cwd: func();"),
        (
            "random.wit",
            "get-random-bytes: func(len: u64) -> list<u8>;\n\n  @since(version = 0.2.0)\n  get-random-u64: func() -> u64;",
            "get-random-u64: func() -> u64;\n\n  @since(version = 0.2.0)\n  get-random-bytes: func(len: u64) -> list<u8>;",
        ),
        // Types: fields, cases, flags, their order, what they hold, an alias, a resource.
        ("clocks.wit", "seconds: u64,\n    nanoseconds: u32,", "nanoseconds: u32,\n    seconds: u64,"),
        ("clocks.wit", "nanoseconds: u32", "nanoseconds: u64"),
        ("io.wit", "last-operation-failed(error),\n    closed,", "closed,\n    last-operation-failed(error),"),
        ("filesystem.wit", "timestamp(datetime)", "timestamp(u64)"),
        ("filesystem.wit", "bad-descriptor,\n    busy,", "busy,\n    bad-descriptor,"),
        ("sockets.wit", "    remote-unreachable,\n", ""),
        ("filesystem.wit", "read,\n    write,", "write,\n    read,"),
        ("filesystem.wit", "enum advice", "flags advice"),
        ("filesystem.wit", "type filesize = u64", "type filesize = u32"),
        ("cli.wit", "resource terminal-input;", "resource terminal-input { columns: func() -> u32; }"),
        // Gates: a version, a feature, one too few, one too many.
        ("cli.wit", "@since(version = 0.2.12)", "@since(version = 0.2.11)"),
        ("sockets.wit", "feature = network-error-code", "feature = network"),
        ("clocks.wit", "@unstable(feature = clocks-timezone)\n  record", "record"),
        ("sockets.wit", "    check-send", "    @since(version = 0.2.0)\n    check-send"),
        // Interfaces, worlds, packages.
        ("cli.wit", "interface run {", "interface run {}\n@since(version = 0.2.0)\ninterface walk {"),
        ("cli.wit", "  import wasi:random/insecure@0.2.12;\n", ""),
        ("cli.wit", "export run", "import run"),
        ("cli.wit", "world command", "world reactor"),
        ("http.wit", "HTTP-response-timeout", "HTTP-response-time-out"),
        ("http.wit", "static func(this: incoming-body)", "static func(this: borrow<incoming-body>)"),
        ("http.wit", "@deprecated(version = 0.2.2)\n  ", ""),
    ] {
        let found = differences(&edited(&ours, file, from, to), &published);
        assert!(!found.is_empty(), "`{to}` for `{from}` in `{file}`");
    }
}

#[test]
fn what_differs_is_said() {
    let (ours, published) = (ours("0.2"), statements(&published("wasip2")));
    let said = |from, to| differences(&edited(&ours, "random.wit", from, to), &published);
    let place = "wasi:random@0.2.12 / interface random";
    assert_eq!(
        said("get-random-u64: func() -> u64", "get-random-u64: func() -> u32"),
        [
            format!("not in `wit/`: {place}: @since(version = 0.2.0) get-random-u64: func() -> u64"),
            format!("only in `wit/`: {place}: @since(version = 0.2.0) get-random-u64: func() -> u32"),
        ]
    );
    assert_eq!(said("// wasi:random", "// other words, "), [""; 0]);
}
