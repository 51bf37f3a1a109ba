//! Models to a Hugging Face Hub and back. The server is our own, on loopback; the real `huggingface_hub` says what is right.

pub mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use server::{PART, Server};

use crate::cut::Cut;
use crate::place::{Place, interrupted, told};

const TOKEN: &str = "hf_canary_of_the_hub";
const STRANGER: &str = "hf_token_of_a_stranger";
const WEIGHTS: usize = 3 * PART + 5;

/// One person's machine: a workspace and a home, with nothing of the real user's.
struct Person {
    place: Place,
    home: PathBuf,
    url: String,
    token: &'static str,
}

impl Person {
    fn new(server: &Server, token: &'static str) -> Self {
        let place = Place::new();
        let home = place.path("home");
        std::fs::create_dir_all(&home).unwrap();
        let url = server.url.clone();
        Self {
            place,
            home,
            url,
            token,
        }
    }

    fn environment(&self, command: &mut Command) {
        command
            .env("HOME", &self.home)
            .env("HF_ENDPOINT", &self.url)
            .env("HF_TOKEN", self.token)
            .env("HF_HUB_DISABLE_XET", "1")
            .env("HF_HUB_DISABLE_TELEMETRY", "1")
            .env("HF_HUB_DISABLE_PROGRESS_BARS", "1")
            .env_remove("HF_HOME")
            .env_remove("HF_HUB_CACHE")
            .env_remove("HF_TOKEN_PATH")
            .env_remove("XDG_CACHE_HOME");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(&self.home, arguments);
        self.environment(&mut command);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        let said = told(&output);
        assert!(!said.contains(TOKEN), "a token is never shown: {said}");
        output
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        let output = self.run(&all);
        assert!(output.status.success(), "{all:?}: {}", told(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What a verb that must fail says.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", told(&output));
        told(&output)
    }

    /// The real client.
    fn python(&self, script: &str) -> String {
        let peer = std::env::var_os("LAPWING_TEST_HUGGINGFACE")
            .expect("LAPWING_TEST_HUGGINGFACE names the client's venv: run `make test`");
        let mut command = Command::new(PathBuf::from(peer).join("bin/python"));
        command.args(["-W", "ignore", "-c", script]);
        command.current_dir(&self.home);
        self.environment(&mut command);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", told(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Registers a folder that looks like an MLflow model, with small, large, empty and oddly named files.
    fn register(&self, seed: u8) -> PathBuf {
        let folder = self.home.join("model");
        std::fs::create_dir_all(folder.join("data")).unwrap();
        let weights: Vec<u8> = (0..WEIGHTS).map(|n| (n % 251) as u8 ^ seed).collect();
        std::fs::write(folder.join("weights.bin"), weights).unwrap();
        std::fs::write(folder.join("data/small.bin"), vec![seed; 1000]).unwrap();
        std::fs::write(folder.join("data/notes & more.txt"), "plain\n").unwrap();
        std::fs::write(folder.join("empty.txt"), "").unwrap();
        let flavors = "flavors:\n  python_function:\n    loader_module: nobody\n";
        std::fs::write(folder.join("MLmodel"), flavors).unwrap();
        self.json(&["models", "register", "model", "--name", "birds"]);
        folder
    }

    /// Where the files of a version are.
    fn version(&self, number: u32) -> PathBuf {
        let shown = self.json(&["models", "show", "birds"]);
        let versions = shown["versions"].as_array().unwrap();
        let version = versions.iter().find(|one| one["version"] == number);
        let source = version.unwrap()["source"].as_str().unwrap();
        let below = source.trim_start_matches("mlflow-artifacts:/");
        self.place.workspace().join("artifacts").join(below)
    }
}

fn same(a: &Path, b: &Path) -> String {
    let output = Command::new("diff")
        .arg("-r")
        .args([a, b])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn new(answer: &Value) -> bool {
    answer["new"].as_bool().unwrap()
}

#[test]
fn a_version_travels_to_the_hub_and_back_only_once() {
    let server = Server::start(&[(TOKEN, "ada"), (STRANGER, "bob")]);
    let ada = Person::new(&server, TOKEN);
    let folder = ada.register(0);

    let health = ada.json(&["remotes", "test", "hugging-face"]);
    assert_eq!(health["user"], "ada", "{health}");
    let push = [
        "models",
        "push",
        "birds/1",
        "hugging-face",
        "--alias",
        "prod",
    ];
    let pushed = ada.json(&push);
    assert_eq!(pushed["address"], "hugging-face:ada/birds/1");
    assert!(new(&pushed), "{pushed}");
    let changes = server.shelf().changes;
    assert!(!new(&ada.json(&push)), "the same files are there already");
    assert_eq!(server.shelf().changes, changes, "nothing was changed");

    the_real_client_reads_what_was_pushed(&ada, &folder);
    let bob = Person::new(&server, STRANGER);
    let refused = bob.refused(&["models", "pull", "hugging-face:ada/birds"]);
    assert!(refused.contains("does not exist"), "private: {refused}");

    // The same person on another machine.
    let other = Person::new(&server, TOKEN);
    let found = other.json(&["models", "search", "hugging-face", "bird"]);
    assert_eq!(found[0]["address"], "hugging-face:ada/birds");
    assert_eq!(found[0]["latest"], "1", "{found}");
    assert_eq!(found[0]["aliases"]["prod"], "1", "{found}");
    let pulled = other.json(&["models", "pull", "hugging-face:ada/birds@prod"]);
    assert_eq!(pulled["origin"], "hugging-face:ada/birds/1");
    assert!(new(&pulled), "{pulled}");
    assert_eq!(same(&folder, &other.version(1)), "", "byte for byte");
    for again in ["ada/birds@prod", "ada/birds/1", "ada/birds", "birds"] {
        let pulled = other.json(&["models", "pull", &format!("hugging-face:{again}")]);
        assert!(!new(&pulled), "{again}: {pulled}");
    }
    assert!(!new(&other.json(&[
        "models",
        "push",
        "birds/1",
        "hugging-face"
    ])));
    assert_eq!(server.shelf().changes, changes, "nothing was changed");

    what_others_change_there_comes_and_stays(&server, &ada, &other);
    assert_eq!(server.shelf().leaks, 0, "the storage saw no token");
    let found = Command::new("grep")
        .args(["-rlF", TOKEN])
        .args([ada.place.workspace(), other.place.workspace()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "nor did a file");
}

fn the_real_client_reads_what_was_pushed(ada: &Person, folder: &Path) {
    let said = ada.python(
        r##"
from huggingface_hub import HfApi, ModelCard, snapshot_download
print(snapshot_download("ada/birds", revision="prod"))
api = HfApi()
card = ModelCard.load("ada/birds")
print(card.data.library_name, card.data.tags, card.content.count("# birds"))
print(api.model_info("ada/birds").private, [tag.name for tag in api.list_repo_refs("ada/birds").tags])
"##,
    );
    let lines: Vec<&str> = said.lines().collect();
    let differences = same(folder, Path::new(lines[0]));
    let only: Vec<&str> = differences.lines().collect();
    assert_eq!(
        only.len(),
        3,
        "card, record and attributes beside it: {only:?}"
    );
    assert!(
        only.iter()
            .all(|line| line.starts_with("Only in ") && line.contains("snapshots")),
        "{only:?}"
    );
    assert_eq!(lines[1], "mlflow ['lapwing', 'mlflow'] 1");
    assert_eq!(lines[2], "True ['v1']", "private, unless one asks for more");
}

fn what_others_change_there_comes_and_stays(server: &Server, ada: &Person, other: &Person) {
    ada.python(
        r##"
from huggingface_hub import HfApi
api = HfApi()
api.upload_file(path_or_fileobj=b"by a person\n", path_in_repo="README.md", repo_id="ada/birds")
api.upload_file(path_or_fileobj=bytes(range(256)) * 5000, path_in_repo="data/small.bin", repo_id="ada/birds")
"##,
    );
    server.shelf().downloads.clear();
    let pulled = other.json(&["models", "pull", "hugging-face:ada/birds"]);
    assert_eq!(pulled["version"], 2);
    let changed = std::fs::read(other.version(2).join("data/small.bin")).unwrap();
    assert!(
        changed
            .iter()
            .enumerate()
            .all(|(n, byte)| n % 256 == usize::from(*byte))
    );
    assert_eq!(
        server.shelf().downloads,
        [0],
        "only the changed file was asked for"
    );
    assert!(!new(&other.json(&[
        "models",
        "pull",
        "hugging-face:ada/birds"
    ])));

    // A new version here follows the changes there, and leaves the person's card alone.
    ada.register(1);
    let pushed = ada.json(&[
        "models",
        "push",
        "birds/2",
        "hugging-face",
        "--alias",
        "prod",
    ]);
    assert_eq!(pushed["address"], "hugging-face:ada/birds/2");
    assert!(!new(&ada.json(&[
        "models",
        "push",
        "birds/2",
        "hugging-face"
    ])));
    let said = ada.python(
        r##"
from huggingface_hub import HfApi, hf_hub_download
print(open(hf_hub_download("ada/birds", "README.md", revision="v2")).read().strip())
refs = HfApi().list_repo_refs("ada/birds")
print({tag.name: tag.target_commit for tag in refs.tags}["v2"] == {one.name: one.target_commit for one in refs.branches}["prod"])
"##,
    );
    assert_eq!(said, "by a person\nTrue\n");

    // A branch on which somebody works is no alias.
    ada.python(
        r#"
from huggingface_hub import HfApi
api = HfApi()
api.create_branch("ada/birds", branch="work")
api.upload_file(path_or_fileobj=b"mine", path_in_repo="idea.txt", repo_id="ada/birds", revision="work")
"#,
    );
    let refused = ada.refused(&[
        "models",
        "push",
        "birds/1",
        "hugging-face",
        "--alias",
        "work",
    ]);
    assert!(refused.contains("commits of its own"), "{refused}");
}

#[test]
fn a_folder_that_is_no_mlflow_model_comes_as_files_and_says_so() {
    let server = Server::start(&[(TOKEN, "ada")]);
    let ada = Person::new(&server, TOKEN);
    ada.python(
        r##"
from huggingface_hub import HfApi
import os
os.makedirs("bert/onnx")
open("bert/config.json", "w").write("{}")
open("bert/README.md", "w").write("---\nlicense: mit\n---\n# A small bert\n")
open("bert/onnx/model.bin", "wb").write(b"\0" * 4096)
api = HfApi()
api.create_repo("ada/bert")
api.upload_folder(folder_path="bert", repo_id="ada/bert")
"##,
    );
    let pulled = ada.json(&["models", "pull", "hugging-face:ada/bert", "--as", "birds"]);
    assert!(new(&pulled), "{pulled}");
    assert_eq!(same(&ada.home.join("bert"), &ada.version(1)), "");
    assert!(!new(&ada.json(&[
        "models",
        "pull",
        "hugging-face:ada/bert",
        "--as",
        "birds"
    ])));
    let shown = ada.json(&["models", "show", "birds"]);
    assert_eq!(shown["versions"][0]["description"], "# A small bert");
    let refused = ada.refused(&["deploy", "birds/1", "--name", "birds"]);
    assert!(refused.contains("not deployed"), "{refused}");
    // They can be passed on, and the card that came with them goes along.
    let pushed = ada.json(&["models", "push", "birds/1", "hugging-face", "--as", "copy"]);
    assert!(new(&pushed), "{pushed}");
    let said = ada.python(
        "from huggingface_hub import ModelCard\nprint(ModelCard.load('ada/copy').data.license)",
    );
    assert_eq!(said, "mit\n");
}

#[test]
fn what_breaks_on_the_way_is_gone_on_with_and_never_shown() {
    let server = Server::start(&[(TOKEN, "ada"), (STRANGER, "bob")]);
    let ada = Person::new(&server, TOKEN);
    let folder = ada.register(0);

    // A cut in the middle of an upload costs a part.
    let cut = Cut::before(server.storage_port, (PART + PART / 2) as i64);
    server.shelf().uploads_at = format!("http://127.0.0.1:{}", cut.port);
    let mut arguments = vec![
        "remotes",
        "add",
        "hub",
        &server.url,
        "--kind",
        "hugging-face",
    ];
    arguments.extend(["--option", "private=no"]);
    ada.json(&arguments);
    let mut pushing = ada
        .command(&["models", "push", "birds/1", "hub"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !cut.happened() {
        std::thread::yield_now();
    }
    cut.mend();
    assert!(pushing.wait().unwrap().success());
    let passed = usize::try_from(cut.passed()).unwrap();
    assert!(passed >= WEIGHTS, "everything went that way: {passed}");
    assert!(
        passed < WEIGHTS + 2 * PART,
        "a part was sent twice: {passed}"
    );

    // Everybody may read it now; not everybody may write.
    let bob = Person::new(&server, STRANGER);
    bob.register(2);
    let refused = bob.refused(&[
        "models",
        "push",
        "birds/1",
        "hugging-face",
        "--as",
        "ada/birds",
    ]);
    assert!(refused.contains("does not let you do this"), "{refused}");
    let nobody = Person::new(&server, "hf_wrong");
    let refused = nobody.refused(&["models", "pull", "hugging-face:ada/birds"]);
    assert!(
        refused.contains("does not accept the credentials that were sent"),
        "{refused}"
    );
    assert!(refused.contains("lapwing remotes login"), "{refused}");

    // The server dies in the middle of a download, again and again; then it is back.
    let reader = Person::new(&server, STRANGER);
    let pull = ["models", "pull", "hugging-face:ada/birds"];
    server.shelf().cut_after = Some(PART + 7);
    assert!(new(&reader.json(&pull)));
    assert_eq!(same(&folder, &reader.version(1)), "");
    let mut begun = server.shelf().downloads.clone();
    begun.sort_unstable();
    assert_eq!(begun.len(), 3, "two files, and one cut: {begun:?}");
    assert!(
        begun[2] > 0,
        "it went on behind what had arrived: {begun:?}"
    );

    // What is damaged there becomes no version here.
    let weights = sha256(&folder.join("weights.bin"));
    server.shelf().damaged.insert(weights.clone());
    let third = Person::new(&server, STRANGER);
    let refused = third.refused(&pull);
    assert!(refused.contains("digest"), "{refused}");
    assert_eq!(third.json(&["models", "list"]), serde_json::json!([]));
    server.shelf().damaged.clear();
    assert!(
        new(&third.json(&pull)),
        "and it comes when it is whole again"
    );

    // What the real client has downloaded is not fetched again.
    let fourth = Person::new(&server, STRANGER);
    fourth.python("from huggingface_hub import snapshot_download\nsnapshot_download('ada/birds')");
    server.shelf().downloads.clear();
    assert!(new(&fourth.json(&pull)));
    assert_eq!(same(&folder, &fourth.version(1)), "");
    assert_eq!(server.shelf().downloads, [0_usize; 0]);
}

/// Pushes until `cut` holds it in the middle of a part, and stops it there.
fn push_and_stop(ada: &Person, server: &Server, model: &str) -> Cut {
    let cut = Cut::holding(server.storage_port, (PART + PART / 2) as i64);
    server.shelf().uploads_at = format!("http://127.0.0.1:{}", cut.port);
    let pushing = ada
        .command(&["models", "push", model, "hub"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !cut.happened() {
        std::thread::yield_now();
    }
    let stopped = interrupted(pushing, || {});
    let said = told(&stopped);
    assert_eq!(stopped.status.code(), Some(1), "{said}");
    assert!(said.contains("the transfer was stopped"), "{said}");
    cut.mend();
    cut
}

#[test]
fn a_push_that_was_stopped_is_gone_on_with_by_the_next() {
    let server = Server::start(&[(TOKEN, "ada")]);
    let ada = Person::new(&server, TOKEN);
    ada.register(0);
    let kind = ["--kind", "hugging-face"];
    ada.json(&[&["remotes", "add", "hub", &server.url][..], &kind].concat());
    let cut = push_and_stop(&ada, &server, "birds/1");
    assert!(new(&ada.json(&["models", "push", "birds/1", "hub"])));
    let passed = usize::try_from(cut.passed()).unwrap();
    assert!(
        (WEIGHTS..WEIGHTS + PART + PART / 4).contains(&passed),
        "the part that was whole was not sent again: {passed}"
    );

    // Too long ago: the storage has thrown the parts away, and it begins anew.
    ada.register(1);
    push_and_stop(&ada, &server, "birds/2");
    server.forget_uploads();
    assert!(new(&ada.json(&["models", "push", "birds/2", "hub"])));
}

/// Does what fails, and says so, because the server dies at `cut`; then the server is back.
fn dies_half_way(person: &Person, arguments: &[&str], server: &mut Server, cut: &Cut) {
    let begun = person
        .command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !cut.happened() {
        std::thread::yield_now();
    }
    server.die();
    let ended = begun.wait_with_output().unwrap();
    let said = told(&ended);
    assert_eq!(ended.status.code(), Some(3), "{said}");
    let words = ["nothing listens at", "broke off"];
    assert!(words.iter().any(|words| said.contains(words)), "{said}");
    assert!(!said.contains(TOKEN), "a token is never shown: {said}");
    server.start_again();
    cut.mend();
}

#[test]
fn a_hub_that_dies_half_way_gets_and_gives_what_is_missing() {
    let mut server = Server::start(&[(TOKEN, "ada")]);
    let ada = Person::new(&server, TOKEN);
    let folder = ada.register(0);
    let half = (PART + PART / 2) as i64;
    let cut = Cut::before(server.storage_port, half);
    server.shelf().uploads_at = format!("http://127.0.0.1:{}", cut.port);
    let push = ["models", "push", "birds/1", "hugging-face"];
    dies_half_way(&ada, &push, &mut server, &cut);
    assert_eq!(
        server.versions("ada/birds"),
        [""; 0],
        "nothing half is shown"
    );
    assert!(new(&ada.json(&push)));
    let passed = usize::try_from(cut.passed()).unwrap();
    assert!(
        (WEIGHTS..WEIGHTS + PART + PART / 4).contains(&passed),
        "the part that was whole was not sent again: {passed}"
    );
    assert_eq!(server.versions("ada/birds"), ["v1"]);

    // And on the way back, to another machine.
    let other = Person::new(&server, TOKEN);
    let cut = Cut::answers_with(server.storage_port, half, || {});
    server.shelf().downloads_at = format!("http://127.0.0.1:{}", cut.port);
    let pull = ["models", "pull", "hugging-face:ada/birds"];
    dies_half_way(&other, &pull, &mut server, &cut);
    assert_eq!(other.json(&["models", "list"]), serde_json::json!([]));
    assert!(new(&other.json(&pull)));
    assert_eq!(same(&folder, &other.version(1)), "", "byte for byte");
    let passed = usize::try_from(cut.passed()).unwrap();
    assert!(
        (WEIGHTS..WEIGHTS + PART / 2).contains(&passed),
        "it went on behind what had arrived: {passed}"
    );
}

fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().next().unwrap().to_owned()
}
