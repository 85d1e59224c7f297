//! Look-ups by `wasi:sockets/ip-name-lookup`: `p3_lookup WAY NAME…`, a line for each name, in their order.
//!
//! `after` asks for one after the other, `together` for all at once. `cancelled` begins each a hundred times and waits for none
//! of them, and asks again until there is an answer.

use std::pin::pin;

use async_components::{code, command, fail, ip_from_wasi};
use futures::future::join_all;
use futures::poll;
use wasip3::cli::environment::get_arguments;
use wasip3::clocks::monotonic_clock::wait_for;
use wasip3::sockets::ip_name_lookup::{ErrorCode, resolve_addresses};

command!(run);

async fn run() -> Result<(), ()> {
    let arguments = get_arguments();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let [way, names @ ..] = words.as_slice() else { fail("p3_lookup", "WAY NAME…") };
    match *way {
        "after" => {
            for name in names {
                tell(name, resolve_addresses((*name).to_owned()).await);
            }
        }
        "together" => {
            let answers = join_all(names.iter().map(|name| resolve_addresses((*name).to_owned()))).await;
            for (name, answer) in names.iter().zip(answers) {
                tell(name, answer);
            }
        }
        "cancelled" => {
            for name in names {
                cancelled(name).await;
            }
        }
        _ => fail(way, "no such way"),
    }
    Ok(())
}

fn tell(name: &str, answer: Result<Vec<wasip3::sockets::types::IpAddress>, ErrorCode>) {
    match answer {
        Ok(found) => {
            let found: Vec<String> = found.into_iter().map(|ip| ip_from_wasi(ip).to_string()).collect();
            println!("{name}: {}", found.join(" "));
        }
        Err(error) => println!("{name}: {}", code(error)),
    }
}

async fn cancelled(name: &str) {
    let mut waited = 0;
    for _ in 0..100 {
        let mut lookup = pin!(resolve_addresses(name.to_owned()));
        waited += u32::from(poll!(lookup.as_mut()).is_pending());
    }
    println!("{name}: some had to wait: {}", waited > 0);
    for _ in 0..10_000 {
        match resolve_addresses(name.to_owned()).await {
            // As many as may be are under way, of those that nobody waits for.
            Err(ErrorCode::TemporaryResolverFailure) => wait_for(1_000_000).await,
            answer => return tell(name, answer),
        }
    }
    fail(name, "no answer");
}
