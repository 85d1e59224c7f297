//! What is wrong with a command line, in the same form as every other message.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use turnkey::host::process::environment_variable;

use crate::exit;
use crate::message::{Message, escaped, print};

/// Answers a command line that is no command: with the help that was asked for, or with what is wrong.
pub(super) fn answer(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let rendered = error.render();
        let text = if in_colour() { rendered.ansi().to_string() } else { rendered.to_string() };
        return print(&text).map_or_else(|message| message.end(), |()| ExitCode::SUCCESS);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        crate::message::error_line(error.render().to_string().trim_end());
        return ExitCode::from(exit::USAGE);
    }
    worded(error).end()
}

/// Whether somebody looks at stdout who has not asked for plain text (`NO_COLOR`): a file or a pipe is to hold words alone.
fn in_colour() -> bool {
    std::io::stdout().is_terminal() && environment_variable(b"NO_COLOR").is_none_or(|set| set.is_empty())
}

fn worded(error: &clap::Error) -> Message {
    let context = |kind| error.get(kind).map(words).map(|words| escaped(&words));
    let argument = context(ContextKind::InvalidArg);
    let flag = argument.as_deref().map_or("", |argument| argument.split(' ').next().unwrap_or_default());
    // A word without a flag is shown as `<SHELL>`.
    let flag = flag.trim_matches(['<', '>']);
    let value = context(ContextKind::InvalidValue).unwrap_or_default();
    let text = match error.kind() {
        ErrorKind::UnknownArgument => format!("there is no flag `{flag}`"),
        ErrorKind::InvalidSubcommand => {
            format!("there is no command `{}`", context(ContextKind::InvalidSubcommand).unwrap_or_default())
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("`{flag}` needs a value"),
        ErrorKind::InvalidValue => format!("`{flag}` does not take `{value}`"),
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(why);
            format!("`{flag}` does not take `{value}`: {}", why.unwrap_or_default())
        }
        ErrorKind::MissingRequiredArgument => {
            format!("`{}` is missing", argument.unwrap_or_default().replace(['<', '>', '…'], "").replace("...", ""))
        }
        ErrorKind::ArgumentConflict => format!("`{flag}` is given more than once, or with what it excludes"),
        _ => {
            let rendered = error.render().to_string();
            rendered.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    };
    let message = Message::new(exit::USAGE, text);
    let nearest = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
        .into_iter()
        .find_map(context);
    match nearest {
        Some(nearest) => message.hint(format!("did you mean `{nearest}`?")),
        None => message.hint("`--help` shows what there is"),
    }
}

/// Why a value does not fit, in our words where the standard library's say how it is parsed and not how it is written.
fn why(error: &(dyn std::error::Error + 'static)) -> String {
    if error.is::<std::num::ParseIntError>() {
        "it takes a whole number".to_owned()
    } else if error.is::<std::net::AddrParseError>() {
        "an address is written `127.0.0.1:8080` or `[::1]:8080`".to_owned()
    } else {
        escaped(&error.to_string())
    }
}

fn words(value: &ContextValue) -> String {
    match value {
        ContextValue::String(word) => word.clone(),
        ContextValue::Strings(words) => words.join(", "),
        other => other.to_string(),
    }
}
