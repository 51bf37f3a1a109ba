//! A registry whose tokens another server gives out, and that run out half-way: after the specification of token authentication,
//! because the real ones keep a token valid for a minute at least.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use lapwing_remote::oci::{Descriptor, Registry};
use lapwing_remote::{Client, Credential, Error, Secret, Sent, Sessions, Watch, digest};

use crate::client::serve;

/// A part of an upload, and a little more.
const BYTES: usize = (16 << 20) + 100;

#[derive(Default)]
struct Shelf {
    url: String,
    issued: u32,
    /// Whether the last token still counts.
    valid: bool,
    upload: Vec<u8>,
    blob: Option<Vec<u8>>,
    /// Downloads that were begun.
    begun: u32,
}

type Kept = Arc<Mutex<Shelf>>;

fn header_of<'a>(request: &'a Request, name: &header::HeaderName) -> &'a str {
    let value = request.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

async fn answer(State(kept): State<Kept>, request: Request) -> Response {
    let given = header_of(&request, &header::AUTHORIZATION).to_owned();
    if request.uri().path() == "/token" {
        let mut shelf = kept.lock().unwrap();
        // ada:right
        if given != "Basic YWRhOnJpZ2h0" {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        shelf.issued += 1;
        shelf.valid = true;
        return format!("{{\"token\": \"t{}\"}}", shelf.issued).into_response();
    }
    let refused = {
        let shelf = kept.lock().unwrap();
        let good = shelf.valid && given == format!("Bearer t{}", shelf.issued);
        let challenge = format!("Bearer realm=\"{}/token\",service=\"registry\"", shelf.url);
        (!good).then_some(challenge)
    };
    if let Some(challenge) = refused {
        return (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, challenge)],
        )
            .into_response();
    }
    let method = request.method().clone();
    let range = header_of(&request, &header::RANGE).to_owned();
    let body = axum::body::to_bytes(request.into_body(), usize::MAX).await;
    let body = body.unwrap();
    let mut shelf = kept.lock().unwrap();
    let location = [(header::LOCATION, "/v2/birds/blobs/uploads/1".to_owned())];
    match method {
        Method::POST => (StatusCode::ACCEPTED, location).into_response(),
        Method::PATCH => {
            shelf.upload.extend_from_slice(&body);
            // From here on another token is wanted.
            shelf.valid = false;
            (StatusCode::ACCEPTED, location).into_response()
        }
        Method::PUT => {
            let whole = std::mem::take(&mut shelf.upload);
            shelf.blob = Some(whole);
            StatusCode::CREATED.into_response()
        }
        Method::HEAD => match &shelf.blob {
            Some(_) => StatusCode::OK.into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        _ => {
            shelf.begun += 1;
            let blob = shelf.blob.clone().unwrap();
            let from = range.trim_start_matches("bytes=").trim_end_matches('-');
            let from: usize = from.parse().unwrap_or(0);
            if shelf.begun > 1 {
                let range = format!("bytes {from}-{}/{}", blob.len() - 1, blob.len());
                let head = [(header::CONTENT_RANGE, range)];
                return (StatusCode::PARTIAL_CONTENT, head, blob[from..].to_vec()).into_response();
            }
            // The first one breaks off half-way, and the token has run out meanwhile.
            shelf.valid = false;
            let half = Bytes::copy_from_slice(&blob[..blob.len() / 2]);
            let pieces = [Ok(half), Err(std::io::Error::other("cut"))];
            let mut cut = Response::new(Body::from_stream(futures_util::stream::iter(pieces)));
            cut.headers_mut()
                .insert(header::CONTENT_LENGTH, blob.len().into());
            cut
        }
    }
}

async fn registry(password: &str) -> (Registry, Kept) {
    let kept = Kept::default();
    let routes = Router::new().fallback(answer).with_state(kept.clone());
    let url = serve(routes).await;
    kept.lock().unwrap().url.clone_from(&url);
    let credential = Credential {
        user: Some("ada".to_owned()),
        secret: Secret::new(password),
    };
    let client = Client::new(&url, Some(credential)).unwrap();
    (Registry::new(&client).unwrap(), kept)
}

#[tokio::test]
async fn a_token_that_runs_out_half_way_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let content: Vec<u8> = (0..BYTES).map(|n| (n % 251) as u8).collect();
    std::fs::write(at("weights"), &content).unwrap();
    let sha256 = digest::sha256_of(&content);
    let (registry, kept) = registry("right").await;
    let watch = Watch {
        moved: &|_| {},
        stop: &AtomicBool::new(false),
    };
    let sessions = Sessions::at(at("uploads.json"));
    let sent = registry
        .send_blob("birds", &at("weights"), &sha256, &sessions, watch)
        .await;
    assert!(sent.unwrap());
    assert!(kept.lock().unwrap().blob.as_ref() == Some(&content));
    assert_eq!(
        kept.lock().unwrap().issued,
        3,
        "one for each part and the end"
    );

    let wanted: Descriptor = serde_json::from_value(serde_json::json!({
        "mediaType": "application/octet-stream", "digest": format!("sha256:{sha256}"), "size": BYTES,
    }))
    .unwrap();
    registry
        .fetch("birds", &wanted, &at("part"), &at("came"), &|_| {})
        .await
        .unwrap();
    assert!(std::fs::read(at("came")).unwrap() == content);
    assert_eq!(kept.lock().unwrap().begun, 2, "it went on behind the half");
}

#[tokio::test]
async fn a_password_that_the_token_server_does_not_take_is_told() {
    let (registry, kept) = registry("wrong").await;
    let refused = registry.has("birds", "sha256:00").await;
    assert!(
        matches!(
            refused,
            Err(Error::Unauthorized {
                sent: Sent::Credential,
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(kept.lock().unwrap().issued, 0);
}
