use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::get;
use lapwing_core::RemoteKind;
use lapwing_remote::check::check;
use lapwing_remote::{Client, Credential, Error, Secret, Sent};

use crate::client::serve;

async fn asked(kind: RemoteKind, routes: Router) -> Result<String, Error> {
    let url = serve(routes).await;
    let client = Client::new(&url, None)?;
    check(kind, &client).await.map(|health| health.server)
}

const EXPERIMENTS: &str = "/api/2.0/mlflow/experiments/search";

#[tokio::test]
async fn a_server_says_what_it_is() {
    let mlflow = Router::new()
        .route(EXPERIMENTS, get(async || "{\"experiments\": []}"))
        .route("/version", get(async || "3.17.2"));
    assert_eq!(
        asked(RemoteKind::Mlflow, mlflow).await.unwrap(),
        "MLflow 3.17.2"
    );
    let ray = Router::new().route(
        "/api/version",
        get(async || "{\"ray_version\": \"2.60.0\"}"),
    );
    assert_eq!(asked(RemoteKind::Ray, ray).await.unwrap(), "Ray 2.60.0");
}

#[tokio::test]
async fn a_server_of_another_kind_is_named_so() {
    let page = Router::new().fallback(get(async || "<html>hello</html>"));
    for kind in [
        RemoteKind::Mlflow,
        RemoteKind::HuggingFace,
        RemoteKind::Oci,
        RemoteKind::Ray,
        RemoteKind::Airflow,
        RemoteKind::Kubeflow,
    ] {
        let found = asked(kind, page.clone()).await;
        assert!(
            matches!(found, Err(Error::WrongServer { .. })),
            "{kind}: {found:?}"
        );
        let nothing = asked(kind, Router::new()).await;
        assert!(
            matches!(nothing, Err(Error::WrongServer { .. })),
            "{kind}: {nothing:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_says_whether_credentials_or_rights_are_missing() {
    let refusing = |status: StatusCode| Router::new().route(EXPERIMENTS, get(async move || status));
    let found = asked(RemoteKind::Mlflow, refusing(StatusCode::UNAUTHORIZED)).await;
    assert!(
        matches!(found, Err(Error::Unauthorized { .. })),
        "{found:?}"
    );
    let found = asked(RemoteKind::Mlflow, refusing(StatusCode::FORBIDDEN)).await;
    assert!(matches!(found, Err(Error::Forbidden { .. })), "{found:?}");
}

/// Refuses everything, and what it leads elsewhere too.
fn closed(status: StatusCode, elsewhere: Option<String>) -> Router {
    Router::new().fallback(async move || match elsewhere {
        Some(url) => Redirect::temporary(&url).into_response(),
        None => status.into_response(),
    })
}

#[tokio::test]
async fn credentials_that_are_refused_are_told_from_none_that_were_sent() {
    let credential = |user: Option<&str>| Credential {
        user: user.map(str::to_owned),
        secret: Secret::new("wrong"),
    };
    let asked = async |url: &str, credential: Option<Credential>| {
        let client = Client::new(url, credential).unwrap();
        let error = check(RemoteKind::Mlflow, &client).await.unwrap_err();
        let (name, hint) = (error.report().name, error.report().hint);
        match error {
            Error::Unauthorized { sent, .. } | Error::Forbidden { sent, .. } => {
                (sent, name, hint.unwrap())
            }
            other => panic!("{other:?}"),
        }
    };
    for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
        let url = serve(closed(status, None)).await;
        let (sent, _, hint) = asked(&url, None).await;
        assert_eq!(sent, Sent::Nothing);
        assert!(hint.contains("no credentials were sent"), "{hint}");
        for user in [None, Some("ada")] {
            let (sent, _, hint) = asked(&url, Some(credential(user))).await;
            assert_eq!(sent, Sent::Credential);
            assert!(!hint.contains("no credentials were sent"), "{hint}");
        }
    }
    // Where it is led elsewhere, nobody gets to see them.
    let other = serve(closed(StatusCode::UNAUTHORIZED, None)).await;
    let url = serve(closed(StatusCode::OK, Some(other))).await;
    let (sent, name, _) = asked(&url, Some(credential(None))).await;
    assert_eq!(
        (sent, name.as_str()),
        (Sent::Nothing, "remote.not_signed_in")
    );
}

#[tokio::test]
async fn a_refusal_by_a_server_of_another_time_is_the_clocks() {
    let old = Router::new().route(
        EXPERIMENTS,
        get(async || {
            let date = [("date", "Mon, 02 Jan 2023 10:00:00 GMT")];
            (StatusCode::FORBIDDEN, date, "")
        }),
    );
    let found = asked(RemoteKind::Mlflow, old).await;
    assert!(matches!(found, Err(Error::Clock { .. })), "{found:?}");
}
