//! `turnkey run`: runs a program, and says how it ended if it did not end by itself.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use turnkey::host::process;
use turnkey::{Engine, EngineOptions, Error, Exit, Guest, Outcome, Trapped, TrustedArtifact, WhenStuck};

use super::{progress, refusals};
use crate::args;
use crate::exit;
use crate::message::{Message, error_line, escaped, print};
use crate::plan::run::{Entry, Plan, WrittenLimits, plan};
use crate::plan::{cache, program};

/// Descriptors that the host needs besides the guest's.
const OWN_DESCRIPTORS: u64 = 32;

/// Lines of a backtrace that are shown.
const BACKTRACE_LINES: usize = 16;

pub(super) fn run(typed: args::Run) -> Result<ExitCode, Message> {
    let plan = plan(typed)?;
    let app = plan.app.to_string_lossy().into_owned();
    process::be_told_of_full_files();
    process::allow_descriptors(u64::from(plan.limits.descriptors) + u64::from(plan.limits.sockets) + OWN_DESCRIPTORS);
    let guest = load(&plan, &app)?;
    let Plan { grants, limits, entry, explain, written, .. } = plan;
    let when_stuck = limits.timeout.is_some().then(|| when_stuck(&app, &written));
    let outcome = match entry {
        Entry::Start => guest.run_watched(grants, limits, when_stuck),
        Entry::Invoke { name, arguments } => guest.invoke(&name, &arguments, grants, limits, when_stuck),
    };
    let outcome = outcome.map_err(|error| match error {
        Error::Limit { limit, what } => {
            Message::new(exit::STOPPED, format!("`{}` was stopped by {}: {what}", escaped(&app), written.flag(limit)))
                .hint(format!("a larger `{}`", limit.flag()))
        }
        error => Message::of(&app, &error),
    })?;
    for result in &outcome.results {
        print(&format!("{}\n", escaped(result)))?;
    }
    refusals::show(&outcome, explain);
    Ok(ended(&app, &outcome, &written))
}

fn load(plan: &Plan, app: &str) -> Result<Guest, Message> {
    let read = |error: Error| Message::of(app, &error);
    let options = EngineOptions {
        key: plan.key,
        cache: if plan.precompiled { None } else { cache::for_run() },
        pool: None,
        on_compile: Some(progress::on_compile(app)),
    };
    let engine = Engine::new(options).map_err(read)?;
    let path = Path::new(&plan.app);
    if plan.precompiled {
        return engine.load_precompiled(&TrustedArtifact::vouch(path)).map_err(read);
    }
    engine.load(&program::read(path)?).map_err(read)
}

/// Says how the guest ended, and gives the status for it.
fn ended(app: &str, outcome: &Outcome, written: &WrittenLimits) -> ExitCode {
    let app = escaped(app);
    let status = match &outcome.exit {
        Exit::Status(status) => {
            if let (true, Some(limit)) = (*status != 0, outcome.met) {
                error_line(&format!("note: `{app}` had met {}", written.flag(limit)));
            }
            exit::of_guest(*status)
        }
        Exit::Stopped(limit) => {
            let message = Message::new(exit::STOPPED, format!("`{app}` was stopped by {}", written.flag(*limit)));
            message.print();
            message.status()
        }
        Exit::Trapped(Trapped { message, backtrace }) => {
            let met = outcome.met.map(|limit| format!(" (it had met {})", written.flag(limit)));
            error_line(&format!("error: `{app}` trapped: {}{}", escaped(message), met.unwrap_or_default()));
            for line in backtrace.iter().take(BACKTRACE_LINES) {
                error_line(&format!("  in {}", escaped(line)));
            }
            if backtrace.len() > BACKTRACE_LINES {
                error_line(&format!("  … and {} more", backtrace.len() - BACKTRACE_LINES));
            }
            exit::TRAPPED
        }
    };
    ExitCode::from(status)
}

/// Ends the process when the guest's time is up and it is in a system call that does not come back.
fn when_stuck(app: &str, written: &WrittenLimits) -> WhenStuck {
    let flag = written.flag(turnkey::Limit::Timeout);
    let line =
        format!("error: `{}` was stopped by {flag}, in a call of the host that does not come back", escaped(app));
    Arc::new(move || {
        error_line(&line);
        process::exit_now(i32::from(exit::STOPPED));
    })
}
