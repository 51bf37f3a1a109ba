//! The real MLflow client against our server (`LAPWING_TEST_PEERS` names its venv), and what no client would send.
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test should stop it where it is"
)]

mod file_store;
mod guard;
mod mlflow_client;
mod refusals;
mod search;

use lapwing_core::Workspace;
use lapwing_store::Store;
use lapwing_tracking::{Guard, Tracking, router};

pub struct Server {
    pub folder: tempfile::TempDir,
    pub tracking: Tracking,
    pub url: String,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    pub fn start(token: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(folder.path().join("workspace"));
        let tracking = Tracking::open(Store::open(&workspace).unwrap(), workspace);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let guard = Guard {
            token: token.map(str::to_owned),
            ..Guard::default()
        };
        let routes = router(tracking.clone(), guard);
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self {
            folder,
            tracking,
            url,
            _runtime: runtime,
        }
    }
}
