//! Processes, with an end to each wait.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// How a process ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) ended: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    /// The most memory that it ever had.
    pub(crate) peak_bytes: u64,
    /// Processor time, its own and the kernel's for it: unlike time on a clock, no busy machine makes it much longer.
    pub(crate) cpu: Duration,
}

/// A process that is running. It is killed when this is dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    over: bool,
}

/// Runs a command to its end. What it says is read; streams that were set before are left as they are.
pub(crate) fn run(command: &mut Command) -> Ran {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    start(command).wait()
}

/// Starts a command. Streams that are pipes to the test are read by threads.
pub(crate) fn start(command: &mut Command) -> Running {
    let mut child = command.spawn().unwrap();
    let stdout = child.stdout.take().map(|stream: ChildStdout| std::thread::spawn(move || drain(stream)));
    let stderr = child.stderr.take().map(|stream: ChildStderr| std::thread::spawn(move || drain(stream)));
    Running { child, stdout, stderr, over: false }
}

fn drain(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

impl Running {
    /// A process whose streams the test reads itself, but for stdout.
    pub(crate) fn of(mut child: Child) -> Self {
        let stdout = child.stdout.take().map(|stream| std::thread::spawn(move || drain(stream)));
        Running { child, stdout, stderr: None, over: false }
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self) -> Ran {
        let begin = Instant::now();
        let (status, usage) = loop {
            if let Some(ended) = self.ended() {
                break ended;
            }
            assert!(begin.elapsed() < PATIENCE, "it runs for longer than {PATIENCE:?}: {}", self.kill());
            std::thread::sleep(Duration::from_millis(2));
        };
        let read = |thread: Option<JoinHandle<Vec<u8>>>| thread.map_or(Vec::new(), |thread| thread.join().unwrap());
        Ran {
            ended: ExitStatus::from_raw(status),
            stdout: read(self.stdout.take()),
            stderr: String::from_utf8(read(self.stderr.take())).expect("messages are text"),
            // The kernel counts kilobytes, and never below nothing.
            peak_bytes: usage.ru_maxrss as u64 * 1024,
            cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
        }
    }

    /// Whether it has ended by now; the kernel's account of it if so.
    fn ended(&mut self) -> Option<(i32, libc::rusage)> {
        let mut status = 0;
        // SAFETY: a record of numbers, for which all zeroes is a value.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        let process = self.child.id() as libc::pid_t;
        // SAFETY: both pointers are to values of ours; the process is a child that nobody else waits for.
        let found = unsafe { libc::wait4(process, &mut status, libc::WNOHANG, &mut usage) };
        assert!(found >= 0, "{}", std::io::Error::last_os_error());
        self.over = found > 0;
        self.over.then_some((status, usage))
    }

    /// Ends it, and gives what it had said on stderr.
    fn kill(&mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.over = true;
        self.stderr.take().map_or(String::new(), |thread| String::from_utf8_lossy(&thread.join().unwrap()).into_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000)
}

impl Ran {
    /// The status, which there is unless a signal ended it.
    #[track_caller]
    pub(crate) fn status(&self) -> i32 {
        self.ended.code().unwrap_or_else(|| panic!("a signal ended it: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// It ended well and had nothing to say but what the guest wrote, which is given back.
    #[track_caller]
    pub(crate) fn quiet(&self) -> &str {
        assert_eq!((self.status(), self.stderr.as_str()), (0, ""), "{self:?}");
        self.text()
    }

    /// It did not run: this status, nothing on stdout, and a message in the form that all have. Gives back the message.
    #[track_caller]
    pub(crate) fn refused(&self, status: i32) -> &str {
        assert_eq!(self.status(), status, "{self:?}");
        assert!(self.stdout.is_empty(), "{self:?}");
        self.in_form();
        assert!(self.stderr.lines().skip(1).all(|line| line.starts_with("hint: ")), "{self:?}");
        &self.stderr
    }

    /// The last of what was said is a message of this status, whatever the guest said before. Gives back the message.
    #[track_caller]
    pub(crate) fn ended_with(&self, status: i32) -> &str {
        assert_eq!(self.status(), status, "{self:?}");
        self.in_form();
        &self.stderr[self.stderr.find("error: ").unwrap()..]
    }

    /// Messages: an `error:`, lower case, no full stop, no panic, and nothing that a terminal would take for a command.
    #[track_caller]
    pub(crate) fn in_form(&self) {
        let errors: Vec<&str> = self.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        let [error] = errors.as_slice() else { panic!("not one error but {}: {self:?}", errors.len()) };
        let text = &error["error: ".len()..];
        assert!(!text.starts_with(char::is_uppercase) && !text.ends_with('.'), "{error}");
        assert!(!self.stderr.contains("thread '") && !self.stderr.contains("panicked"), "{self:?}");
        self.harmless();
    }

    /// Nothing that was said on stderr moves a cursor, or turns a line around.
    #[track_caller]
    pub(crate) fn harmless(&self) {
        let harmful = |character: char| {
            (character.is_control() && character != '\n') || ('\u{202a}'..='\u{202e}').contains(&character)
        };
        assert!(!self.stderr.contains(harmful), "{self:?}");
    }
}
