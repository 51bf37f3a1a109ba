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
const RUN_LIMIT: Duration = Duration::from_secs(900);
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
        until("the driver", PAGE_LIMIT, || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
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

    async fn press(&self, name: &str) {
        let path = format!(
            "//button[normalize-space()='{name}' or @aria-label='{name}'] | //a[normalize-space()='{name}' or @aria-label='{name}']"
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
    window.wait_for("flight-delays", PAGE_LIMIT).await;
    screen.picture("overview-new");

    window.press("Pipeline").await;
    window.wait_for("evaluate", PAGE_LIMIT).await;
    screen.picture("pipeline");
    window.press("Run").await;
    window.press("Runs").await;
    window.wait_for("running", PAGE_LIMIT).await;
    window.wait_for("finished", RUN_LIMIT).await;
    screen.picture("runs");

    window.client.close().await.unwrap();
}
