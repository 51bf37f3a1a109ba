use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use lapwing_remote::post_json;

const LIMIT: usize = 64 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_end_is_cut_and_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0_u8; 4096];
        let _ = stream.read(&mut request).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let chunk = vec![b'x'; 1 << 20];
        // Until the client hangs up.
        let mut sent = 0_usize;
        while stream.write_all(&chunk).is_ok() {
            sent += chunk.len();
        }
        sent
    });
    let body = serde_json::json!({});
    let answer = post_json(&url, &body, None, Duration::from_secs(120))
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.len(), LIMIT);
    let sent = server.await.unwrap();
    assert!(sent < 2 * LIMIT, "the client hung up: {sent}");
}
