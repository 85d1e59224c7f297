//! The one entry for every task of this repository: `cargo xtask TASK`.

use std::process::ExitCode;

use xtask::componentize;

mod bench;
mod conformance;
mod guests;

const USAGE: &str = "\
usage: cargo xtask TASK

  guests [NAME…]                 compile the guest programs again, and write the hashes of their sources
  componentize [--reactor] IN OUT
                                 make a component of a Preview 1 module
  conformance --suite FOLDER     run the WASI project's test suite with conformance/turnkey.py
      [--components]
  bench hostcalls                each host call beside a peer and beside native code
  bench startup                  whole runs of a small module beside a peer
  bench echo                     TCP through a guest that sends back what comes
  bench connections              what each of many connections takes of memory
  bench streams                  streams and timers of Preview 3 beside a peer
  bench serve                    HTTP beside a peer and beside hyper alone
  bench serve-cold               from the start of a server to its first answer beside a peer
  bench faults                   HTTP whose guests fail, beside such that do not
  bench reload                   HTTP while the app is loaded anew
  bench density                  what each of many waiting instances takes of memory
      [--rounds N] [--only NAME,…] [--json FILE] [--folder FOLDER] [--check]
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.first().map(String::as_str) {
        Some("guests") => guests::run(&words[1..]),
        Some("componentize") => componentize::run(&words[1..]),
        Some("conformance") => conformance::run(&words[1..]),
        Some("bench") => bench::run(&words[1..]),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{}", message.trim_end());
            ExitCode::FAILURE
        }
    }
}
