//! Guests in asynchronous stores, as a server runs them: what waits in one of them leaves the thread to the others. The
//! programs are those of `guests/`; what each does by itself is tested where the command line runs it.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use turnkey_core::clocks::ClockGrant;
use turnkey_core::ending::{Exit, Stopped};
use turnkey_core::limits::Limit;
use turnkey_core::sockets::{NetworkGrants, SocketGrant};
use turnkey_core::stream::StreamGrant;
use turnkey_core::{Capabilities, Grants, Limits};
use turnkey_p2::{Preview2, Waits, link};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

/// Longer than anything here takes, so that a test that hangs fails.
const LONGEST: Duration = Duration::from_secs(60);

struct State {
    host: Capabilities,
    preview2: Preview2,
}

fn state(state: &mut State) -> (&mut Capabilities, &mut Preview2) {
    (&mut state.host, &mut state.preview2)
}

/// A pipe: what a guest writes to one end is read from the other.
fn pipe() -> (File, OwnedFd) {
    let (read, write) = std::io::pipe().unwrap();
    (File::from(OwnedFd::from(read)), write.into())
}

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// Runs a guest to its end.
async fn run(engine: &Engine, guest: &str, grants: Grants, limits: Limits) -> wasmtime::Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/bin/components").join(guest);
    let component = Component::from_file(engine, file)?;
    let mut linker = Linker::new(engine);
    link(&mut linker, &component, Waits::InExecutor, state)?;
    let host = Capabilities::new(grants, limits).unwrap();
    let preview2 = Preview2::default();
    let mut store = Store::new(engine, State { host, preview2 });
    let instance = linker.instantiate_async(&mut store, &component).await?;
    let (name, _) = component.component_type().exports(engine).next().map(|(name, _)| (name.to_owned(), ())).unwrap();
    let interface = instance.get_export_index(&mut store, None, &name).unwrap();
    let run = instance.get_export_index(&mut store, Some(&interface), "run").unwrap();
    let run = instance.get_typed_func::<(), (Result<(), ()>,)>(&mut store, run)?;
    match run.call_async(&mut store, ()).await {
        Ok((Ok(()),)) => Ok(()),
        Ok((Err(()),)) => Err(wasmtime::format_err!("the guest failed")),
        Err(error) => match error.downcast_ref() {
            Some(Exit(0)) => Ok(()),
            _ => Err(error),
        },
    }
}

fn on_one_thread<R>(test: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(LONGEST, test).await.expect("it took longer than anything here takes") })
}

/// What is written to a pipe until all its writers are gone, read elsewhere: the guests' thread must not wait for it.
fn read_all(mut pipe: File) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}

/// The first line that comes out of a pipe, a byte at a time.
async fn first_line(mut pipe: File) -> (String, File) {
    tokio::task::spawn_blocking(move || {
        let (mut line, mut byte) = (String::new(), [0]);
        while pipe.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(char::from(byte[0]));
        }
        (line, pipe)
    })
    .await
    .unwrap()
}

#[test]
fn a_server_and_its_clients_share_one_thread() {
    on_one_thread(async {
        let engine = Engine::default();
        let network = |grant: &str| {
            let sockets = vec![SocketGrant::parse(grant).unwrap()];
            NetworkGrants { sockets, ..NetworkGrants::default() }
        };
        let (said, stdout) = pipe();
        let server = Grants {
            arguments: words(&["tcp_echo_server", "127.0.0.1:0", "8"]),
            network: network("tcp-listen=127.0.0.1:*"),
            stdout: StreamGrant::Descriptor(stdout),
            ..Grants::default()
        };
        let client = async |address: &str| {
            let (said, stdout) = pipe();
            let said = read_all(said);
            let grants = Grants {
                arguments: words(&["tcp_client", address, "bytes=300000"]),
                network: network("tcp-connect=127.0.0.1:*"),
                stdout: StreamGrant::Descriptor(stdout),
                ..Grants::default()
            };
            run(&engine, "tcp_client.wasm", grants, Limits::default()).await.unwrap();
            said.join().unwrap()
        };
        let clients = async {
            let (line, rest) = first_line(said).await;
            let address = line.rsplit(' ').next().unwrap().to_owned();
            let one = || client(&address);
            let said = tokio::join!(one(), one(), one(), one(), one(), one(), one(), one());
            (said, read_all(rest))
        };
        let (served, (said, _rest)) =
            tokio::join!(run(&engine, "tcp_echo_server.wasm", server, Limits::default()), clients);
        served.unwrap();
        assert!(said.0.contains("300000"), "{}", said.0);
        assert_eq!(said.0, said.7);
    });
}

#[test]
fn a_guest_that_waits_for_its_input_lets_others_run() {
    on_one_thread(async {
        let engine = Engine::default();
        let (input, held_open) = pipe();
        let (said, stdout) = pipe();
        let said = read_all(said);
        let waiting = Grants {
            arguments: words(&["streams", "stdin"]),
            stdin: StreamGrant::Descriptor(input.into()),
            stdout: StreamGrant::Descriptor(stdout),
            ..Grants::default()
        };
        let others = async {
            // Another guest runs from begin to end while the first one waits; only then does its input come.
            let grants = Grants { arguments: words(&["p2_clocks_random"]), ..Grants::default() };
            run(&engine, "p2_clocks_random.wasm", grants, Limits::default()).await.unwrap();
            std::io::Write::write_all(&mut File::from(held_open), b"at last\n").unwrap();
        };
        let (waited, ()) = tokio::join!(run(&engine, "streams.wasm", waiting, Limits::default()), others);
        waited.unwrap();
        assert!(said.join().unwrap().contains("8"), "the guest counted what came");
    });
}

#[test]
fn time_ends_a_guest_that_waits() {
    on_one_thread(async {
        let engine = Engine::default();
        let (input, _held_open) = pipe();
        let grants = Grants {
            arguments: words(&["streams", "stdin"]),
            stdin: StreamGrant::Descriptor(input.into()),
            ..Grants::default()
        };
        let limits = Limits { timeout: Some(Duration::from_millis(200)), ..Limits::default() };
        let error = run(&engine, "streams.wasm", grants, limits).await.unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Stopped(Limit::Timeout)), "{error:?}");
    });
}

#[test]
fn a_clock_that_stands_still_is_moved_by_waiting_for_it() {
    on_one_thread(async {
        let engine = Engine::default();
        let grants = Grants {
            arguments: words(&["clocks"]),
            clock: ClockGrant { resolution_ns: 1, frozen_at_ns: Some(1_700_000_000_000_000_000) },
            ..Grants::default()
        };
        run(&engine, "clocks.wasm", grants, Limits::default()).await.unwrap();
    });
}
