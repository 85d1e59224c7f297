//! `p3_small_reads`: reads `/dir/numbers`, lines of eight bytes, in pieces of eight by one stream, and changes it meanwhile in
//! every way that a program has: what it reads next is what is there by then. Prints what it saw that should not have been.

use async_components::{command, directory, fed, must};
use wasip3::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};
use wasip3::wit_bindgen::StreamReader;

command!(run);

/// Lines of the file.
const LINES: usize = 2000;

fn line(number: usize) -> Vec<u8> {
    format!("{number:07}\n").into_bytes()
}

async fn next(stream: &mut StreamReader<u8>) -> Vec<u8> {
    let (_, read) = stream.read(Vec::with_capacity(8)).await;
    read
}

async fn overwrite(file: &Descriptor, number: usize, text: &[u8]) {
    must("write", fed(text, |data| file.write_via_stream(data, number as u64 * 8)).await);
}

async fn run() -> Result<(), ()> {
    let root = directory("/dir");
    let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
    let opened = root.open_at(PathFlags::empty(), "numbers".into(), OpenFlags::CREATE | OpenFlags::TRUNCATE, flags);
    let file = must("open", opened.await);
    let all: Vec<u8> = (0..LINES).flat_map(line).collect();
    must("write", fed(all, |data| file.write_via_stream(data, 0)).await);

    let mut wrong = 0;
    let (mut stream, end) = file.read_via_stream(0);
    let mut expect = |what: &str, read: Vec<u8>, expected: &[u8]| {
        if read != expected {
            println!("{what}: {:?}", String::from_utf8_lossy(&read));
            wrong += 1;
        }
    };
    for number in 0..100 {
        expect("plainly", next(&mut stream).await, &line(number));
    }
    overwrite(&file, 101, b"changed\n").await;
    expect("before a change", next(&mut stream).await, &line(100));
    expect("after a change through a stream", next(&mut stream).await, b"changed\n");
    for number in 102..150 {
        expect("after it", next(&mut stream).await, &line(number));
    }
    // By the standard library, which goes through WASI 0.2.
    let changed = std::fs::read("/dir/numbers").map(|mut bytes| {
        bytes[150 * 8..151 * 8].copy_from_slice(b"by std.\n");
        std::fs::write("/dir/numbers", bytes)
    });
    must("std", changed.and_then(|written| written).map_err(|error| error.kind()));
    expect("after a change by the standard library", next(&mut stream).await, b"by std.\n");
    for number in 151..200 {
        expect("after that", next(&mut stream).await, &line(number));
    }
    must("set-size", file.set_size(201 * 8).await);
    expect("before the new end", next(&mut stream).await, &line(200));
    expect("beyond the new end", next(&mut stream).await, b"");
    must("the end", end.await);
    println!("{wrong} wrong");
    Ok(())
}
