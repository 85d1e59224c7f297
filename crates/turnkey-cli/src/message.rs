//! Every line that a user reads: lower case, the value in backticks, no full stop, and a `hint:` of its own with what to type.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use turnkey::{Error, ErrorCode, GrantError, Limit, Missing};

use crate::exit;

/// Why a command ended otherwise than well: a line, what to type instead, and the status.
#[derive(Debug)]
pub(crate) struct Message {
    text: String,
    hints: Vec<String>,
    status: u8,
}

impl std::fmt::Display for Message {
    /// In one line, for a log.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)?;
        self.hints.iter().try_for_each(|hint| write!(formatter, "; hint: {hint}"))
    }
}

impl std::error::Error for Message {}

impl Message {
    pub(crate) fn new(status: u8, text: impl Into<String>) -> Self {
        Message { text: text.into(), hints: Vec::new(), status }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) const fn status(&self) -> u8 {
        self.status
    }

    /// Prints it; the status to end with.
    pub(crate) fn end(&self) -> ExitCode {
        self.print();
        ExitCode::from(self.status)
    }

    pub(crate) fn print(&self) {
        error_line(&format!("error: {}", self.text));
        for hint in &self.hints {
            error_line(&format!("hint: {hint}"));
        }
    }

    /// Why a program does not run.
    pub(crate) fn of(app: &str, error: &Error) -> Self {
        let app = escaped(app);
        let cannot_run = |text: String| Message::new(exit::CANNOT_RUN, text);
        match error {
            Error::Read { path, code } => unreadable(&path.display().to_string(), *code),
            Error::NotWebAssembly(what) => cannot_run(format!("`{app}` is not WebAssembly: {}", escaped(what))),
            Error::Precompiled => cannot_run(format!("`{app}` is precompiled: native code, from whoever made it"))
                .hint("if you made it: `--precompiled`"),
            Error::Invalid(what) => cannot_run(format!("`{app}` is not valid WebAssembly: {}", escaped(what))),
            Error::Artifact(what) => cannot_run(format!("`{app}` is not loaded: {}", escaped(what)))
                .hint("compile it again: `turnkey compile`"),
            Error::Missing(missing) => missing_imports(&app, missing),
            Error::NoExport { name, exports } => no_export(&app, name, exports),
            Error::Argument(what) => Message::new(exit::USAGE, escaped(what)),
            Error::Grant(grant) => Message::of_grant(grant),
            Error::Limit { limit, what } => {
                Message::new(exit::STOPPED, format!("`{app}` was stopped by `{}`: {what}", limit.flag()))
                    .hint(format!("a larger `{}`", limit.flag()))
            }
            Error::NotMadeFor(_) | Error::Engine(_) => Message::new(exit::FAILED, escaped(&error.to_string())),
            _ => Message::new(exit::FAILED, escaped(&error.to_string())),
        }
    }

    fn of_grant(grant: &GrantError) -> Self {
        match grant {
            GrantError::Directory { host, code } => {
                let host = escaped(&host.display().to_string());
                Message::new(exit::FAILED, format!("the directory `{host}` cannot be handed over: {}", words(*code)))
                    .hint("`--dir` and `--ro-dir` take a directory of the host: `--dir HOST[::GUEST]`")
            }
            GrantError::Stream { name, code } => {
                Message::new(exit::FAILED, format!("{name} cannot be handed over: {}", words(*code)))
            }
            GrantError::Descriptors(_) => {
                Message::new(exit::FAILED, "more is handed over than `--max-descriptors` allows")
                    .hint("a larger `--max-descriptors`")
            }
        }
    }
}

/// A file that cannot be read, or is none.
pub(crate) fn unreadable(path: &str, code: ErrorCode) -> Message {
    let path = escaped(path);
    match code {
        ErrorCode::NoEntry | ErrorCode::NotDirectory => {
            Message::new(exit::NOT_FOUND, format!("there is no file `{path}`"))
        }
        ErrorCode::IsDirectory => Message::new(exit::CANNOT_RUN, format!("`{path}` is a directory, not a program")),
        ErrorCode::Invalid => Message::new(exit::CANNOT_RUN, format!("`{path}` is no regular file")),
        ErrorCode::FileTooLarge => Message::new(exit::CANNOT_RUN, format!("`{path}` is too large to be a program")),
        code => Message::new(exit::CANNOT_RUN, format!("`{path}` cannot be read: {}", words(code))),
    }
}

