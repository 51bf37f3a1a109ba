//! Automations by themselves: what starts a policy, and what brings its release back. `lapwing server` hosts the loop.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::{Place, peer, told};
use crate::registries::{add_registry, registry};
use crate::registry::PASSWORD;

/// A lap takes seconds; a machine that builds at the same time may need far longer.
const BOUND: Duration = Duration::from_secs(400);
const POLL: Duration = Duration::from_millis(200);

/// A project whose model is a rule of two lines of Python, deployed as `rule`; `automation` is the rest of `lapwing.toml`.
struct Sandbox {
    place: Place,
    folder: PathBuf,
}

const DVC_YAML: &str = "stages:
  train:
    cmd: python train.py
    deps: [data/rows.csv, heldout.csv, train.py, params.yaml]
    metrics: [metrics.json: {cache: false}]
";

const MONITOR: &str = r#"[project]
name = "rule"

[[monitor]]
deployment = "rule"
performance = { metric = "accuracy", below = 0.9, min_rows = 50 }
"#;

const POLICY: &str = r#"
[[automation]]
name = "retrain"
deployment = "rule"
model = "rule"
retrain = { add = ["data/rows.csv"] }
gate = { metric = "accuracy", margin = 0.01, data = "heldout.csv", label = "label" }
"#;

impl Sandbox {
    /// A project without a model yet.
    fn new(automation: &str) -> Self {
        let place = Place::new();
        let folder = place.path("a rule");
        std::fs::create_dir_all(folder.join("data")).unwrap();
        let sandbox = Self { place, folder };
        sandbox.write("data/rows.csv", &rows(0, 400, 0.0));
        sandbox.write("heldout.csv", &rows(5000, 200, 1.5));
        sandbox.write("train.py", include_str!("rule/train.py"));
        sandbox.write("params.yaml", "kind: plain\n");
        sandbox.write("dvc.yaml", DVC_YAML);
        sandbox.configure(automation);
        sandbox.share_environments();
        sandbox.place.text(&sandbox.folder, &["init"]);
        sandbox.text(&["data", "add", "data/rows.csv", "-m", "First rows"]);
        sandbox
    }

    /// The same with a first model that answers.
    fn deployed(automation: &str) -> Self {
        let sandbox = Self::new(automation);
        let run = sandbox.json(&["run"]);
        let id = run["row"]["run_id"].as_str().unwrap();
        sandbox.json(&[
            "models", "register", id, "--name", "rule", "--alias", "champion",
        ]);
        // Chosen by the system: several of these tests deploy at the same time.
        let port = free_port().to_string();
        let row = sandbox.json(&["deploy", "rule@champion", "--name", "rule", "--port", &port]);
        assert_eq!(row["state"], "running", "{row}");
        sandbox
    }

