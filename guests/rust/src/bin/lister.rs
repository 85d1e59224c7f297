//! Lists directories by the raw call, whose buffers cut entries off and whose cookies say where to go on.
//!
//! `lister DIRECTORY` prints what is in it, sorted: the type of each entry, and the bytes of its name, escaped.
//!
//! `lister DIRECTORY while-changing` makes a directory in it, and lists that with small buffers while files come and go
//! between two calls. A file that was there from beginning to end must show once, and no file twice.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use guests::{Errno, Fd, dirents, escaped, fail, fd_close, fd_readdir, filetype_name};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let root = arguments.get(1).unwrap_or_else(|| fail("lister", "usage: lister DIRECTORY [while-changing]"));
    if arguments.get(2).is_some_and(|mode| mode == "while-changing") {
        for size in [64, 65, 100, 256, 1000, 4096] {
            while_changing(Path::new(root), size)?;
        }
        return Ok(());
    }
    let directory = guests::directory(root).unwrap_or_else(|errno| fail(root, errno));
    let mut entries = Vec::new();
    read(directory, 32 * 1024, |name, filetype| {
        entries.push((name.to_vec(), filetype));
        Ok(())
    })?;
    entries.sort();
    for (name, filetype) in entries {
        println!("{} {}", filetype_name(filetype), escaped(&name));
    }
    Ok(())
}

/// Reads a whole directory through a buffer of this size. `seen` may change the directory: what the buffer holds is
/// copied first.
fn read(directory: Fd, size: usize, mut seen: impl FnMut(&[u8], u8) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; size];
    let mut cookie = 0;
    loop {
        let used = fd_readdir(directory, &mut buffer, cookie).map_err(error)?;
        assert!(used <= buffer.len(), "more used than there is");
        let mut whole = 0;
        for entry in dirents(&buffer[..used]) {
            seen(entry.name, entry.filetype)?;
            cookie = entry.next;
            whole += 1;
        }
        if used < buffer.len() {
            return Ok(());
        }
        if whole == 0 {
            // Not one entry fits: the same cookie again, with more room.
            buffer.resize(buffer.len() * 2, 0);
        }
    }
}

fn while_changing(root: &Path, size: usize) -> io::Result<()> {
    const STABLE: usize = 300;
    const DOOMED: usize = 100;
    let place = root.join("changing");
    fs::create_dir(&place)?;
    for index in 0..STABLE {
        File::create(place.join(format!("stable-{index}")))?;
    }
    for index in 0..DOOMED {
        File::create(place.join(format!("doomed-{index}")))?;
    }
    let directory = guests::directory(&place.to_string_lossy()).map_err(error)?;

    let mut times: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    let mut step = 0;
    read(directory, size, |name, _| {
        *times.entry(name.to_vec()).or_default() += 1;
        if step < DOOMED {
            fs::remove_file(place.join(format!("doomed-{step}")))?;
            File::create(place.join(format!("new-{step}")))?;
            step += 1;
        }
        Ok(())
    })?;

    for index in 0..STABLE {
        let name = format!("stable-{index}");
        assert_eq!(times.get(name.as_bytes()), Some(&1), "{name}, with a buffer of {size}");
    }
    for (name, times) in &times {
        assert_eq!(*times, 1, "{}, with a buffer of {size}", escaped(name));
    }
    fd_close(directory).map_err(error)?;
    fs::remove_dir_all(&place)?;
    println!("ok: a buffer of {size} bytes");
    Ok(())
}

fn error(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.0.into())
}
