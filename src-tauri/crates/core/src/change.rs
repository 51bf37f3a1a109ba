//! What a mutation makes stale, told to everyone who shows it.

use serde::{Deserialize, Serialize};
use specta::Type;

/// The noun whose shown state is stale.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Type,
)]
#[serde(rename_all = "snake_case")]
pub enum Tag {
    Projects,
    Data,
    Pipeline,
    Jobs,
    Runs,
    Models,
    Deployments,
    Monitors,
    Automations,
    Remotes,
    Transfers,
}

impl Tag {
    pub const ALL: [Self; 11] = [
        Self::Projects,
        Self::Data,
        Self::Pipeline,
        Self::Jobs,
        Self::Runs,
        Self::Models,
        Self::Deployments,
        Self::Monitors,
        Self::Automations,
        Self::Remotes,
        Self::Transfers,
    ];

    /// The word kept in the store; the same as on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Projects => "projects",
            Self::Data => "data",
            Self::Pipeline => "pipeline",
            Self::Jobs => "jobs",
            Self::Runs => "runs",
            Self::Models => "models",
            Self::Deployments => "deployments",
            Self::Monitors => "monitors",
            Self::Automations => "automations",
            Self::Remotes => "remotes",
            Self::Transfers => "transfers",
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tag| tag.as_str() == word)
    }
}

/// One entry of the change feed: ids and tags, never data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Change {
    pub tag: Tag,
    /// The id of what changed, where one thing did.
    pub id: Option<String>,
}
