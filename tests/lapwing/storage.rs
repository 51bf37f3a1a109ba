//! Data to S3 and back, with the real `dvc` on the other side, through cuts; and what is said when it does not work.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::cut::Cut;
#[cfg(target_os = "linux")]
use crate::elsewhere::Machine;
use crate::place::{Place, told};

const PREPARE: &str = r#"
import boto3, json, sys, time, urllib.request
url = f"http://127.0.0.1:{sys.argv[1]}"
while True:
    try:
        urllib.request.urlopen(url + "/moto-api/").read()
        break
    except OSError:
        time.sleep(0.1)
own = dict(endpoint_url=url, region_name="us-east-1", aws_access_key_id="root", aws_secret_access_key="root")
iam = boto3.client("iam", **own)
iam.create_user(UserName="ada")
allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="ada", PolicyName="s3", PolicyDocument=json.dumps(allow))
key = iam.create_access_key(UserName="ada")["AccessKey"]
anyone = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
iam.create_role(RoleName="writer", AssumeRolePolicyDocument=json.dumps(anyone))
iam.put_role_policy(RoleName="writer", PolicyName="s3", PolicyDocument=json.dumps(allow))
assume = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
iam.put_user_policy(UserName="ada", PolicyName="sts", PolicyDocument=json.dumps(assume))
boto3.client("s3", **own).create_bucket(Bucket="birds")
# From here on it checks signatures.
urllib.request.urlopen(urllib.request.Request(url + "/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"})).read()
print(key["AccessKeyId"], key["SecretAccessKey"])
"#;

pub fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("LAPWING_TEST_STORAGE")
        .expect("LAPWING_TEST_STORAGE names the venv of storage.txt: run `make test`");
    PathBuf::from(folder).join("bin").join(name)
}

/// A real S3 server with one bucket, `birds`, and one user.
pub struct S3 {
    server: Child,
    pub port: u16,
    pub id: String,
    pub secret: String,
}

