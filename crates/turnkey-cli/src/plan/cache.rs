//! Which cache is used.

use turnkey::{Cache, ErrorCode};

use crate::exit;
use crate::message::{Message, error_line, escaped, words};

/// The user's cache, for a run: one that cannot be used costs time, and nothing else.
pub(crate) fn for_run() -> Option<Cache> {
    let folder = Cache::default_folder()?;
    match Cache::open(&folder) {
        Ok(cache) => Some(cache),
        Err(ErrorCode::NotPermitted) => {
            let folder = escaped(&folder.display().to_string());
            error_line(&format!("warning: the cache `{folder}` is not used: it is not yours alone to write to"));
            None
        }
        Err(_) => None,
    }
}

/// The user's cache, for a command that is about it.
pub(crate) fn itself() -> Result<Cache, Message> {
    let none = || {
        Message::new(exit::FAILED, "there is no cache: you have no home directory")
            .hint("set `XDG_CACHE_HOME` to the folder that it should be in")
    };
    let folder = Cache::default_folder().ok_or_else(none)?;
    Cache::open(&folder).map_err(|code| {
        let folder = escaped(&folder.display().to_string());
        let why =
            if code == ErrorCode::NotPermitted { "it is not yours alone to write to".to_owned() } else { words(code) };
        Message::new(exit::FAILED, format!("the cache `{folder}` cannot be used: {why}"))
    })
}
