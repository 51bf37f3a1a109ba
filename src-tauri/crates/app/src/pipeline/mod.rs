//! The pipeline: what is stale and why, starting a run, following and stopping it.
//!
//! A run is carried out by a process of its own, [`carry_out`], so that neither a window nor a terminal has to stay open.

mod elsewhere;
mod export;
mod follow;
mod pod;
mod ray;
mod record;
mod request;
mod resume;
mod runner;
mod start;
mod sweep;
mod trial;
mod trigger;
mod view;

pub use elsewhere::uploads;
pub use export::export;
pub use follow::{Progress, failure, follow};
pub use lapwing_remote::engine::{State as EngineState, Task as EngineTask};
pub use resume::resume;
pub use runner::carry_out;
pub use start::{dry_run, start, stop, stop_on_interrupt};
pub use sweep::{
    Heard, carry_out as carry_out_sweep, follow as follow_sweep, get as get_sweep,
    plan as plan_sweep, start as start_sweep,
};
pub use trigger::{EngineRun, Sight, Trigger, failed, trigger, watch};
pub use view::{get, status, status_words, waiting};

pub(crate) use elsewhere::{Elsewhere, Work};
pub(crate) use follow::{doing, wire_status};
pub(crate) use record::{GIT, KEPT_BY};
pub(crate) use resume::Intent;
pub(crate) use start::{reconcile, user};
pub(crate) use sweep::{compared as compared_in_sweeps, reconcile as reconcile_sweeps};