    fn configure(&self, automation: &str) {
        self.write("lapwing.toml", &format!("{MONITOR}{POLICY}{automation}\n"));
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).unwrap();
    }

    /// One Python environment for all of these tests: what is in it, and the lock while it is made, lie in its folder.
    fn share_environments(&self) {
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("environments");
        std::fs::create_dir_all(&shared).unwrap();
        std::fs::create_dir_all(self.place.workspace()).unwrap();
        std::os::unix::fs::symlink(shared, self.place.workspace().join("environments")).unwrap();
    }

    /// A command with the peers' Python first on PATH: the project names no environment of its own.
    fn command(&self, arguments: &[&str]) -> Command {
        let bin = peer("python").parent().unwrap().to_path_buf();
        let path = std::env::var_os("PATH").unwrap();
        let path = std::iter::once(bin).chain(std::env::split_paths(&path));
        let mut command = self.place.command(&self.folder, arguments);
        command.env("PATH", std::env::join_paths(path).unwrap());
        command
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let said = told(&output);
        assert!(output.status.success(), "`{}`: {said}", arguments.join(" "));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.text(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// The trail's entries, oldest first.
    fn log(&self) -> Vec<Value> {
        let mut rows = self
            .json(&["automations", "log"])
            .as_array()
            .unwrap()
            .clone();
        rows.reverse();
        rows
    }

    fn decisions(&self, kind: &str) -> Vec<Value> {
        let mut rows = self.log();
        rows.retain(|row| row["kind"] == kind);
        rows
    }

    fn revision(&self) -> u64 {
        self.json(&["deployments", "show", "rule"])["row"]["revision"]
            .as_u64()
            .unwrap()
    }

    /// Sends rows through the endpoint, and their labels after them.
    fn predict(&self, rows: &str) {
        self.write("new.csv", rows);
        let answer = self.json(&["predict", "rule", "--data", "new.csv"]);
        let mut labels = String::from("prediction_id,label\n");
        let truth = rows.lines().skip(1);
        for (prediction, line) in answer["rows"].as_array().unwrap().iter().zip(truth) {
            let id = prediction["prediction_id"].as_str().unwrap();
            labels.push_str(&format!("{id},{}\n", line.rsplit(',').next().unwrap()));
        }
        self.write("labels.csv", &labels);
        self.json(&["monitors", "labels", "rule", "labels.csv"]);
    }

    fn server(&self) -> Server {
        let mut child = self
            .command(&["server", "--port", "0", "--every", "1"])
            .env("LAPWING_LOG", "lapwing_app=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        let (send, looks) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                eprintln!("server: {line}");
                if line.contains("looked at monitors and automations") && send.send(()).is_err() {
                    return;
                }
            }
        });
        Server { child, looks }
    }
}

/// `lapwing server`, killed when the test is done with it.
struct Server {
    child: Child,
    looks: std::sync::mpsc::Receiver<()>,
}

impl Server {
    /// Waits until the loop has looked so many more times.
    fn looks(&self, times: u32) {
        while self.looks.try_recv().is_ok() {}
        for _ in 0..times {
            self.looks.recv_timeout(BOUND).expect("the loop goes on");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < BOUND, "{what} never came");
        std::thread::sleep(POLL);
    }
}

/// The end of the lap with that number, counted from 1; its entries, oldest first.
fn lap(sandbox: &Sandbox, number: usize) -> Vec<Value> {
    wait_for("the end of a lap", || {
        let log = sandbox.log();
        let mut laps: Vec<&Value> = log.iter().map(|row| &row["lap"]).collect();
        laps.dedup();
        let wanted = laps.get(number - 1)?;
        let rows: Vec<Value> = log
            .iter()
            .filter(|row| row["lap"] == **wanted)
            .cloned()
            .collect();
        let ended = ["kept", "released", "failed", "rolled_back"];
        ended
            .iter()
            .any(|kind| rows.last().unwrap()["kind"] == *kind)
            .then_some(rows)
    })
}

fn kinds(rows: &[Value]) -> Vec<&str> {
    rows.iter()
        .map(|row| row["kind"].as_str().unwrap())
        .collect()
}

/// Rows whose label depends on x and y; `turn` turns the dependence, so that an old model becomes wrong.
fn rows(from: u32, count: u32, turn: f64) -> String {
    let mut text = String::from("x,y,label\n");
    for index in from..from + count {
        let x = f64::from(index * 7919 % 1000) / 500.0 - 1.0;
        let y = f64::from(index * 10_473 % 1009) / 504.5 - 1.0;
        let label = i32::from(x * turn.cos() + y * turn.sin() > 0.0);
        text.push_str(&format!("{x},{y},{label}\n"));
    }
    text
}

const RELEASED: [&str; 4] = ["triggered", "retrained", "promoted", "released"];

