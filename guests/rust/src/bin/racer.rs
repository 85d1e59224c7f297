//! One half of a race: opens a path again and again while somebody outside swaps a directory on it for a symbolic link
//! that leads out.
//!
//! `racer DIRECTORY PATH COUNT`: PATH (`swap/secret`, say) is looked up in DIRECTORY, which was handed over, with
//! symbolic links followed. If a file that opens begins with `SECRET`, the way out was found: status 66. Else it prints
//! how many opened and how many were refused.

use guests::rights::{FD_READ, FD_SEEK};
use guests::{SYMLINK_FOLLOW, directory, fail, fd_close, fd_read, path_open};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, root, path, count] = arguments.as_slice() else { fail("racer", "usage: racer DIRECTORY PATH COUNT") };
    let root = directory(root).unwrap_or_else(|errno| fail(root, errno));
    let count: u64 = count.parse().unwrap_or_else(|error| fail(count, error));

    let mut opened = 0;
    for _ in 0..count {
        let Ok(file) = path_open(root, SYMLINK_FOLLOW, path.as_bytes(), 0, FD_READ | FD_SEEK) else { continue };
        opened += 1;
        let mut beginning = [0; 16];
        if fd_read(file, &mut beginning).is_ok() && beginning.starts_with(b"SECRET") {
            println!("ESCAPED via {path} after {opened} opens");
            std::process::exit(66);
        }
        fd_close(file).unwrap_or_else(|errno| fail("fd_close", errno));
    }
    println!("opened {opened}, refused {}", count - opened);
}
