//! What is in files: reads and writes at offsets, at the end and beyond it; holes, sizes, appending.

use super::{Advice, How, Scenario, Stage, escaped, scenario};

const GROUP: &str = "contents";

pub const SCENARIOS: &[Scenario] = &[
    scenario(GROUP, "read at offsets", reads),
    scenario(GROUP, "read large pieces", large_reads),
    scenario(GROUP, "write at offsets", writes),
    scenario(GROUP, "write large pieces", large_writes),
    scenario(GROUP, "a file with a hole", hole),
    scenario(GROUP, "cut and lengthen", sizes),
    scenario(GROUP, "truncate while opening", truncated),
    scenario(GROUP, "append", appends),
    scenario(GROUP, "two descriptors of one file", two),
    scenario(GROUP, "read what is open to write only", |stage| one_way(stage, How::WRITE)),
    scenario(GROUP, "write what is open to read only", |stage| one_way(stage, How::READ)),
    scenario(GROUP, "read and write a directory", directory),
    scenario(GROUP, "a file that has no name any more", unlinked),
    scenario(GROUP, "advice", advice),
    scenario(GROUP, "on the device", sync),
];

/// Around what a signed number can count, and what an unsigned one can.
const FAR: [u64; 4] = [(1 << 63) - 1, 1 << 63, (1 << 63) + 1, u64::MAX];

fn reads(stage: &Stage<'_>) {
    let root = stage.root();
    let file = stage.file(root, b"new", b"0123456789");
    for (offset, most) in [(0, 4), (4, 4), (8, 4), (9, 1), (10, 4), (11, 4), (1 << 40, 4), (0, 10), (0, 100), (0, 0)] {
        stage.read_at(file, offset, most);
        stage.read_from(file, offset, most);
    }
    // Beyond 2⁶³ Preview 1 has no place to go to, so that only the first way of reading is the same in all.
    for offset in FAR {
        stage.read_at(file, offset, 4);
        stage.read_at(file, offset, 0);
    }
    stage.read_from(file, FAR[0], 4);
    stage.wasi.close(file);
    stage.clear(root, b"new");
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 31 % 251) as u8).collect()
}

/// Hosts have other ways for pieces of some size.
fn large_reads(stage: &Stage<'_>) {
    let root = stage.root();
    let bytes = pattern(300_000);
    let file = stage.file(root, b"new", &bytes);
    for (offset, most) in [
        (0, 1023),
        (0, 1024),
        (0, 1025),
        (0, 65_536),
        (100_000, 65_537),
        (299_990, 100_000),
        (300_000, 100_000),
        (300_001, 2_000),
        (1 << 40, 2_000),
        (0, 300_000),
        (0, 1_000_000),
    ] {
        let answer = stage.wasi.read_at(file, offset, most);
        let right = |read: &Vec<u8>| {
            let expected = bytes.get(offset as usize..).unwrap_or_default();
            format!("{} bytes, right {}", read.len(), expected.starts_with(read))
        };
        stage.tell(format_args!("read {most} at {offset}"), answer, right);
        let answer = stage.wasi.read_from(file, offset, most);
        stage.tell(format_args!("read {most} from {offset} on"), answer, right);
    }
    // The others take the length for a wish: that it would lead beyond 2⁶³ does not matter there.
    for offset in &FAR[1..] {
        stage.read_at(file, *offset, 2_000);
    }
    stage.wasi.close(file);
    stage.clear(root, b"new");
}

fn writes(stage: &Stage<'_>) {
    let root = stage.root();
    let file = stage.file(root, b"new", b"0123456789");
    for (offset, bytes) in
        [(0, &b"ab"[..]), (8, b"cd"), (9, b"efg"), (12, b"h"), (20, b"i"), (3, b""), (100, b""), (0, b"")]
    {
        stage.write_at(file, offset, bytes);
        stage.read_at(file, 0, 50);
        stage.write_from(file, offset + 1, bytes);
        stage.read_at(file, 0, 50);
    }
    for offset in FAR {
        stage.write_at(file, offset, b"x");
        stage.write_at(file, offset, b"");
    }
    stage.stat(file);
    stage.wasi.close(file);
    stage.clear(root, b"new");
}