impl S3 {
    pub fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = Command::new(program("moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto is installed: run `make test`");
        let prepared = Command::new(program("python"))
            .args(["-c", PREPARE, &port.to_string()])
            .output()
            .unwrap();
        assert!(prepared.status.success(), "{}", told(&prepared));
        let said = String::from_utf8(prepared.stdout).unwrap();
        let (id, secret) = said.trim().split_once(' ').unwrap();
        Self {
            port,
            server,
            id: id.to_owned(),
            secret: secret.to_owned(),
        }
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Without the user's own credentials, and with a home of its own.
pub fn run(
    place: &Place,
    folder: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Output {
    let home = place.path("home");
    std::fs::create_dir_all(&home).unwrap();
    place
        .command(folder, arguments)
        .env("HOME", home)
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_ACCESS_KEY_ID")
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

pub fn json(place: &Place, folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let mut all = arguments.to_vec();
    all.push("--json");
    let output = run(place, folder, &all, &[]);
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub fn dvc(place: &Place, folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program("dvc"))
        .args(arguments)
        .current_dir(folder)
        .env("HOME", place.path("home"))
        .env("DVC_NO_ANALYTICS", "1")
        .env("DVC_SITE_CACHE_DIR", place.path("site"))
        // Else it asks Google's server over gRPC what kind of bucket it is, for minutes.
        .env("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// A project with a folder of small files and one file that goes in parts.
pub fn project(place: &Place, name: &str) -> PathBuf {
    project_with(place, name, 17 << 20)
}

/// The same, with so many bytes in the large file.
pub fn project_with(place: &Place, name: &str, bytes: u32) -> PathBuf {
    let root = place.path(name);
    std::fs::create_dir_all(root.join("small/sub")).unwrap();
    for number in 0..60 {
        let text = format!("bird {number} of {name}");
        std::fs::write(root.join(format!("small/sub/{number}.txt")), text).unwrap();
    }
    let large: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
    std::fs::write(root.join("large.bin"), large).unwrap();
    for arguments in [&["init"][..], &["data", "add", "small", "large.bin"]] {
        let output = run(place, &root, arguments, &[]);
        assert!(output.status.success(), "{}", told(&output));
    }
    root
}

pub fn add(place: &Place, root: &Path, port: u16, address: &str) {
    let endpoint = format!("endpointurl=http://127.0.0.1:{port}");
    let arguments = [
        "remotes",
        "add",
        "store",
        address,
        "--default",
        "-o",
        &endpoint,
    ];
    let output = run(place, root, &arguments, &[]);
    assert!(output.status.success(), "{}", told(&output));
}

pub fn login(place: &Place, root: &Path, id: &str, secret: &str) -> Output {
    let mut command = place.command(
        root,
        &["remotes", "login", "store", "--user", id, "--secret-stdin"],
    );
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{secret}").unwrap();
    child.wait_with_output().unwrap()
}

/// One server for all: it takes longer to start than everything else here.
#[test]
fn data_travels_to_s3_and_back() {
    let place = Place::new();
    let s3 = S3::start();
    what_one_pushes_the_other_pulls(&place, &s3);
    a_push_that_is_cut_sends_only_what_is_missing(&place, &s3);
    a_download_goes_on_behind_what_has_arrived(&place, &s3);
    a_test_says_what_is_wrong(&place, &s3);
}

fn what_one_pushes_the_other_pulls(place: &Place, s3: &S3) {
    let root = project(place, "ours");
    add(place, &root, s3.port, "s3://birds/data");
    let signed = login(place, &root, &s3.id, &s3.secret);
    assert!(signed.status.success(), "{}", told(&signed));
    let health = json(place, &root, &["remotes", "test", "store"]);
    assert_eq!(health["server"], "S3", "{health}");
    let pushed = json(place, &root, &["data", "push"]);
    assert_eq!(
        (&pushed["files"], &pushed["skipped"]),
        (&62.into(), &0.into()),
        "{pushed}"
    );
    let pushed = json(place, &root, &["data", "push"]);
    assert_eq!(
        (&pushed["files"], &pushed["skipped"]),
        (&0.into(), &62.into()),
        "{pushed}"
    );
    for verb in ["push", "pull"] {
        let refused = run(place, &root, &["data", verb, "smal"], &[]);
        let said = told(&refused);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("`smal` is not tracked"), "{said}");
    }
    a_secret_is_nowhere_else(place, s3, &root);

    // The real dvc fetches it, and sends something back.
    let theirs = place.path("theirs");
    let copy = |what: &str| std::fs::copy(root.join(what), theirs.join(what)).unwrap();
    std::fs::create_dir_all(&theirs).unwrap();
    let made = run(place, &theirs, &["init"], &[]);
    assert!(made.status.success(), "{}", told(&made));
    for file in [".dvc/config", "small.dvc", "large.bin.dvc"] {
        copy(file);
    }
    for (key, value) in [("access_key_id", &s3.id), ("secret_access_key", &s3.secret)] {
        dvc(
            place,
            &theirs,
            &["remote", "modify", "--local", "store", key, value],
        );
    }
    dvc(place, &theirs, &["pull"]);
    let read = |root: &Path, file: &str| std::fs::read(root.join(file)).unwrap();
    for file in ["small/sub/59.txt", "large.bin"] {
        assert!(read(&root, file) == read(&theirs, file), "{file}");
    }
    std::fs::create_dir_all(theirs.join("more")).unwrap();
    std::fs::write(theirs.join("more/owl.txt"), "an owl").unwrap();
    dvc(place, &theirs, &["add", "more"]);
    dvc(place, &theirs, &["push"]);

    // And back, with the credentials of dvc's own configuration.
    std::fs::remove_dir_all(theirs.join(".dvc/cache")).unwrap();
    for gone in ["more", "small"] {
        std::fs::remove_dir_all(theirs.join(gone)).unwrap();
    }
    std::fs::remove_file(theirs.join("large.bin")).unwrap();
    let pulled = json(place, &theirs, &["data", "pull"]);
    assert_eq!(pulled["files"], 64, "{pulled}");
    assert_eq!(read(&theirs, "more/owl.txt"), b"an owl");
    assert!(read(&root, "large.bin") == read(&theirs, "large.bin"));
    let said = dvc(place, &theirs, &["status"]);
    assert!(said.contains("up to date"), "{said}");
}

fn a_secret_is_nowhere_else(place: &Place, s3: &S3, root: &Path) {
    let mut said = String::new();
    for arguments in [
        &["remotes", "test", "store", "--json"][..],
        &["remotes", "list", "--json"],
        &["data", "push"],
    ] {
        let output = run(place, root, arguments, &[("RUST_LOG", "trace")]);
        said.push_str(&told(&output));
    }
    assert!(!said.contains(&s3.secret), "a secret is never shown");
    let found = Command::new("grep")
        .args(["-rlaF", &s3.secret])
        .args([root, &place.workspace()])
        .output()
        .unwrap();
    let file = place.workspace().join("credentials.json");
    let found = String::from_utf8(found.stdout).unwrap();
    assert_eq!(found.trim(), file.display().to_string(), "one file has it");
}

fn a_push_that_is_cut_sends_only_what_is_missing(place: &Place, s3: &S3) {
    let root = project(place, "cut");
    let cut = Cut::before(s3.port, 13 << 20);
    add(place, &root, cut.port, "s3://birds/cut");
    login(place, &root, &s3.id, &s3.secret);
    let failed = run(place, &root, &["data", "push", "large.bin"], &[]);
    assert!(!failed.status.success(), "{}", told(&failed));
    cut.mend();
    let before = cut.passed();
    let pushed = json(place, &root, &["data", "push", "large.bin"]);
    assert_eq!(pushed["files"], 1, "{pushed}");
    let again = cut.passed() - before;
    assert!(
        again < (13 << 20),
        "the first part of 8 MiB is not sent again: {again}"
    );
    let pushed = json(place, &root, &["data", "push"]);
    assert_eq!(
        (&pushed["files"], &pushed["skipped"]),
        (&61.into(), &1.into()),
        "{pushed}"
    );
}

fn a_download_goes_on_behind_what_has_arrived(place: &Place, s3: &S3) {
    let root = place.path("cut");
    let content = std::fs::read(root.join("large.bin")).unwrap();
    let text = std::fs::read_to_string(root.join("large.bin.dvc")).unwrap();
    let id = text
        .split("md5: ")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let (first, rest) = id.split_at(2);
    let folder = root.join(".dvc/cache/files/md5").join(first);
    let object = folder.join(rest);
    std::fs::remove_file(&object).unwrap();
    std::fs::remove_file(root.join("large.bin")).unwrap();
    std::fs::write(
        folder.join(format!(".lapwing-{rest}.part")),
        &content[..15 << 20],
    )
    .unwrap();
    let pulled = json(place, &root, &["data", "pull", "large.bin"]);
    assert_eq!(pulled["bytes"], 2 << 20, "{pulled}");
    assert!(std::fs::read(root.join("large.bin")).unwrap() == content);

    // Something else under the name of the content does not become visible.
    std::fs::remove_file(&object).unwrap();
    std::fs::remove_file(root.join("large.bin")).unwrap();
    std::fs::write(
        folder.join(format!(".lapwing-{rest}.part")),
        "no such thing",
    )
    .unwrap();
    let failed = run(place, &root, &["data", "pull", "large.bin"], &[]);
    assert!(
        told(&failed).contains("other content than its name says"),
        "{}",
        told(&failed)
    );
    assert!(!object.exists() && !root.join("large.bin").exists());
    let pulled = json(place, &root, &["data", "pull", "large.bin"]);
    assert_eq!(pulled["files"], 1, "the next try begins anew: {pulled}");
    let _ = s3;
}

fn a_test_says_what_is_wrong(place: &Place, s3: &S3) {
    let root = place.path("words");
    std::fs::create_dir_all(&root).unwrap();
    run(place, &root, &["init"], &[]);
    let said = |environment: &[(&str, &str)]| {
        let output = run(place, &root, &["remotes", "test", "store"], environment);
        assert!(!output.status.success(), "{}", told(&output));
        told(&output)
    };
    let known = [
        ("AWS_ACCESS_KEY_ID", s3.id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", s3.secret.as_str()),
    ];
    let wrong = [known[0], ("AWS_SECRET_ACCESS_KEY", "not-the-one")];
    let nobody = [("AWS_ACCESS_KEY_ID", "AKIANOBODY"), known[1]];
    add(place, &root, s3.port, "s3://birds/x");
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[], "there are no credentials for S3"),
        (
            &wrong,
            "the secret key is not the one that belongs to the access key",
        ),
        (&nobody, "it does not know this access key"),
    ];
    for (environment, words) in cases {
        let said = said(environment);
        assert!(said.contains(words), "{words}: {said}");
        assert!(
            !said.contains(&s3.secret) && !said.contains("not-the-one"),
            "{said}"
        );
    }
    let works = run(place, &root, &["remotes", "test", "store"], &known);
    assert!(works.status.success(), "{}", told(&works));
    add(place, &root, s3.port, "s3://fish/x");
    assert!(
        said(&known).contains("there is no bucket"),
        "{}",
        said(&known)
    );
    let nothing = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    add(place, &root, nothing, "s3://birds/x");
    assert!(
        said(&known).contains("nothing listens at"),
        "{}",
        said(&known)
    );
    let secret = [
        "remotes",
        "add",
        "store",
        "s3://birds/x",
        "-o",
        "secret_access_key=canary",
    ];
    let refused = run(place, &root, &secret, &[]);
    assert!(told(&refused).contains("is a secret"), "{}", told(&refused));
    let config = std::fs::read_to_string(root.join(".dvc/config")).unwrap();
    assert!(!config.contains("canary"), "{config}");
    std::fs::write(
        root.join(".dvc/config"),
        format!("{config}    version_aware = true\n"),
    )
    .unwrap();
    assert!(
        said(&known).contains("`version_aware` cannot be used"),
        "{}",
        said(&known)
    );
}

#[cfg(target_os = "linux")]
/// The system's `ssh` with the test's own configuration in place of the user's.
pub fn own_ssh(place: &Place, machine: &Machine) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = place.path("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let wrapper = folder.join("ssh");
    let config = machine.folder.join("config");
    let text = format!(
        "#!/bin/sh\nexec /usr/bin/ssh -F '{}' \"$@\"\n",
        config.display()
    );
    std::fs::write(&wrapper, text).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn data_travels_over_ssh_and_back() {
    let place = Place::new();
    let machine = Machine::start(&place);
    let path = own_ssh(&place, &machine);
    let environment = [("PATH", path.as_str())];
    let root = project(&place, "ours");
    let there = machine.folder.join("there/data");
    let address = format!("ssh://box{}", there.display());
    let go = |arguments: &[&str]| {
        let output = run(&place, &root, arguments, &environment);
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    go(&["remotes", "add", "store", &address, "--default"]);
    assert!(go(&["remotes", "test", "store"]).contains("files over ssh"));
    assert!(go(&["data", "push"]).contains("Pushed 62 files"));
    assert!(go(&["data", "push"]).contains("62 were there already"));
    // What lies there is what dvc itself finds when it is asked on that machine.
    let theirs = place.path("theirs");
    std::fs::create_dir_all(&theirs).unwrap();
    run(&place, &theirs, &["init"], &[]);
    for file in ["small.dvc", "large.bin.dvc"] {
        std::fs::copy(root.join(file), theirs.join(file)).unwrap();
    }
    let folder = there.display().to_string();
    dvc(&place, &theirs, &["remote", "add", "-d", "there", &folder]);
    dvc(&place, &theirs, &["pull"]);
    let large = std::fs::read(theirs.join("large.bin")).unwrap();
    std::fs::remove_dir_all(root.join(".dvc/cache")).unwrap();
    std::fs::remove_dir_all(root.join("small")).unwrap();
    std::fs::remove_file(root.join("large.bin")).unwrap();
    assert!(go(&["data", "pull"]).contains("Pulled 62 files"));
    assert!(std::fs::read(root.join("large.bin")).unwrap() == large);

    std::fs::write(machine.folder.join("authorized_keys"), "").unwrap();
    let refused = run(&place, &root, &["remotes", "test", "store"], &environment);
    let said = told(&refused);
    assert!(said.contains("none of your keys is known there"), "{said}");
    assert!(said.contains("`ssh box`"), "{said}");
    let address = format!("ssh://root@127.0.0.1:{}/data", machine.port);
    go(&["remotes", "add", "store", &address, "--default"]);
    let unknown = run(&place, &root, &["data", "push"], &environment);
    let said = told(&unknown);
    assert!(said.contains("its host key is not known here"), "{said}");
    let by_hand = format!("`ssh -p {} -l root 127.0.0.1`", machine.port);
    assert!(said.contains(&by_hand), "{said}");
}

const WEB: &str = r#"
import base64, http.server, os, shutil, sys, threading
halves = len(sys.argv) > 3
root, wanted = sys.argv[1], "Basic " + base64.b64encode(b"ada:owl-7391").decode()
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def refused(self):
        if self.headers.get("Authorization") == wanted:
            return False
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        return True
    def do_HEAD(self):
        self.refused() or super().do_HEAD()
    def do_GET(self):
        self.refused() or self.part() or super().do_GET()
    def part(self):
        path, wanted = self.translate_path(self.path), self.headers.get("Range", "")
        if not wanted.endswith("-") or not os.path.isfile(path):
            return False
        begin, size = int(wanted.removeprefix("bytes=")[:-1]), os.path.getsize(path)
        if begin >= size:
            self.send_error(416)
            return True
        self.send_response(206)
        self.send_header("Content-Length", str(size - begin))
        self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
        self.end_headers()
        with open(path, "rb") as file:
            file.seek(begin)
            shutil.copyfileobj(file, self.wfile)
        return True
    def do_POST(self):
        if self.refused():
            return
        path = self.translate_path(self.path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if len(body) < int(self.headers["Content-Length"]):
                if halves:  # As a plain one does.
                    with open(path, "wb") as file:
                        file.write(body)
                return  # Cut: half a file is none.
        # As a good server does: whole under its name, or not at all.
        arriving = os.path.join(root, f"arriving-{threading.get_ident()}")
        with open(arriving, "wb") as file:
            file.write(body)
        os.replace(arriving, path)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()
os.makedirs(root, exist_ok=True)
os.chdir(root)
http.server.ThreadingHTTPServer.request_queue_size = 128  # With five, connections wait for seconds.
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"#;

pub struct Web {
    pub server: Child,
    pub port: u16,
}

impl Web {
    fn start(root: &Path) -> Self {
        Self::start_at(root, 0)
    }

    /// On that port, or on a free one for 0.
    pub fn start_at(root: &Path, port: u16) -> Self {
        Self::start_with(root, port, &[])
    }

    /// One that keeps under its name what came of a file before a cut.
    pub fn keeping_halves(root: &Path) -> Self {
        Self::start_with(root, 0, &["halves"])
    }

    fn start_with(root: &Path, port: u16, more: &[&str]) -> Self {
        let mut server = Command::new(program("python"))
            .args(["-c", WEB])
            .arg(root)
            .arg(port.to_string())
            .args(more)
            .stdout(Stdio::piped())
            // A client that has gone is no matter here.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let mut said = std::io::BufReader::new(server.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut said, &mut port).unwrap();
        Self {
            server,
            port: port.trim().parse().unwrap(),
        }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn data_travels_to_a_web_server_and_back() {
    let place = Place::new();
    let web = Web::start(&place.path("web"));
    let root = project(&place, "ours");
    let address = format!("http://127.0.0.1:{}/data", web.port);
    let arguments = [
        "remotes",
        "add",
        "store",
        &address,
        "--kind",
        "storage",
        "--default",
    ];
    json(&place, &root, &arguments);
    let refused = run(&place, &root, &["remotes", "test", "store"], &[]);
    let said = told(&refused);
    assert!(said.contains("wants to know who you are"), "{said}");
    login(&place, &root, "ada", "not-hers-8264");
    for verb in [&["data", "push"][..], &["remotes", "test", "store"]] {
        let refused = run(&place, &root, verb, &[]);
        let said = told(&refused);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(
            said.contains("does not accept the credentials that were sent"),
            "{said}"
        );
        assert!(!said.contains("not-hers-8264"), "{said}");
    }
    login(&place, &root, "ada", "owl-7391");
    let pushed = json(&place, &root, &["data", "push"]);
    assert_eq!(pushed["files"], 62, "{pushed}");
    let pushed = json(&place, &root, &["data", "push"]);
    assert_eq!(pushed["skipped"], 62, "{pushed}");

    let theirs = place.path("theirs");
    std::fs::create_dir_all(&theirs).unwrap();
    run(&place, &theirs, &["init"], &[]);
    for file in [".dvc/config", "small.dvc", "large.bin.dvc"] {
        std::fs::copy(root.join(file), theirs.join(file)).unwrap();
    }
    for (key, value) in [("auth", "basic"), ("user", "ada"), ("password", "owl-7391")] {
        dvc(
            &place,
            &theirs,
            &["remote", "modify", "--local", "store", key, value],
        );
    }
    dvc(&place, &theirs, &["pull"]);
    std::fs::create_dir_all(theirs.join("more")).unwrap();
    std::fs::write(theirs.join("more/owl.txt"), "an owl").unwrap();
    dvc(&place, &theirs, &["add", "more"]);
    dvc(&place, &theirs, &["push"]);
    std::fs::remove_dir_all(theirs.join(".dvc/cache")).unwrap();
    std::fs::remove_dir_all(theirs.join("more")).unwrap();
    let pulled = json(&place, &theirs, &["data", "pull", "more"]);
    assert_eq!(pulled["files"], 2, "{pulled}");
    assert_eq!(
        std::fs::read(theirs.join("more/owl.txt")).unwrap(),
        b"an owl"
    );
}
