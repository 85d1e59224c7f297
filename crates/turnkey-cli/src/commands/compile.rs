//! `turnkey compile`: writes a program as native code, for `turnkey run --precompiled`.

use std::process::ExitCode;

use turnkey::host::programs;
use turnkey::{Engine, EngineKey, EngineOptions};

use super::progress;
use crate::args;
use crate::exit;
use crate::message::{Message, escaped, words};
use crate::plan::program;

pub(super) fn compile(typed: &args::Compile) -> Result<ExitCode, Message> {
    let app = typed.app.display().to_string();
    let program = program::read(&typed.app)?;
    let options = EngineOptions {
        key: EngineKey { fuel: typed.fuel, interruptible: typed.timeout, deterministic: typed.deterministic },
        cache: None,
        pool: None,
        on_compile: Some(progress::on_compile(&app)),
    };
    let compiled =
        Engine::new(options).and_then(|engine| engine.compile(&program)).map_err(|error| Message::of(&app, &error))?;
    programs::write(&typed.output, &[&compiled]).map_err(|code| {
        let output = escaped(&typed.output.display().to_string());
        Message::new(exit::FAILED, format!("`{output}` cannot be written: {}", words(code)))
    })?;
    Ok(ExitCode::SUCCESS)
}