fn large_writes(stage: &Stage<'_>) {
    let root = stage.root();
    let bytes = pattern(300_000);
    let file = stage.file(root, b"new", b"");
    stage.write_at(file, 10, &bytes);
    stage.stat(file);
    stage.write_from(file, 299_000, &bytes);
    stage.stat(file);
    let mut sum = 0_u64;
    let mut offset = 0;
    while let Ok(read) = stage.wasi.read_at(file, offset, 10_000) {
        if read.is_empty() {
            break;
        }
        offset += read.len() as u64;
        sum = read.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    }
    stage.line(format_args!("{offset} bytes, sum {sum:x}"));
    stage.wasi.close(file);
    stage.clear(root, b"new");
}

fn hole(stage: &Stage<'_>) {
    let root = stage.root();
    let file = stage.file(root, b"new", b"begin");
    stage.write_at(file, 1 << 20, b"end");
    stage.stat(file);
    stage.read_at(file, 3, 8);
    stage.read_at(file, (1 << 20) - 4, 50);
    stage.read_from(file, (1 << 20) - 4, 50);
    stage.read_at(file, 500_000, 30);
    stage.wasi.close(file);
    stage.clear(root, b"new");
}

fn sizes(stage: &Stage<'_>) {
    let root = stage.root();
    let file = stage.file(root, b"new", b"0123456789");
    for bytes in [5, 5, 0, 8, 8, 1 << 20, 3] {
        stage.set_size(file, bytes);
        stage.stat(file);
        stage.read_at(file, 0, 20);
    }
    for bytes in FAR {
        stage.set_size(file, bytes);
    }
    stage.stat(file);
    stage.wasi.close(file);
    stage.clear(root, b"new");
}

fn truncated(stage: &Stage<'_>) {
    let root = stage.root();
    for how in [
        How { truncate: true, ..How::READ },
        How { truncate: true, ..How::WRITE },
        How { truncate: true, ..How::BOTH },
        How { truncate: true, exclusive: true, ..How::CREATE },
    ] {
        stage.write(root, b"new", b"0123456789");
        if let Some(file) = stage.open(root, b"new", how) {
            stage.access(file);
            stage.write_at(file, 2, b"x");
            stage.read_at(file, 0, 20);
            stage.wasi.close(file);
        }
        stage.show(root, b"new");
    }
    stage.clear(root, b"new");
}

fn appends(stage: &Stage<'_>) {
    let root = stage.root();
    stage.write(root, b"new", b"0123");
    let how = How { append: true, ..How::BOTH };
    let file = stage.must("new", stage.wasi.open(root.fd, b"new", how));
    stage.append(file, b"45");
    stage.append(file, b"");
    stage.show(root, b"new");
    // Somebody else makes it longer meanwhile, then shorter.
    let other = stage.must("new", stage.wasi.open(root.fd, b"new", How::BOTH));
    stage.write_at(other, 6, b"other");
    stage.append(file, b"67");
    stage.show(root, b"new");
    stage.set_size(other, 2);
    stage.append(file, b"89");
    stage.show(root, b"new");
    stage.append(file, &pattern(10_000));
    stage.stat(file);
    stage.write_at(file, 0, b"at");
    stage.read_at(file, 0, 8);
    stage.wasi.close(other);
    stage.wasi.close(file);
    stage.clear(root, b"new");
}

