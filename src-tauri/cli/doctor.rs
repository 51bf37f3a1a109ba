//! `lapwing doctor`.

use std::process::ExitCode;

use anstyle::AnsiColor;
use lapwing_app::doctor;
use lapwing_app::wire::{CheckState, Nothing};

use super::{Context, Done, print};

pub fn run(context: &Context) -> Done {
    let checks = doctor::check(&context.app, Nothing {})?;
    let missing = checks
        .iter()
        .any(|check| check.state == CheckState::Missing);
    context.out.answer(&checks, |checks| {
        for check in checks {
            let mark = match check.state {
                CheckState::Ok => print::paint("✓", AnsiColor::Green),
                CheckState::Optional => print::paint("○", AnsiColor::Yellow),
                CheckState::Missing => print::paint("✗", AnsiColor::Red),
            };
            print::line(&format!("{mark} {:<14} {}", check.name, check.found));
            if let Some(hint) = &check.hint {
                print::line(&format!("  {:<14} {}", "", print::dim(hint)));
            }
        }
    })?;
    Ok(if missing {
        ExitCode::from(3)
    } else {
        ExitCode::SUCCESS
    })
}
