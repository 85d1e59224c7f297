//! What a program said, and where it differs from what another said.

use std::fmt;

use super::folder::Left;

/// A line like this begins a scenario.
const SCENARIO: &[u8] = b"# ";

/// A line of a scenario like this says that it could not go on.
const STUCK: &[u8] = b"cannot go on: ";

/// What a program said, how it ended, and what it left.
pub(crate) struct Transcript {
    program: &'static str,
    group: String,
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) left: Left,
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Transcript { program, group, status, stdout, stderr, .. } = self;
        let [stdout, stderr] = [stdout, stderr].map(|said| said.escape_ascii().to_string().replace("\\n", "\n"));
        write!(f, "{program} {group}: status {status}\n{stdout}\n{stderr}")
    }
}

impl Transcript {
    pub(crate) fn new(
        program: &'static str,
        group: &str,
        status: i32,
        stdout: Vec<u8>,
        stderr: Vec<u8>,
        left: Left,
    ) -> Self {
        Transcript { program, group: group.to_owned(), status, stdout, stderr, left }
    }

    /// How many scenarios it has, each of which has steps, and came to its end.
    #[track_caller]
    pub(crate) fn scenarios(&self) -> usize {
        let mut scenarios = 0;
        let mut lines = self.stdout.split(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            assert!(!line.starts_with(STUCK), "{}: {}", self.program, line.escape_ascii());
            if line.starts_with(SCENARIO) {
                scenarios += 1;
                let empty = lines.peek().is_none_or(|next| next.is_empty() || next.starts_with(SCENARIO));
                assert!(!empty, "{}: no steps in `{}`", self.program, line.escape_ascii());
            }
        }
        scenarios
    }

    /// Whether it has these words somewhere.
    pub(crate) fn has(&self, words: &str) -> bool {
        [&self.stdout, &self.stderr].iter().any(|said| said.windows(words.len()).any(|part| part == words.as_bytes()))
    }
}

/// Both are the same, but for who said it. Else it is said in which scenarios and steps they are not.
#[track_caller]
pub(crate) fn must_be_same(one: &Transcript, other: &Transcript) {
    let who = format!("{}: {} and {}", one.group, one.program, other.program);
    for (stream, one, other) in [("stdout", &one.stdout, &other.stdout), ("stderr", &one.stderr, &other.stderr)] {
        let differences = differences(one, other);
        assert!(differences.is_empty(), "{who} differ on {stream}:\n{}", differences.join("\n"));
    }
    assert_eq!(one.status, other.status, "{who} end otherwise");
    assert_eq!(one.left, other.left, "{who} leave different files");
}

/// Differences that are told: enough to see what they have in common.
const TOLD: usize = 40;

fn differences(one: &[u8], other: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let (mut scenario, mut step) = (String::new(), 0);
    let (mut one, mut other) = (one.split(|byte| *byte == b'\n'), other.split(|byte| *byte == b'\n'));
    loop {
        let (left, right) = match (one.next(), other.next()) {
            (None, None) => return found,
            (left, right) => (left, right),
        };
        let shown = |line: Option<&[u8]>| line.map_or("the end".to_owned(), |line| line.escape_ascii().to_string());
        step += 1;
        if let Some(name) = left.and_then(|line| line.strip_prefix(SCENARIO)) {
            (scenario, step) = (name.escape_ascii().to_string(), 0);
        }
        if left != right {
            found.push(format!("`{scenario}`, step {step}:\n  {}\n  {}", shown(left), shown(right)));
        }
        if found.len() == TOLD {
            found.push("and more".to_owned());
            return found;
        }
    }
}