#[test]
fn new_data_starts_a_lap_once() {
    let sandbox = Sandbox::deployed("on = { data = [\"data/rows.csv\"] }");
    let server = sandbox.server();
    server.looks(3);
    assert!(
        sandbox.log().is_empty(),
        "nothing is new yet: {:?}",
        sandbox.log()
    );

    sandbox.write("data/rows.csv", &rows(2000, 400, 1.5));
    let first = lap(&sandbox, 1);
    assert_eq!(kinds(&first), RELEASED, "{first:?}");
    assert!(
        first[0]["message"]
            .as_str()
            .unwrap()
            .contains("data/rows.csv changed"),
        "the trail says what started it: {first:?}"
    );
    assert_eq!(sandbox.revision(), 2);
    server.looks(4);
    assert_eq!(
        sandbox.decisions("triggered").len(),
        1,
        "{:?}",
        sandbox.log()
    );

    // A new version of the data is news also when a person added it.
    sandbox.write("data/rows.csv", &rows(2000, 500, 1.5));
    sandbox.text(&["data", "add", "data/rows.csv", "-m", "More rows"]);
    let second = lap(&sandbox, 2);
    assert!(
        second[0]["message"]
            .as_str()
            .unwrap()
            .contains("data/rows.csv changed"),
        "{second:?}"
    );
    assert_eq!(
        second.last().unwrap()["kind"],
        "kept",
        "no better than before: {second:?}"
    );
    server.looks(4);
    assert_eq!(
        sandbox.decisions("triggered").len(),
        2,
        "{:?}",
        sandbox.log()
    );
}

/// What a team's registry calls `prod` is what answers here, unless it is no better on the held-out rows.
#[test]
fn an_alias_that_moves_elsewhere_is_followed() {
    let sandbox = Sandbox::deployed("on = { remote_alias = \"images:rule@prod\" }");
    let registry = registry(&sandbox.place);
    add_registry(
        &sandbox.place,
        &sandbox.folder,
        "images",
        registry.port,
        PASSWORD,
    );
    let push = |version: &str| {
        sandbox.json(&["models", "push", version, "images", "--alias", "prod"]);
    };
    push("rule/1");
    let server = sandbox.server();
    let first = lap(&sandbox, 1);
    assert_eq!(
        kinds(&first),
        ["triggered", "kept"],
        "it is served already: {first:?}"
    );

    sandbox.write("data/rows.csv", &rows(2000, 400, 1.5));
    let run = sandbox.json(&["run"]);
    let id = run["row"]["run_id"].as_str().unwrap();
    sandbox.json(&["models", "register", id, "--name", "rule"]);
    push("rule/2");
    let second = lap(&sandbox, 2);
    assert_eq!(
        kinds(&second),
        ["triggered", "promoted", "released"],
        "{second:?}"
    );
    let why = second[0]["message"].as_str().unwrap();
    assert_eq!(why, "images:rule@prod names version 2 now");
    assert!(second[1]["numbers"]["challenger"].is_number(), "{second:?}");
    assert_eq!(sandbox.revision(), 2);

    // The old one again: worse on the held-out rows, and not released.
    push("rule/1");
    let third = lap(&sandbox, 3);
    assert_eq!(kinds(&third), ["triggered", "kept"], "{third:?}");
    server.looks(4);
    assert_eq!(
        sandbox.decisions("triggered").len(),
        3,
        "each move counts once: {:?}",
        sandbox.log()
    );
    assert_eq!(sandbox.revision(), 2);

    // A registry that is away stops nothing, and is asked again.
    drop(registry);
    server.looks(3);
    assert_eq!(sandbox.decisions("failed"), Vec::<Value>::new());
}