fn two(stage: &Stage<'_>) {
    let root = stage.root();
    let one = stage.file(root, b"new", b"0123456789");
    let two = stage.must("new", stage.wasi.open(root.fd, b"new", How::BOTH));
    let reader = stage.must("new", stage.wasi.open(root.fd, b"new", How::READ));
    stage.write_from(one, 2, b"ab");
    stage.write_from(two, 3, b"cd");
    stage.read_from(reader, 0, 50);
    stage.set_size(two, 4);
    stage.read_from(one, 2, 50);
    stage.read_from(reader, 4, 50);
    stage.write_from(one, 8, b"z");
    stage.read_from(reader, 0, 50);
    for file in [one, two, reader] {
        stage.wasi.close(file);
    }
    stage.clear(root, b"new");
}

fn one_way(stage: &Stage<'_>, how: How) {
    let root = stage.root();
    stage.write(root, b"new", b"0123456789");
    let file = stage.must("new", stage.wasi.open(root.fd, b"new", how));
    stage.access(file);
    stage.read_at(file, 0, 4);
    stage.read_at(file, 0, 0);
    stage.read_from(file, 0, 4);
    stage.write_at(file, 0, b"x");
    stage.write_at(file, 0, b"");
    stage.write_from(file, 1, b"y");
    stage.set_size(file, 5);
    stage.stat(file);
    stage.done("sync", stage.wasi.sync(file, false));
    stage.done("sync-data", stage.wasi.sync(file, true));
    stage.done("advise", stage.wasi.advise(file, 0, 0, Advice::Normal));
    stage.wasi.close(file);
    stage.show(root, b"new");
    stage.clear(root, b"new");
}

fn directory(stage: &Stage<'_>) {
    let root = stage.root();
    for how in [How::READ, How::DIRECTORY] {
        let directory = stage.must("directory", stage.wasi.open(root.fd, b"directory", how));
        stage.stat(directory);
        stage.read_at(directory, 0, 4);
        stage.read_from(directory, 0, 4);
        stage.write_at(directory, 0, b"x");
        stage.write_from(directory, 0, b"x");
        stage.set_size(directory, 0);
        stage.done("sync", stage.wasi.sync(directory, false));
        stage.done("sync-data", stage.wasi.sync(directory, true));
        stage.done("advise", stage.wasi.advise(directory, 0, 0, Advice::Normal));
        stage.wasi.close(directory);
    }
}

fn unlinked(stage: &Stage<'_>) {
    let root = stage.root();
    let file = stage.file(root, b"new", b"0123456789");
    stage.unlink_file(root, b"new");
    stage.stat(file);
    stage.read_at(file, 4, 10);
    stage.write_at(file, 8, b"abcd");
    stage.read_from(file, 6, 10);
    stage.set_size(file, 3);
    stage.stat(file);
    stage.stat_at(root, b"new", false);
    stage.wasi.close(file);
}

fn advice(stage: &Stage<'_>) {
    let root = stage.root();
    let file = stage.file(root, b"new", b"0123456789");
    let all = [Advice::Normal, Advice::Sequential, Advice::Random, Advice::WillNeed, Advice::DontNeed, Advice::NoReuse];
    for (index, advice) in all.into_iter().enumerate() {
        for (offset, bytes) in [(0, 0), (2, 5), (100, 100), (FAR[0], 1), (FAR[0], 0), (1 << 63, 0), (0, u64::MAX)] {
            let answer = stage.wasi.advise(file, offset, bytes, advice);
            stage.done(format_args!("advise {index} for {bytes} at {offset}"), answer);
        }
    }
    stage.wasi.close(file);
    stage.clear(root, b"new");
}

fn sync(stage: &Stage<'_>) {
    let root = stage.root();
    let file = stage.file(root, b"new", b"0123456789");
    for data_only in [false, true] {
        stage.done(format_args!("sync {}, data only {data_only}", escaped(b"new")), stage.wasi.sync(file, data_only));
        stage.done(format_args!("sync the directory, data only {data_only}"), stage.wasi.sync(root.fd, data_only));
    }
    stage.wasi.close(file);
    stage.clear(root, b"new");
}
