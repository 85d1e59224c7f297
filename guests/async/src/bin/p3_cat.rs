//! `p3_cat [FILE…]`: all of the files, or of standard input where there are none, to standard output. The streams are handed
//! from one side of the host to the other: this program sees no byte of them. Files are relative to the directory `/`.

use async_components::{command, directory, fail};
use wasip3::cli::environment::get_arguments;
use wasip3::cli::{stdin, stdout};
use wasip3::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};

command!(run);

async fn run() -> Result<(), ()> {
    let files = get_arguments().split_off(1);
    if files.is_empty() {
        let (stream, read) = stdin::read_via_stream();
        let written = stdout::write_via_stream(stream).await;
        read.await.map_err(|_| ())?;
        return written.map_err(|_| ());
    }
    let root = directory("/");
    for file in files {
        let opened = root.open_at(PathFlags::SYMLINK_FOLLOW, file.clone(), OpenFlags::empty(), DescriptorFlags::READ);
        let descriptor = opened.await.unwrap_or_else(|code| fail(&file, async_components::code(code)));
        let (stream, read) = descriptor.read_via_stream(0);
        stdout::write_via_stream(stream).await.map_err(|_| ())?;
        if let Err(code) = read.await {
            fail(&file, async_components::code(code));
        }
    }
    Ok(())
}