#[test]
fn a_missed_schedule_is_made_up_for_once() {
    let sandbox = Sandbox::new("on = { cron = \"0 3 1 1 *\" }");
    sandbox.json(&["run"]);
    let server = sandbox.server();
    server.looks(3);
    assert!(
        sandbox.log().is_empty(),
        "a new schedule waits for its time: {:?}",
        sandbox.log()
    );
    drop(server);

    // The machine was off for years: what the loop remembers is that old.
    let script = "import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as db:
    year = 365 * 24 * 3600 * 1000
    print(db.execute('UPDATE policies SET since = since - 5 * ?', [year]).rowcount)";
    let database = sandbox.place.workspace().join("lapwing.db");
    let mut python = Command::new(peer("python"));
    let output = python.args(["-c", script]).arg(database).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "1",
        "{}",
        told(&output)
    );

    let server = sandbox.server();
    let first = lap(&sandbox, 1);
    assert_eq!(
        first[0]["message"], "the schedule 0 3 1 1 * was due",
        "{first:?}"
    );
    assert_eq!(
        kinds(&first),
        ["triggered", "kept"],
        "nothing to train on: {first:?}"
    );
    server.looks(4);
    let triggered = sandbox.decisions("triggered");
    assert_eq!(
        triggered.len(),
        1,
        "five missed times are one lap: {triggered:?}"
    );

    // A changed schedule counts from now; this one comes with the next minute.
    sandbox.configure("on = { cron = \"* * * * *\" }");
    let second = lap(&sandbox, 2);
    assert_eq!(
        second[0]["message"], "the schedule * * * * * was due",
        "{second:?}"
    );
}

#[test]
fn a_policy_never_runs_twice_at_once() {
    let sandbox = Sandbox::new("on = { data = [\"data/rows.csv\"] }");
    sandbox.write("hold", "");
    let mut by_hand = sandbox.command(&["automations", "run", "retrain"]);
    let mut by_hand = by_hand
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the first lap", || sandbox.log().first().cloned());

    let second = sandbox
        .command(&["automations", "run", "retrain"])
        .output()
        .unwrap();
    assert!(!second.status.success(), "{}", told(&second));
    assert!(
        told(&second).contains("goes on already"),
        "{}",
        told(&second)
    );
    let server = sandbox.server();
    sandbox.write("data/rows.csv", &rows(2000, 400, 1.5));
    server.looks(5);
    assert_eq!(
        sandbox.decisions("triggered").len(),
        1,
        "{:?}",
        sandbox.log()
    );

    std::fs::remove_file(sandbox.folder.join("hold")).unwrap();
    assert!(by_hand.wait().unwrap().success(), "{:?}", sandbox.log());
    assert_eq!(
        kinds(&lap(&sandbox, 1)),
        RELEASED,
        "a policy also makes the first endpoint"
    );
    let next = lap(&sandbox, 2);
    assert!(
        next[0]["message"]
            .as_str()
            .unwrap()
            .contains("data/rows.csv changed"),
        "what came during a lap is not forgotten: {next:?}"
    );
}

#[test]
fn drift_starts_a_lap_and_then_rests() {
    let sandbox = Sandbox::deployed("on = { drift = true }");
    sandbox.predict(&rows(1000, 100, 0.0));
    let server = sandbox.server();
    server.looks(3);
    assert!(
        sandbox.log().is_empty(),
        "the same world drifts nowhere: {:?}",
        sandbox.log()
    );

    let far: String = rows(1000, 300, 0.0)
        .lines()
        .map(|line| match line.split_once(',') {
            Some((x, rest)) if x != "x" => format!("{},{rest}\n", x.parse::<f64>().unwrap() + 3.0),
            _ => format!("{line}\n"),
        })
        .collect();
    sandbox.predict(&far);
    let first = lap(&sandbox, 1);
    let why = first[0]["message"].as_str().unwrap();
    assert!(why.contains("columns drifted"), "{first:?}");
    assert_eq!(
        first.last().unwrap()["kind"],
        "kept",
        "there is no new data: {first:?}"
    );
    server.looks(4);
    let triggered = sandbox.decisions("triggered");
    assert_eq!(
        triggered.len(),
        1,
        "what still drifts is no new cause: {triggered:?}"
    );

    let history = sandbox.json(&["monitors", "show", "rule", "--history"]);
    let of_drift = |all: &Value| -> Vec<Value> {
        let rows = all.as_array().unwrap().iter();
        rows.filter(|row| row["metric"] == "drift")
            .cloned()
            .collect()
    };
    let seen = of_drift(&history);
    assert!(seen.len() >= 2, "before and after: {history}");
    let number = |row: &Value, key: &str| row[key].as_f64().unwrap();
    assert!(
        number(&seen[0], "value") < number(&seen[0], "line"),
        "{history}"
    );
    let last = seen.last().unwrap();
    assert!(number(last, "value") >= number(last, "line"), "{history}");
    server.looks(3);
    let again = sandbox.json(&["monitors", "show", "rule", "--history"]);
    assert_eq!(of_drift(&again), seen, "the same finding is kept once");
}

