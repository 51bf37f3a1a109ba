//! What a command tracks on an engine from which nothing leads to this machine: MLflow's files, which its container has before it
//! starts, and which come home when it has ended.

use std::collections::BTreeMap;

use bollard::Docker;

use super::travel::{archive_of, unpacked};
use crate::Result;
use crate::folder::Folder;
use crate::ray::TRACKED;

pub(super) const SERVER: &str = "MLFLOW_TRACKING_URI";
pub(super) const RUN: &str = "MLFLOW_RUN_ID";
const TOKEN: &str = "MLFLOW_TRACKING_TOKEN";
/// In the container.
const PLACE: &str = "/tmp/lapwing-tracked";

/// The address of a server that is not reached, and the token for it, make room for the files.
pub(super) fn into_files(env: &mut BTreeMap<String, String>) {
    env.remove(TOKEN);
    env.insert(SERVER.to_owned(), format!("file://{PLACE}/{TRACKED}"));
    // MLflow asks that this is said since its files get no new features.
    env.insert("MLFLOW_ALLOW_FILE_STORE".to_owned(), "true".to_owned());
}

/// MLflow's files with a run that goes on: folders, which have no content, before what lies in them.
pub(super) fn store(run: &str) -> Vec<(String, Option<String>)> {
    let inside = PLACE.trim_start_matches('/');
    let base = format!("{inside}/{TRACKED}");
    let place = format!("{base}/0/{run}");
    let experiment = format!(
        "artifact_location: file://{PLACE}/{TRACKED}/0\ncreation_time: 0\nexperiment_id: '0'\nlast_update_time: 0\n\
         lifecycle_stage: active\nname: Default\n"
    );
    let going_on = format!(
        "artifact_uri: file://{PLACE}/{TRACKED}/0/{run}/artifacts\nend_time: null\nentry_point_name: ''\nexperiment_id: '0'\n\
         lifecycle_stage: active\nrun_id: {run}\nrun_name: {run}\nrun_uuid: {run}\nsource_name: ''\nsource_type: 4\n\
         source_version: ''\nstart_time: 0\nstatus: 1\ntags: []\nuser_id: ''\n"
    );
    let mut all = vec![
        (inside.to_owned(), None),
        (base.clone(), None),
        (format!("{base}/0"), None),
        (place.clone(), None),
    ];
    for part in ["metrics", "params", "tags", "artifacts"] {
        all.push((format!("{place}/{part}"), None));
    }
    all.push((format!("{base}/0/meta.yaml"), Some(experiment)));
    all.push((format!("{place}/meta.yaml"), Some(going_on)));
    all
}

/// Into the job's folder, all or nothing.
pub(super) async fn fetch(docker: &Docker, name: &str, folder: &Folder) -> Result<()> {
    let Some(mut archive) = archive_of(docker, name, format!("{PLACE}/{TRACKED}").as_ref()).await?
    else {
        return Ok(()); // The command has removed them.
    };
    let staging = folder.fetched();
    if staging.exists() {
        fs_err::remove_dir_all(&staging)?;
    }
    fs_err::create_dir_all(&staging)?;
    std::io::Seek::rewind(&mut archive)?;
    unpacked(&mut archive, &staging)?;
    let to = folder.tracked();
    if to.exists() {
        fs_err::remove_dir_all(&to)?;
    }
    fs_err::rename(staging.join(TRACKED), to)?;
    Ok(fs_err::remove_dir_all(&staging)?)
}
