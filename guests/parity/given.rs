//! What a program is given: arguments, variables, the standard streams; and how it ends.

use super::{Scenario, Stage, Stream, Wait, escaped, scenario};

pub const SCENARIOS: &[Scenario] = &[
    scenario("given", "arguments", arguments),
    scenario("given", "variables", variables),
    scenario("given", "directories", directories),
    scenario("stdin", "wait for input", wait),
    scenario("stdin", "read to the end", read),
    scenario("stdin", "read after the end", after_the_end),
    scenario("stdout", "write", write),
    scenario("stdout", "write much", write_much),
    scenario("fails-on-stderr", "write where nothing can be written", write_nowhere),
    scenario("exit", "end with a status", exit),
];

/// But for the first, which is the program's own name.
fn arguments(stage: &Stage<'_>) {
    let arguments = stage.wasi.arguments();
    stage.line(format_args!("{} arguments", arguments.len()));
    for argument in arguments.iter().skip(1) {
        stage.line(escaped(argument));
    }
}

fn variables(stage: &Stage<'_>) {
    for (name, value) in stage.wasi.variables() {
        stage.line(format_args!("{} is {}", escaped(&name), escaped(&value)));
    }
}

fn directories(stage: &Stage<'_>) {
    for name in ["/rw", "/ro", "/", "", ".", "/rw/", "/absent"] {
        stage.line(format_args!("`{name}`: {}", stage.wasi.handed_over(name).is_some()));
    }
}

fn wait(stage: &Stage<'_>) {
    // Input is there, or its end, from the beginning.
    stage.line(format_args!("happened: {:?}", stage.wasi.poll(&[Wait::Stdin])));
    let an_hour = Wait::For(3_600_000_000_000);
    stage.line(format_args!("happened: {:?}", stage.wasi.poll(&[an_hour, Wait::Stdin, an_hour, Wait::Stdin])));
}

fn read(stage: &Stage<'_>) {
    stage.tell("read nothing", stage.wasi.read_stdin(0), |bytes| format!("{} bytes", bytes.len()));
    let (mut all, mut sum) = (0, 0_u64);
    for room in [1, 7, 1000, 1024, 1025, 70_000].into_iter().cycle() {
        match stage.wasi.read_stdin(room) {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => {
                all += bytes.len();
                sum = bytes.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
            }
            Err(word) => return stage.line(format_args!("after {all} bytes: {word}")),
        }
    }
    stage.line(format_args!("{all} bytes, sum {sum:x}"));
}

fn after_the_end(stage: &Stage<'_>) {
    for _ in 0..2 {
        stage.tell("read", stage.wasi.read_stdin(10), |bytes| format!("{} bytes", bytes.len()));
        stage.line(format_args!("happened: {:?}", stage.wasi.poll(&[Wait::Stdin])));
    }
}

fn write(stage: &Stage<'_>) {
    stage.flush();
    for bytes in [&b"\0\xff\x1b[0m"[..], b"no end of the line", b"", b"\n"] {
        stage.done(format_args!("write {}", escaped(bytes)), stage.wasi.write_to(Stream::Stdout, bytes));
        stage.flush();
    }
    for bytes in [&b"\0\x1b[0m"[..], b"no end of the line", b"", b"\n"] {
        stage.done(format_args!("write {}", escaped(bytes)), stage.wasi.write_to(Stream::Stderr, bytes));
    }
}

fn write_much(stage: &Stage<'_>) {
    let line = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+\n";
    stage.flush();
    stage.done("write", stage.wasi.write_to(Stream::Stderr, &line.repeat(3_000)));
    stage.done("write", stage.wasi.write_to(Stream::Stdout, &line.repeat(5_000)));
}

/// Once: a stream of Preview 2 that has failed is closed, and says nothing else. Preview 3 has few words for what goes wrong
/// with a standard stream: a full device is `io` there, and so it is here.
fn write_nowhere(stage: &Stage<'_>) {
    let written = stage.wasi.write_to(Stream::Stdout, b"lost");
    stage.done("write", written.map_err(|word| if word == "insufficient-space" { "io" } else { word }));
}

fn exit(stage: &Stage<'_>) {
    let arguments = stage.wasi.arguments();
    let status = arguments.get(2).and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
    stage.flush();
    stage.wasi.exit(stage.must("a status", status.ok_or("invalid")));
}