/// Deploys revision 1, then lets the policy release revision 2 from turned data.
fn with_a_release(automation: &str, params: &str) -> Sandbox {
    let sandbox = Sandbox::deployed(automation);
    sandbox.write("data/rows.csv", &rows(2000, 400, 1.5));
    sandbox.write("params.yaml", params);
    let released = sandbox.json(&["automations", "run", "retrain"]);
    assert_eq!(kinds(released.as_array().unwrap()), RELEASED, "{released}");
    assert_eq!(sandbox.revision(), 2);
    assert_eq!(champion(&sandbox), 2);
    sandbox
}

/// The version that the alias names.
fn champion(sandbox: &Sandbox) -> Value {
    sandbox.json(&["models", "list"])[0]["aliases"]["champion"].clone()
}

#[test]
fn failing_requests_bring_the_revision_before_back() {
    let sandbox = with_a_release("on = {}\nwatch = { min_requests = 5 }", "kind: fragile\n");
    sandbox.write("far.csv", "x,y\n7.0,1.0\n");
    let server = sandbox.server();
    for _ in 0..4 {
        let output = sandbox
            .command(&["predict", "rule", "--data", "far.csv"])
            .output()
            .unwrap();
        assert!(!output.status.success(), "{}", told(&output));
    }
    server.looks(3);
    assert_eq!(sandbox.revision(), 2, "four requests decide nothing");
    let output = sandbox
        .command(&["predict", "rule", "--data", "far.csv"])
        .output()
        .unwrap();
    assert!(!output.status.success(), "{}", told(&output));

    let back = wait_for("the roll-back", || sandbox.decisions("rolled_back").pop());
    assert_eq!(back["numbers"]["error_rate"], 1.0, "{back}");
    assert_eq!(back["numbers"]["requests"], 5.0, "{back}");
    assert_eq!(back["numbers"]["revision"], 1.0, "{back}");
    assert_eq!(sandbox.revision(), 1);
    let answer = sandbox.json(&["predict", "rule", "--data", "far.csv"]);
    assert_eq!(
        answer["rows"][0]["prediction"], "1",
        "the model before answers: {answer}"
    );
    assert_eq!(champion(&sandbox), 1, "the alias goes back too");
    server.looks(3);
    assert_eq!(
        sandbox.decisions("rolled_back").len(),
        1,
        "it comes back once"
    );
}

#[test]
fn a_worse_score_brings_the_revision_before_back() {
    let sandbox = with_a_release("on = {}", "kind: plain\n");
    let server = sandbox.server();
    sandbox.predict(&rows(3000, 100, 1.5));
    server.looks(3);
    assert_eq!(sandbox.revision(), 2, "as good as the gate said: it stays");

    // The world turns until the new model says the opposite of what is true.
    sandbox.predict(&rows(4000, 200, 1.5 + std::f64::consts::PI));
    let back = wait_for("the roll-back", || sandbox.decisions("rolled_back").pop());
    let number = |key: &str| back["numbers"][key].as_f64().unwrap();
    assert!(
        number("value") < number("champion") - number("max_loss"),
        "{back}"
    );
    assert!(number("rows") >= 50.0, "{back}");
    assert_eq!(sandbox.revision(), 1);
    server.looks(3);
    assert_eq!(
        sandbox.decisions("rolled_back").len(),
        1,
        "it comes back once"
    );
}

