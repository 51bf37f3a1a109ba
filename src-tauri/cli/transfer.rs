//! How a push, a pull or a sync looks while it goes on, and how Ctrl-C ends it.

use indicatif::{ProgressBar, ProgressStyle};
use lapwing_app::{App, transfers};
use lapwing_core::Report;

use super::{Context, print};

const BAR: &str = "{bar:24}  {bytes}/{total_bytes}  {bytes_per_sec}  {eta}  {wide_msg}";
/// Of commits, where objects are counted and named.
const COMMITS: &str = "{bar:24}  {percent}%  {eta}  {wide_msg}";
/// Before it is known how much there is.
const LOOKING: &str = "{spinner}  {wide_msg}";

/// Does `work` with a bar that says how far it is, where somebody looks. Ctrl-C ends it in order: what has moved stays.
pub fn shown<T>(
    context: &Context,
    work: impl FnOnce(&App) -> Result<T, Report>,
) -> Result<T, Report> {
    with_bar(context, BAR, "Stopping; what has moved stays.", work)
}

/// The same for commits, which arrive all or not at all.
pub fn of_commits<T>(
    context: &Context,
    work: impl FnOnce(&App) -> Result<T, Report>,
) -> Result<T, Report> {
    with_bar(context, COMMITS, "Stopping.", work)
}

fn with_bar<T>(
    context: &Context,
    counted: &'static str,
    stopping: &'static str,
    work: impl FnOnce(&App) -> Result<T, Report>,
) -> Result<T, Report> {
    let bar = ProgressBar::no_length().with_style(style(LOOKING));
    let told = bar.clone();
    context.app.show_progress(move |what, done, total| {
        if total > 0 && told.length().is_none() {
            told.set_style(style(counted));
        }
        told.set_message(what.to_owned());
        if total > 0 {
            told.set_length(total);
            told.set_position(done);
        }
    });
    let heard = bar.clone();
    transfers::stop_on_interrupt(&context.app, move || {
        heard.suspend(|| print::talk(stopping));
    })?;
    let done = work(&context.app);
    bar.finish_and_clear();
    done
}

fn style(template: &str) -> ProgressStyle {
    // A template that is not ours is the only one that can be wrong: then the usual one is shown.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