fn missing_imports(app: &str, missing: &[Missing]) -> Message {
    let mut names = String::new();
    for (index, import) in missing.iter().take(SHOWN).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(names, "{comma}`{}`", escaped(&import.import));
    }
    if missing.len() > SHOWN {
        let _ = write!(names, " and {} more", missing.len() - SHOWN);
    }
    let mut message = Message::new(exit::CANNOT_RUN, format!("`{app}` imports {names}, which nothing here provides"));
    for import in missing.iter().take(SHOWN) {
        if let Some(nearest) = &import.nearest {
            message = message.hint(format!("nearest to `{}`: `{}`", escaped(&import.import), escaped(nearest)));
        }
    }
    message
}

/// Rows that a message shows before it says how many more there are.
const SHOWN: usize = 5;

fn no_export(app: &str, name: &str, exports: &[String]) -> Message {
    let text = if matches!(name, "_start" | "wasi:cli/run") {
        format!("`{app}` is no command: it exports no `{name}`")
    } else {
        format!("`{app}` exports no function `{}`", escaped(name))
    };
    let message = Message::new(exit::CANNOT_RUN, text);
    if exports.is_empty() {
        return message.hint("it exports no functions at all");
    }
    let exports_any = |named: fn(&str) -> bool| exports.iter().any(|export| named(export));
    if name == "wasi:cli/run" && exports_any(|export| export.starts_with("wasi:http/") && export.ends_with("#handle")) {
        return message.hint(format!("it answers HTTP requests: `turnkey serve {app}`"));
    }
    if name.starts_with("wasi:http/") && exports_any(|export| export == "_start" || export.ends_with("#run")) {
        return message.hint(format!("it is a command: `turnkey run {app}`"));
    }
    let names: Vec<String> = exports.iter().take(SHOWN).map(|name| format!("`{}`", escaped(name))).collect();
    let more = if exports.len() > SHOWN { " …" } else { "" };
    message.hint(format!("`--invoke NAME` calls one of its functions: {}{more}", names.join(", ")))
}

/// A code as people say it.
pub(crate) fn words(code: ErrorCode) -> String {
    match code {
        ErrorCode::NoEntry => "there is none".to_owned(),
        ErrorCode::NotDirectory => "it is not a directory".to_owned(),
        ErrorCode::Access => "you have no permission".to_owned(),
        ErrorCode::AddressInUse => "the address is in use".to_owned(),
        ErrorCode::AddressNotBindable => "the address is not one of this host".to_owned(),
        code => code.word().replace('-', " "),
    }
}

/// What was set for a limit, for a line that names it.
pub(crate) fn limit(limit: Limit, written: Option<&str>) -> String {
    match written {
        Some(written) => format!("`{} {written}`", limit.flag()),
        None => format!("`{}`", limit.flag()),
    }
}

/// Text that a guest, or whoever made it, controls: nothing in it moves a cursor or turns a line around.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
        if character.is_control() || turns {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// A line to stderr. Where nobody reads it, there is nobody to tell.
pub(crate) fn error_line(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Text to stdout. A reader that went away has read enough.
///
/// # Errors
/// Whatever else kept it from being written: who redirects it to a full disk has got nothing, and must hear of it.
pub(crate) fn print(text: &str) -> Result<(), Message> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Message::new(exit::FAILED, format!("stdout cannot be written: {}", words(ErrorCode::from(error)))))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_write_to_the_terminal_through_a_message() {
        assert_eq!(escaped("a\x1b[2Jb\nc\u{202e}d é"), "a\\u{1b}[2Jb\\nc\\u{202e}d é");
    }
}
