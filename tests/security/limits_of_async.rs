//! limits
use crate::async_component::large_app;
use crate::harness::{Folder, Ran, run, turnkey, granted};

fn run_text(flags: &[&str], fields: &str, body: &str) -> Ran {
    let (folder, apps) = (Folder::new(), Folder::new());
    let mut command = turnkey();
    command.args(["run", "--timeout", "20s"]).args(flags).arg("--dir").arg(granted(folder.root(), "/d"));
    run(command.arg(large_app(&apps, 1024, fields, body)))
}

#[test]
fn scratch() {
    for b in ["(call $random.get-random-bytes (i64.const 65536) (i32.const 16))",
       "(call $insecure.get-insecure-random-bytes (i64.const 65536) (i32.const 16))",
       "(call $monotonic-clock.wait-for (i64.const 0))",
       "(call $monotonic-clock.wait-for (i64.const 1))",
       "(drop (call $monotonic-clock.wait-for.async (i64.const 0)))",
       "(drop (call $stdout.write-via-stream.0.new))",
    ] {
    let ran = run_text(&["--fuel", "2000000"], "", &format!("(loop $again (global.set $heap (i32.const 1048576)) {b} (br $again))"));
    eprintln!("{b} {ran:?}");
    }
}
