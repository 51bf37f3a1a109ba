//! What a list of trials is read by.

use std::collections::BTreeSet;

use lapwing_core::{Report, RunId};
use lapwing_store::sweeps;

use super::Asked;
use crate::App;
use crate::error::Reported as _;
use crate::pipeline::start::decode;

/// What the trials of these sweeps differ in, and what they are compared by: parameters and metrics.
pub(crate) fn compared(
    app: &App,
    parents: &BTreeSet<RunId>,
) -> Result<(Vec<String>, Vec<String>), Report> {
    let (mut swept, mut goals) = (BTreeSet::new(), BTreeSet::new());
    for parent in parents {
        // The parent of other nested runs is no sweep.
        let Some(sweep) = sweeps::get(app.store(), parent).reported()? else {
            continue;
        };
        let asked: Asked = decode(&sweep.request)?;
        let names = asked.input.values.iter().filter_map(|text| {
            let (name, _) = text.split_once('=')?;
            Some(name.trim().trim_start_matches('+').to_owned())
        });
        swept.extend(names);
        goals.extend(asked.input.goal.map(|goal| goal.metric));
    }
    Ok((swept.into_iter().collect(), goals.into_iter().collect()))
}
