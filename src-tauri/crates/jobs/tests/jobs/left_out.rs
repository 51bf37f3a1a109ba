//! What a test could not try, said where people see it: what a test that passes prints is not shown.

use std::io::Write as _;

/// Says why something is left out, and of which test.
pub fn left_out(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Not by a macro, whose words the harness keeps to itself. Nobody listens: nothing to be done.
    let _ = writeln!(std::io::stderr(), "left out of {test}: {why}");
}
