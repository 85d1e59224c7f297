//! `turnkey cache`: where compiled programs are kept, and how much room they take.

use std::process::ExitCode;

use turnkey::{Cache, CacheUse, ErrorCode};

use crate::args::CacheCommand;
use crate::exit;
use crate::message::{Message, print, words};
use crate::plan::cache::itself;

pub(super) fn cache(command: CacheCommand) -> Result<ExitCode, Message> {
    let cache = itself()?;
    let failed = |code: ErrorCode| Message::new(exit::FAILED, format!("the cache cannot be read: {}", words(code)));
    match command {
        CacheCommand::Dir => print(&format!("{}\n", cache.folder().display()))?,
        CacheCommand::Size => print(&held(&cache).map_err(failed)?)?,
        CacheCommand::Clear => print(&format!("cleared {}\n", amount(cache.clear().map_err(failed)?)))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn held(cache: &Cache) -> Result<String, ErrorCode> {
    Ok(format!("{}\n", amount(cache.used()?)))
}

fn amount(held: CacheUse) -> String {
    let programs = if held.files == 1 { "program" } else { "programs" };
    format!("{} {programs}, {:.1} MB", held.files, held.bytes as f64 / 1e6)
}
