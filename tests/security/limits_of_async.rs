//! limits
use crate::async_component::app;
use crate::harness::{Folder, Ran, run, turnkey, granted};

fn run_text(flags: &[&str], fields: &str, body: &str) -> Ran {
    let (folder, apps) = (Folder::new(), Folder::new());
    let mut command = turnkey();
    command.args(["run", "--timeout", "20s"]).args(flags).arg("--dir").arg(granted(folder.root(), "/d"));
    run(command.arg(app(&apps, fields, body)))
}

#[test]
fn scratch() {
    for body in [
        "(i32.store (i32.const 100) (i32.const 0x656c6966)) (drop (call $file)) (call $print (i32.const 100) (i32.const 4))",
        "(loop $again (drop (call $stdout.write-via-stream.0.new)) (br $again))",
        "(loop $again (drop (call $stdout.write-via-stream.1.new)) (br $again))",
        "(loop $again (drop (call $waitable-set.new)) (br $again))",
        "(loop $again (drop (call $monotonic-clock.wait-for.async (i64.const 0x7fffffffffffffff))) (br $again))",
        "(loop $again (call $stdin.read-via-stream (i32.const 16)) (br $again))",
        "(loop $again (call $descriptor.read-directory (call $root) (i32.const 16)) (br $again))",
        "(drop (call $p2:monotonic-clock.now))",
    ] {
        let ran = run_text(&[], "", body);
        eprintln!("{body}: {} MiB {:?} {:?} {ran:?}", ran.peak_bytes >> 20, ran.cpu, ran.status());
    }
}