/// One request of an alert's delivery, answered with `status`; its JSON body.
fn delivery(listener: &std::net::TcpListener, status: &str) -> Value {
    use std::io::{Read as _, Write as _};
    let (mut stream, _) = wait_for("a delivery", || listener.accept().ok());
    stream.set_nonblocking(false).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn an_alert_reaches_its_webhook_once_it_answers() {
    let sandbox = Sandbox::deployed("on = {}");
    let port = free_port();
    let text = std::fs::read_to_string(sandbox.folder.join("lapwing.toml")).unwrap();
    let webhook = format!("webhook = \"http://127.0.0.1:{port}/alerts\"\nperformance");
    sandbox.write("lapwing.toml", &text.replacen("performance", &webhook, 1));

    // Nobody listens yet: the alert is raised, and its delivery waits.
    sandbox.predict(&rows(4000, 200, std::f64::consts::PI));
    let alert = sandbox.json(&["monitors", "alerts"])[0].clone();
    assert_eq!(alert["kind"], "performance", "{alert}");
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let server = sandbox.server();
    let refused = delivery(&listener, "503 Service Unavailable");
    let taken = delivery(&listener, "204 No Content");
    assert_eq!(refused, taken, "it is the same alert both times");
    assert_eq!(taken["id"], alert["id"], "{taken}");
    assert_eq!(taken["deployment"], "rule", "{taken}");
    assert_eq!(taken["kind"], "performance", "{taken}");
    assert_eq!(taken["message"], alert["message"], "{taken}");
    assert!(taken["at"].as_str().unwrap().ends_with('Z'), "{taken}");
    assert!(
        taken["text"].as_str().unwrap().starts_with("rule: "),
        "{taken}"
    );

    // The same cause again, and it stays silent.
    sandbox.predict(&rows(6000, 200, std::f64::consts::PI));
    server.looks(8);
    let again = listener.accept();
    assert!(again.is_err(), "what was taken is not posted again");
    assert_eq!(
        sandbox
            .json(&["monitors", "alerts"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_deployment_stands_in_the_project_and_flags_win() {
    let sandbox = Sandbox::new("on = {}");
    let id = sandbox.json(&["run"])["row"]["run_id"].clone();
    let id = id.as_str().unwrap();
    sandbox.json(&[
        "models", "register", id, "--name", "rule", "--alias", "champion",
    ]);
    let (said, flag) = (free_port(), free_port());
    let text = std::fs::read_to_string(sandbox.folder.join("lapwing.toml")).unwrap();
    let table = |port: &str| {
        format!(
            "{text}\n[[deployment]]\nname = \"rule\"\nmodel = \"rule@champion\"\nport = {port}\n"
        )
    };
    sandbox.write("lapwing.toml", &table(&said.to_string()));

    let row = sandbox.json(&["deploy"]);
    assert_eq!(row["name"], "rule", "{row}");
    assert_eq!(row["model_version"], 1, "{row}");
    let url = |row: &Value| row["url"].as_str().unwrap().to_owned();
    assert!(
        url(&row).ends_with(&format!(":{said}")),
        "the port that the project says: {row}"
    );
    let row = sandbox.json(&["deploy", "--name", "rule", "--port", &flag.to_string()]);
    assert!(
        url(&row).ends_with(&format!(":{flag}")),
        "a flag wins: {row}"
    );

    let output = sandbox
        .command(&["deploy", "--name", "other"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(
        told(&output).contains("no [[deployment]]"),
        "{}",
        told(&output)
    );
    sandbox.write("lapwing.toml", &table("1\nin = \"moon\""));
    let output = sandbox.command(&["deploy"]).output().unwrap();
    assert!(
        told(&output).contains("moon"),
        "the wrong word is named: {}",
        told(&output)
    );
}
