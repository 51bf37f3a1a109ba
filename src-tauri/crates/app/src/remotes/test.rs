//! Trying a connection.

use std::time::Instant;

use lapwing_core::{RemoteKind, Report};
use lapwing_remote::airflow::Airflow;
use lapwing_remote::check;
use lapwing_remote::oci::Registry;

use super::Connection;
use crate::error::Reported as _;
use crate::wire::RemoteHealth;
use crate::{App, exchange};

struct Answer {
    server: String,
    user: Option<String>,
}

pub(super) fn test(app: &App, connection: &Connection) -> Result<RemoteHealth, Report> {
    let begun = Instant::now();
    let answer = ask(app, connection);
    let millis = u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX);
    Ok(match answer {
        Ok(answer) => RemoteHealth {
            server: Some(answer.server),
            user: answer.user,
            millis,
            problem: None,
        },
        Err(problem) => RemoteHealth {
            server: None,
            user: None,
            millis,
            problem: Some(problem),
        },
    })
}

fn ask(app: &App, connection: &Connection) -> Result<Answer, Report> {
    match connection.kind {
        RemoteKind::Storage => {
            let storage = connection.storage(app).reported()?;
            Ok(Answer {
                server: storage.greet().reported()?,
                user: None,
            })
        }
        RemoteKind::Mlflow
        | RemoteKind::HuggingFace
        | RemoteKind::Oci
        | RemoteKind::Ray
        | RemoteKind::Airflow
        | RemoteKind::Kubeflow => {
            let client = connection.client(app)?;
            if connection.kind == RemoteKind::Oci {
                // What it says without being asked for a token does not say whether it lets us in.
                let registry = Registry::new(&client).reported()?;
                app.block_on(registry.check())?.reported()?;
            }
            if connection.kind == RemoteKind::Airflow {
                // Whoever asks gets to know its version.
                app.block_on(Airflow::sign_in(client.clone()))?.reported()?;
            }
            let health = app
                .block_on(check::check(connection.kind, &client))?
                .reported()?;
            Ok(Answer {
                server: health.server,
                user: health.user,
            })
        }
        RemoteKind::Docker | RemoteKind::Ssh | RemoteKind::Slurm | RemoteKind::Kubernetes => {
            Ok(Answer {
                server: connection.machine(app)?.greet(app)?,
                user: None,
            })
        }
        RemoteKind::Git => Ok(Answer {
            server: exchange::greet(app, connection)?,
            user: None,
        }),
    }
}
