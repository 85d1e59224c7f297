//! What was refused, as a table: one row for each distinct refusal, with what would have allowed it.

use std::io::IsTerminal;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use turnkey::Outcome;

use crate::message::{error_line, escaped};

/// Characters of what was asked for that a row shows.
const ASKED_SHOWN: usize = 60;

/// Shows the refusals where they were asked for, or where somebody is looking.
pub(super) fn show(outcome: &Outcome, explain: bool) {
    if outcome.refusals.is_empty() {
        if explain {
            error_line("refused: nothing");
        }
        return;
    }
    if !explain && !std::io::stderr().is_terminal() {
        return;
    }
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["refused", "times", "asked for", "would have been allowed by"]);
    for refusal in &outcome.refusals {
        let asked = String::from_utf8_lossy(&refusal.asked);
        let mut shown: String = escaped(&asked).chars().take(ASKED_SHOWN).collect();
        if asked.chars().count() > ASKED_SHOWN {
            shown.push('…');
        }
        table.add_row([refusal.call, &refusal.count.to_string(), &shown, &escaped(&refusal.grant)]);
    }
    for line in table.to_string().lines() {
        error_line(line.trim_end());
    }
    if outcome.refusals_dropped > 0 {
        error_line(&format!("… and {} more refusals", outcome.refusals_dropped));
    }
}
