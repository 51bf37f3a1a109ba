//! `lapwing trace`.

use std::process::ExitCode;

use lapwing_app::lineage;
use lapwing_app::wire::{Lineage, LineageKind, Trace};

use super::{Context, Done, print};

pub fn run(context: &Context, id: String) -> Done {
    let lineage = lineage::trace(
        &context.app,
        Trace {
            id,
            project: context.project_if_any(),
        },
    )?;
    context.out.answer(&lineage, show)?;
    Ok(ExitCode::SUCCESS)
}

fn show(lineage: &Lineage) {
    let rows: Vec<Vec<String>> = lineage
        .nodes
        .iter()
        .map(|node| {
            let mark = if node.id == lineage.focus { "●" } else { "" };
            vec![
                mark.to_owned(),
                kind_word(node.kind).to_owned(),
                node.title.clone(),
                node.detail.clone(),
            ]
        })
        .collect();
    print::table(&["", "what", "which", ""], &rows);
}

fn kind_word(kind: LineageKind) -> &'static str {
    match kind {
        LineageKind::Commit => "commit",
        LineageKind::File => "file",
        LineageKind::Dataset => "dataset",
        LineageKind::Stage => "stage",
        LineageKind::Run => "run",
        LineageKind::ModelVersion => "model version",
        LineageKind::Revision => "revision",
        LineageKind::Deployment => "deployment",
        LineageKind::Prediction => "prediction",
    }
}
