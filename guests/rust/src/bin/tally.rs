//! Counts the lines, words and bytes of files: the first program that the README runs.
//!
//! `tally [FILE|DIRECTORY…]` goes through directories, sorted, without following the symbolic links in them; without
//! arguments it counts standard input. What cannot be read is named on standard error, the rest is still counted, and
//! the status is 1.
//!
//! Native: the same source runs outside WebAssembly, and prints the same.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Clone, Copy, Default)]
struct Count {
    lines: u64,
    words: u64,
    bytes: u64,
}

impl Count {
    fn of(input: impl io::Read) -> io::Result<Count> {
        let mut input = BufReader::with_capacity(64 * 1024, input);
        let mut count = Count::default();
        let mut in_word = false;
        loop {
            let chunk = input.fill_buf()?;
            if chunk.is_empty() {
                return Ok(count);
            }
            for byte in chunk {
                let space = byte.is_ascii_whitespace();
                count.lines += u64::from(*byte == b'\n');
                count.words += u64::from(in_word && space);
                in_word = !space;
            }
            let length = chunk.len();
            count.bytes += length as u64;
            input.consume(length);
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.lines += other.lines;
        self.words += other.words;
        self.bytes += other.bytes;
    }
}

#[derive(Default)]
struct Tally {
    rows: Vec<(PathBuf, Count)>,
    failed: bool,
}

impl Tally {
    fn add(&mut self, path: &Path) {
        if let Err(error) = self.try_add(path) {
            self.failed = true;
            let message = error.to_string();
            // The number after the words is the platform's own, and tells a reader nothing.
            let words = message.split(" (os error").next().unwrap_or(&message);
            eprintln!("tally: {}: {words}", path.display());
        }
    }

    fn try_add(&mut self, path: &Path) -> io::Result<()> {
        if !fs::metadata(path)?.is_dir() {
            self.rows.push((path.to_owned(), Count::of(File::open(path)?)?));
            return Ok(());
        }
        let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(|entry| entry.file_name());
        for entry in entries {
            let kind = entry.file_type()?;
            if kind.is_dir() || kind.is_file() {
                self.add(&entry.path());
            }
        }
        Ok(())
    }

    fn print(&self) -> io::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut total = Count::default();
        writeln!(out, "{:>9} {:>9} {:>11}", "lines", "words", "bytes")?;
        for (path, count) in &self.rows {
            total += *count;
            row(&mut out, *count, &path.display().to_string())?;
        }
        let files = if self.rows.len() == 1 { "file" } else { "files" };
        row(&mut out, total, &format!("total of {} {files}", self.rows.len()))?;
        out.flush()
    }
}

fn row(out: &mut impl Write, count: Count, name: &str) -> io::Result<()> {
    writeln!(out, "{:>9} {:>9} {:>11}  {name}", count.lines, count.words, count.bytes)
}

fn main() -> ExitCode {
    let paths: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut tally = Tally::default();
    if paths.is_empty() {
        match Count::of(io::stdin().lock()) {
            Ok(count) => tally.rows.push(("(standard input)".into(), count)),
            Err(error) => {
                eprintln!("tally: standard input: {error}");
                tally.failed = true;
            }
        }
    }
    for path in &paths {
        tally.add(Path::new(path));
    }
    if let Err(error) = tally.print() {
        eprintln!("tally: standard output: {error}");
        tally.failed = true;
    }
    ExitCode::from(u8::from(tally.failed))
}
