use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::HeaderMap;
use axum::response::Redirect;
use axum::routing::get;
use lapwing_remote::{Client, Credential, Error, Secret};
use reqwest::Method;

/// Serves on a free loopback port for as long as the test's runtime lives.
pub async fn serve(routes: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

fn token() -> Option<Credential> {
    Some(Credential {
        user: None,
        secret: Secret::new("canary-4711"),
    })
}

/// The headers of the last request to `/`.
async fn listening() -> (String, Arc<Mutex<Option<HeaderMap>>>) {
    let seen = Arc::new(Mutex::new(None));
    let kept = seen.clone();
    let routes = Router::new().route(
        "/",
        get(async move |headers: HeaderMap| {
            *kept.lock().unwrap() = Some(headers);
            "{}"
        }),
    );
    (serve(routes).await, seen)
}

#[tokio::test]
async fn a_redirect_to_another_origin_loses_the_credential() {
    let (other, seen) = listening().await;
    let target = format!("{other}/");
    let routes = Router::new().route("/", get(async move || Redirect::temporary(&target)));
    let here = serve(routes).await;
    let client = Client::new(&here, token()).unwrap();
    let _: serde_json::Value = client.get("/", &[]).await.unwrap();
    let headers = seen.lock().unwrap().take().unwrap();
    assert!(headers.get("authorization").is_none(), "{headers:?}");
}

#[tokio::test]
async fn a_full_address_elsewhere_gets_no_credential() {
    let (other, seen) = listening().await;
    let client = Client::new("http://127.0.0.1:1", token()).unwrap();
    let request = client.request(Method::GET, &format!("{other}/"));
    client.ask(request).await.unwrap();
    let headers = seen.lock().unwrap().take().unwrap();
    assert!(headers.get("authorization").is_none(), "{headers:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_connection_is_told_apart() {
    let ask = async |address: &str| {
        let client = Client::new(address, token()).unwrap();
        client.get::<serde_json::Value>("x", &[]).await.unwrap_err()
    };
    let lookup = ask("http://no-such-host.invalid").await;
    assert!(matches!(lookup, Error::NameLookup { .. }), "{lookup:?}");
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let refused = ask(&format!("http://127.0.0.1:{port}")).await;
    assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
    let plain = serve(Router::new()).await;
    let tls = ask(&plain.replace("http:", "https:")).await;
    assert!(matches!(tls, Error::Tls { .. }), "{tls:?}");
    let missing = ask(&plain).await;
    assert!(matches!(missing, Error::NotFound { .. }), "{missing:?}");
    for error in [lookup, refused, tls, missing] {
        let told = format!("{error:?} {:?}", error.report());
        assert!(!told.contains("canary"), "{told}");
    }
    let named = Client::new("http://me:canary@host/", None).unwrap_err();
    assert!(named.to_string().contains("do not belong"), "{named}");
}

/// A server that cuts each connection after `piece` bytes of a body, and knows ranges. Counts the bytes of bodies sent.
fn cutting(body: Vec<u8>, piece: usize) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicU64::new(0));
    let count = sent.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0_u8; 4096];
            let read = stream.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..read]).to_lowercase();
            let from: usize = request
                .split("range: bytes=")
                .nth(1)
                .map_or(0, |rest| rest.split('-').next().unwrap().parse().unwrap());
            let rest = &body[from.min(body.len())..];
            let head = format!(
                "HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n",
                if from > 0 {
                    "206 Partial Content"
                } else {
                    "200 OK"
                },
                rest.len()
            );
            let now = &rest[..piece.min(rest.len())];
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(now);
            count.fetch_add(now.len() as u64, Ordering::SeqCst);
        }
    });
    (url, sent)
}

#[tokio::test]
async fn a_download_that_is_cut_goes_on_where_it_was() {
    let body: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let (url, sent) = cutting(body.clone(), 300_000);
    let client = Client::new(&url, None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("part");
    client
        .fetch(|| client.request(Method::GET, "file"), &part, &|_| {})
        .await
        .unwrap();
    assert_eq!(std::fs::read(&part).unwrap(), body);
    assert_eq!(
        sent.load(Ordering::SeqCst),
        body.len() as u64,
        "no byte was sent twice"
    );
}
