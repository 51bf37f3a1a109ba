//! The real window under a virtual screen, driven through WebDriver: sample, Run, Deploy, try-it, monitor.
//!
//! Needs `Xvfb`, `tauri-driver` (`LAPWING_TAURI_DRIVER`) and WebKit's driver; pictures of each page go to
//! `LAPWING_TEST_PICTURES` where that is set.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};

use crate::place::Place;

/// The sample installs its Python environment on the first run.
const RUN_LIMIT: Duration = Duration::from_secs(600);
const PAGE_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// A virtual screen and a driver, ended with the test.
struct Screen {
    children: Vec<Child>,
    display: String,
    port: u16,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

impl Screen {
    fn start(place: &Place) -> Self {
        let display = format!(":{}", 100 + std::process::id() % 400);
        let screen = Command::new("Xvfb")
            .args([&display, "-screen", "0", "1280x900x24", "-nolisten", "tcp"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is installed: run `make test`");
        let lock = PathBuf::from(format!("/tmp/.X11-unix/X{}", &display[1..]));
        until("the virtual screen", PAGE_LIMIT, || lock.exists());
        let (port, native) = (free_port(), free_port());
        let driver =
            std::env::var_os("LAPWING_TAURI_DRIVER").unwrap_or_else(|| "tauri-driver".into());
        let mut command = Command::new("dbus-run-session");
        command
            .arg("--")
            .arg(driver)
            .args([
                "--port",
                &port.to_string(),
                "--native-port",
                &native.to_string(),
            ])
            .env("DISPLAY", &display)
            .env("NO_AT_BRIDGE", "1")
            .env("LANG", "C.UTF-8")
            .env("HOME", place.path("home"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        std::fs::create_dir_all(place.path("home")).unwrap();
        place.environment(&mut command);
        let driver = command
            .spawn()
            .expect("dbus-run-session and tauri-driver are installed: run `make test`");
        // The outer driver drops a session that comes before the inner one listens.
        for (what, port) in [("the driver", port), ("WebKit's driver", native)] {
            until(what, PAGE_LIMIT, || {
                std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
            });
        }
        Self {
            children: vec![driver, screen],
            display,
            port,
        }
    }

    /// WebKit's own screenshot call hangs without a GPU: the picture is taken from the screen.
    fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("LAPWING_TEST_PICTURES") else {
            return;
        };
        std::fs::create_dir_all(&folder).unwrap();
        let file = Path::new(&folder).join(format!("{name}.png"));
        let taken = Command::new("import")
            .args(["-window", "root"])
            .arg(file)
            .env("DISPLAY", &self.display)
            .status()
            .expect("imagemagick is installed: run `make test`");
        assert!(taken.success(), "the picture `{name}` could not be taken");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "{what} did not come");
        std::thread::sleep(POLL);
    }
}

struct Window {
    client: Client,
}

impl Window {
    async fn open(screen: &Screen) -> Self {
        let mut capabilities = serde_json::Map::new();
        capabilities.insert(
            "tauri:options".to_owned(),
            serde_json::json!({ "application": env!("CARGO_BIN_EXE_lapwing-desktop") }),
        );
        let client = ClientBuilder::native()
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{}", screen.port))
            .await
            .unwrap();
        Self { client }
    }

    async fn text(&self) -> String {
        let script = "return document.body.innerText";
        self.client
            .execute(script, vec![])
            .await
            .map(|value| value.as_str().unwrap_or_default().to_owned())
            .unwrap_or_default()
    }

    async fn wait_for(&self, wanted: &str, limit: Duration) {
        let start = Instant::now();
        loop {
            let text = self.text().await;
            if text.contains(wanted) {
                return;
            }
            assert!(
                start.elapsed() < limit,
                "`{wanted}` did not appear in:\n{text}"
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Opens a page as a link to it would.
    async fn go(&self, route: &str) {
        let script = format!("location.hash = '#{route}'");
        self.client.execute(&script, vec![]).await.unwrap();
    }

    /// Waits until that page is the one that is shown, and shows no skeleton any more.
    async fn settled(&self, page: &str) {
        let start = Instant::now();
        let script = "return document.querySelector('nav [aria-current=page] a')?.hash.split('?')[0] === arguments[0]
            && !document.querySelector('[aria-busy=true], .skeleton')";
        let page = serde_json::json!(format!("#/{page}"));
        while self
            .client
            .execute(script, vec![page.clone()])
            .await
            .ok()
            .and_then(|settled| settled.as_bool())
            != Some(true)
        {
            assert!(start.elapsed() < PAGE_LIMIT, "{page} does not settle");
            tokio::time::sleep(POLL).await;
        }
    }

    async fn fill(&self, label: &str, text: &str) {
        let path = format!("//input[@aria-label='{label}']");
        let found = self
            .client
            .wait()
            .at_most(PAGE_LIMIT)
            .for_element(Locator::XPath(&path))
            .await;
        let field = found.unwrap_or_else(|error| panic!("there is no `{label}` to fill: {error}"));
        field
            .send_keys(text)
            .await
            .unwrap_or_else(|error| panic!("`{label}` cannot be filled: {error}"));
    }

    /// Waits until it can be pressed: a page that still loads has its buttons, and a press on them does nothing.
    async fn press(&self, name: &str) {
        let path = format!(
            "//*[self::button or self::a or @role='tab'][normalize-space()='{name}' or @aria-label='{name}'][not(@disabled)]"
        );
        let found = self
            .client
            .wait()
            .at_most(PAGE_LIMIT)
            .for_element(Locator::XPath(&path))
            .await;
        let button = found.unwrap_or_else(|error| panic!("there is no `{name}` to press: {error}"));
        button
            .click()
            .await
            .unwrap_or_else(|error| panic!("`{name}` cannot be pressed: {error}"));
    }
}

/// The window's own process, as it says itself where it hosts the services.
fn window_pid(place: &Place) -> String {
    let file = place.workspace().join("services.json");
    let mut pid = String::new();
    until("the window's services", PAGE_LIMIT, || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let services: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        pid = services["pid"].to_string();
        services["pid"].is_u64()
    });
    pid
}

#[tokio::test(flavor = "multi_thread")]
async fn sample_run_deploy_predict_monitor() {
    let place = Place::new();
    let screen = Screen::start(&place);
    let window = Window::open(&screen).await;

    window
        .wait_for("Create the sample project", PAGE_LIMIT)
        .await;
    screen.picture("welcome");
    window.press("Create the sample project").await;
    window.wait_for("4 stages", PAGE_LIMIT).await;
    screen.picture("overview-new");

    window.press("Pipeline").await;
    window.wait_for("evaluate", PAGE_LIMIT).await;
    window.press("Run").await;
    window.wait_for("1 running job", RUN_LIMIT).await;
    screen.picture("pipeline-running");

    // Killed while it trains: the run goes on without it, and the next window finds it.
    let pid = window_pid(&place);
    assert!(
        Command::new("kill")
            .args(["-9", &pid])
            .status()
            .unwrap()
            .success()
    );
    drop(window);
    let window = Window::open(&screen).await;
    window.go("/runs").await;
    window.wait_for("finished", RUN_LIMIT).await;
    screen.picture("runs");

    window.go("/pipeline").await;
    window.press("Sweep…").await;
    window.fill("Parameter", "model.max_iter").await;
    window.fill("Values of model.max_iter", "5, 10").await;
    window.wait_for("2 trials, 1 at a time", PAGE_LIMIT).await;
    screen.picture("sweep-form");
    window.press("Start").await;
    window.wait_for("2 of 2 done", RUN_LIMIT).await;
    screen.picture("sweep");

    window.go("/overview").await;
    window.press("Deploy").await;
    window.wait_for("finished", RUN_LIMIT).await;
    screen.picture("deploy-job");
    window.go("/deployments/flight-delays").await;
    window.wait_for("Why this runtime", PAGE_LIMIT).await;
    screen.picture("deployment");
    window.press("Try it").await;
    window.press("Send").await;
    window.wait_for("HTTP 200", PAGE_LIMIT).await;
    screen.picture("try-it");

    window.go("/monitors/flight-delays").await;
    window.wait_for("1 prediction", PAGE_LIMIT).await;
    screen.picture("monitor");
    for page in [
        "overview",
        "data",
        "pipeline",
        "models",
        "automations",
        "jobs",
        "remotes",
        "settings",
    ] {
        window.go(&format!("/{page}")).await;
        window.settled(page).await;
        screen.picture(page);
    }
    window.client.close().await.unwrap();

    // The endpoint outlives the window that deployed it.
    let row = place.json(
        &place.path("home"),
        &["deployments", "show", "flight-delays"],
    );
    assert_eq!(
        row["row"]["state"], "running",
        "closing the window ends no endpoint: {row}"
    );
}
