//! Commands in pods of a Kubernetes cluster.
//!
//! Each job is a `batch/v1` Job there, named by our id, so that it is found again and never made twice. Its pod is a machine as every
//! other: once it runs, `crate::ssh` sends the files, makes the environment, follows the command and brings the outputs home, by
//! `exec` instead of ssh. So nothing has to be built into the image or mounted, the log is read from the byte on that we have, and
//! the pod stays until its outputs are at home, or for as long as it may. What only the cluster knows (why a pod waits, that its
//! memory ran out, that its node was needed) is asked of the API server.
//!
//! Where Kubeflow Trainer is installed, a job can be a `TrainJob` of several nodes instead: each of its pods gets the files and runs
//! the command, the first one's log is the job's and its outputs come home.
//!
//! Start with [`KubernetesSpec`] and [`Cluster::greet`].

mod cluster;
mod failure;
mod job;
mod manifest;
mod nodes;
mod pod;
mod spec;
mod status;
mod tail;
mod trainer;
mod tunnel;

pub use cluster::Cluster;
pub(crate) use job::{discard, run_job};
pub use pod::Pod;
pub use spec::{KubernetesSpec, RuntimeScope, Trainer};
pub(crate) use tunnel::{Reverse, free_port};

use std::future::Future;
use std::sync::OnceLock;

use tokio::runtime::Runtime;

use crate::Result;

/// One for reading, one for writing.
const WORKERS: usize = 2;

/// Where everything async of this module runs: the callers are threads that wait.
fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let made = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("kubernetes")
        .enable_all()
        .build()?;
    // Another thread may have been faster: then ours goes.
    Ok(RUNTIME.get_or_init(|| made))
}

fn block_on<F: Future>(work: F) -> Result<F::Output> {
    Ok(runtime()?.block_on(work))
}
