//! A listener, and what it accepts. Preview 1 is handed one and connects nowhere; the others make their own.
//!
//! The other side is the test, which does what lines that begin with `peer: ` say.

use std::fmt::Display;

use super::{Fd, Scenario, Stage, escaped, scenario};

const GROUP: &str = "sockets";

pub const SCENARIOS: &[Scenario] = &[
    scenario(GROUP, "nobody is there", nobody),
    scenario(GROUP, "talk", |stage| with_connection(stage, talk)),
    scenario(GROUP, "send much", |stage| with_connection(stage, large)),
    scenario(GROUP, "the other side ends", |stage| with_connection(stage, end_of_the_peer)),
    scenario(GROUP, "this side ends sending", |stage| with_connection(stage, own_end)),
    scenario(GROUP, "this side ends receiving", |stage| with_connection(stage, own_ends)),
    scenario(GROUP, "the other side is gone", |stage| with_connection(stage, reset)),
    scenario(GROUP, "this side is gone", |stage| with_connection(stage, close)),
    scenario(GROUP, "two at once", two),
    scenario(GROUP, "nobody is there any more", nobody),
];

impl Stage<'_> {
    /// Has the other side do something. What follows waits for it.
    fn peer(&self, what: impl Display) {
        self.line(format_args!("peer: {what}"));
        self.flush();
    }

    fn receive(&self, connection: Fd, most: usize, wait: bool) {
        let answer = self.wasi.receive(connection, most, wait);
        let how = if wait { "" } else { " without waiting" };
        self.tell(format_args!("receive {most}{how}"), answer, |bytes| escaped(bytes));
    }

    fn send(&self, connection: Fd, bytes: &[u8]) {
        self.done(format_args!("send {}", escaped(bytes)), self.wasi.send(connection, bytes));
    }

    fn accept(&self, listener: Fd, wait: bool) -> Option<Fd> {
        let how = if wait { "" } else { " without waiting" };
        self.tell(format_args!("accept{how}"), self.wasi.accept(listener, wait), |_| "ok".to_owned())
    }

    fn shutdown(&self, connection: Fd, receive: bool, send: bool) {
        let answer = self.wasi.shutdown(connection, receive, send);
        self.done(format_args!("shutdown, receive {receive}, send {send}"), answer);
    }

    /// A connection that the other side makes now.
    fn connected(&self, listener: Fd) -> Fd {
        self.peer("connect");
        self.must("accept", self.accept(listener, true).ok_or("see above"))
    }
}

fn listener(stage: &Stage<'_>) -> Fd {
    stage.must("listen", stage.wasi.listen())
}

fn with_connection(stage: &Stage<'_>, scenario: fn(&Stage<'_>, Fd)) {
    let connection = stage.connected(listener(stage));
    scenario(stage, connection);
}

fn nobody(stage: &Stage<'_>) {
    stage.accept(listener(stage), false);
}

fn talk(stage: &Stage<'_>, connection: Fd) {
    stage.receive(connection, 10, false);
    stage.peer("say hello");
    stage.receive(connection, 3, true);
    stage.receive(connection, 10, true);
    stage.receive(connection, 10, false);
    stage.send(connection, b"world");
    stage.send(connection, b"");
    stage.peer("hear world");
    stage.peer("say a");
    stage.receive(connection, 2000, true);
    stage.peer("say \u{fc}");
    stage.receive(connection, 100_000, true);
    stage.peer("close");
    stage.receive(connection, 10, true);
    stage.wasi.close(connection);
}

/// More than the system keeps on the way.
fn large(stage: &Stage<'_>, connection: Fd) {
    const BYTES: usize = 3_000_000;
    stage.peer(format_args!("say much {BYTES}"));
    let (mut all, mut sum) = (0, 0_u64);
    while all < BYTES {
        match stage.wasi.receive(connection, 50_000, true) {
            Ok(bytes) if !bytes.is_empty() => {
                all += bytes.len();
                sum = bytes.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
            }
            Ok(_) => break,
            Err(word) => return stage.line(format_args!("after {all} bytes: {word}")),
        }
    }
    stage.line(format_args!("{all} bytes, sum {sum:x}"));
    stage.peer(format_args!("hear much {BYTES}"));
    let bytes: Vec<u8> = (0..BYTES).map(|index| (index * 31 % 251) as u8).collect();
    stage.done("send much", stage.wasi.send(connection, &bytes));
    stage.peer("close");
    stage.receive(connection, 10, true);
    stage.wasi.close(connection);
}

/// One direction ends, the other goes on.
fn end_of_the_peer(stage: &Stage<'_>, connection: Fd) {
    stage.peer("say last");
    stage.receive(connection, 10, true);
    stage.peer("end");
    stage.receive(connection, 10, true);
    stage.receive(connection, 10, false);
    stage.send(connection, b"still here");
    stage.peer("hear still here");
    stage.wasi.close(connection);
    stage.peer("hear the end");
    stage.peer("close");
}

fn own_end(stage: &Stage<'_>, connection: Fd) {
    stage.send(connection, b"last");
    stage.shutdown(connection, false, true);
    stage.peer("hear last");
    stage.peer("hear the end");
    stage.send(connection, b"more");
    stage.peer("say hello");
    stage.receive(connection, 10, true);
    stage.peer("close");
    stage.receive(connection, 10, true);
    stage.wasi.close(connection);
}

fn own_ends(stage: &Stage<'_>, connection: Fd) {
    stage.shutdown(connection, true, false);
    stage.receive(connection, 10, true);
    stage.receive(connection, 10, false);
    stage.send(connection, b"deaf");
    stage.peer("hear deaf");
    stage.shutdown(connection, true, true);
    stage.send(connection, b"more");
    stage.receive(connection, 10, true);
    stage.wasi.close(connection);
    stage.peer("close");
}

/// It is read once: what has failed says so again in Preview 1, and is a stream that has come to its end in the others.
fn reset(stage: &Stage<'_>, connection: Fd) {
    stage.peer("reset");
    stage.receive(connection, 10, true);
    stage.send(connection, b"nobody");
    stage.wasi.close(connection);
}

/// It ends for the other side when nobody has it any more.
fn close(stage: &Stage<'_>, connection: Fd) {
    stage.send(connection, b"bye");
    stage.wasi.close(connection);
    stage.peer("hear bye");
    stage.peer("hear the end");
    stage.peer("close");
}

/// Connections are taken in the order in which they were made.
fn two(stage: &Stage<'_>) {
    let listener = listener(stage);
    let one = stage.connected(listener);
    let two = stage.connected(listener);
    stage.send(two, b"second");
    stage.send(one, b"first");
    stage.peer("hear second");
    stage.peer("say to the second");
    stage.receive(two, 100, true);
    stage.receive(one, 100, false);
    stage.wasi.close(two);
    stage.peer("close");
    stage.peer("hear first");
    stage.wasi.close(one);
    stage.peer("close");
}
