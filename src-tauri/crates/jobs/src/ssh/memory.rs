//! What a supervisor has done there, for one that comes after it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::folder::Folder;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// The host has answered once: from then on an unreachable host is waited for.
    pub greeted: bool,
    /// The command may run from now on. Its log begins at this byte of ours.
    pub log_start: Option<u64>,
    /// A cluster has said that it has the job: one that it does not know any more is lost.
    #[serde(default)]
    pub submitted: bool,
    /// Nothing that would make the job there has left this machine: nothing has to be ended there. What a supervisor without this
    /// word did is not known.
    #[serde(default)]
    pub unsent: bool,
    /// Its time was over, and it was told to end.
    #[serde(default)]
    pub timed_out: bool,
    /// The pods of its nodes, by their uids, once all of them ran.
    #[serde(default)]
    pub pods: Vec<String>,
    /// No server can be reached from there: what is tracked lies in files, beside the tree.
    #[serde(default)]
    pub tracked_in_files: bool,
    /// Ports there that lead to ports here: the command's environment names them.
    #[serde(default)]
    pub tunnels: BTreeMap<u16, u16>,
}

impl Memory {
    pub fn of(folder: &Folder) -> Result<Self> {
        Ok(folder.read(&folder.remote())?.unwrap_or_default())
    }

    pub fn keep(&self, folder: &Folder) -> Result<()> {
        folder.write(&folder.remote(), self)
    }
}
