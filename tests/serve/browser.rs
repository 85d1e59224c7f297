//! The page of `--admin` in a browser: it shows what happens while it happens, and what a guest says is text in it.
//!
//! Debian's `chromium` and `chromium-driver`, which `.ci/run` installs where they are missing, spoken to as W3C WebDriver says.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::admin::{ADMIN, named};
use crate::harness::http::Connection;
use crate::harness::installed::are_installed;
use crate::harness::server::{Server, serve};
use crate::harness::{Folder, PATIENCE};

/// What keeps a browser from asking others than this test, and lets it run for root and without a screen.
const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser, as long as this is kept; its files are in a folder that is gone then.
struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _folder: Folder,
}

impl Browser {
    fn start() -> Self {
        let folder = Folder::new();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .envs(["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"].map(|name| (name, folder.root())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("`chromedriver`: apt-get install chromium chromium-driver");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok()
        });
        // It has more to say, and is not to wait until somebody has read it.
        std::thread::spawn(move || lines.for_each(drop));
        let address = SocketAddr::from(([127, 0, 0, 1], port.expect("a port")));
        let mut browser = Browser { driver, address, session: String::new(), _folder: folder };
        let profile = format!("--user-data-dir={}", browser._folder.folder("profile").display());
        let options = json!({ "args": FLAGS.into_iter().chain([profile.as_str()]).collect::<Vec<_>>() });
        let capabilities = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let session = browser.post("/session", &json!({ "capabilities": { "alwaysMatch": capabilities } }));
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    fn ask(&self, head: &str, body: &str) -> Value {
        let mut connection = Connection::open(self.address);
        let length = body.len();
        let host = self.address;
        let kind = "content-type: application/json";
        connection.send(
            format!("{head} HTTP/1.1\r\nhost: {host}\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes(),
        );
        let answer = connection.answer().expect("an answer of the browser's");
        let value: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, 200, "{head}: {value}");
        value["value"].clone()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask(&format!("POST {path}"), &body.to_string())
    }

    fn of_session(&self, what: &str, body: &Value) -> Value {
        self.post(&format!("/session/{}/{what}", self.session), body)
    }

    fn open(&self, url: &str) {
        self.of_session("url", &json!({ "url": url }));
    }

    fn run(&self, script: &str) -> Value {
        self.of_session("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script gives what it should.
    #[track_caller]
    fn until(&self, script: &str, is: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let found = self.run(script);
            if is(&found) {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "`{script}` gives {found}, console {}", self.console());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    fn becomes(&self, script: &str, expected: &Value) {
        self.until(script, |found| found == expected);
    }

    /// Waits until an element shows what it should.
    #[track_caller]
    fn shows(&self, id: &str, is: impl Fn(&str) -> bool) -> String {
        let script = format!("return document.getElementById('{id}').textContent");
        self.until(&script, |text| text.as_str().is_some_and(&is)).as_str().unwrap_or_default().to_owned()
    }

    /// What the browser has complained about since it was last asked.
    fn console(&self) -> Value {
        self.of_session("se/log", &json!({ "type": "browser" }))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser with the session; and where it cannot, it is killed.
        if !self.session.is_empty() {
            let mut connection = Connection::open(self.address);
            let (session, host) = (&self.session, self.address);
            connection.send(format!("DELETE /session/{session} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes());
            connection.answer();
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn page(server: &Server) -> String {
    format!("http://{}/", server.address_after("what goes on: "))
}

#[test]
fn the_page_shows_what_happens_while_it_happens() {
    if !are_installed(&["chromedriver", "chromium"]) {
        return;
    }
    let browser = Browser::start();
    let server = Server::start("p2_http_faults", ADMIN);
    browser.open(&page(&server));
    browser.shows("state", |text| text == "serving");
    browser.shows("requests", |text| text == "0");
    for _ in 0..7 {
        server.answers("/ok", "ok\n");
    }
    browser.shows("requests", |text| text == "7");
    browser.shows("p99", |text| text.ends_with(" ms") || text.ends_with(" µs") || text.ends_with(" s"));
    browser.shows("classes", |text| text == "2xx7");
    // With the second rate there is a line.
    browser.becomes("return document.querySelectorAll('#rate-line polyline').length", &json!(1));
    let mut slow = server.connect();
    slow.ask("/slow?chunks=1000&ms=20");
    browser.shows("in-flight", |text| text == "1");
    browser.shows("instances", |text| text == "1");
    drop(slow);
    browser.shows("in-flight", |text| text == "0");
    browser.shows("last-faults", |text| text.contains("/slow?chunks=1000&ms=20: the client has gone"));
    // Nothing is wider than the screen of a phone.
    browser.of_session("window/rect", &json!({ "width": 360, "height": 800 }));
    let is_wider = browser.run("return document.documentElement.scrollWidth > window.innerWidth");
    assert_eq!(is_wider, false);
    assert_eq!(browser.console(), json!([]));
    server.end();
    browser.shows("state", |text| text == "not reachable");
}

#[test]
fn what_a_guest_says_is_text() {
    if !are_installed(&["chromedriver", "chromium"]) {
        return;
    }
    let browser = Browser::start();
    let folder = Folder::new();
    let image = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>";
    let server = Server::of(serve(&named(&folder, image), ADMIN));
    assert_eq!(server.get("/").status, 500);
    browser.open(&page(&server));
    browser.shows("last-faults", |text| text.contains(image));
    let made = browser.run("return document.querySelectorAll('img, script:not([src])').length");
    assert_eq!((made, browser.run("return document.title")), (0.into(), "turnkey".into()));
    // Nor would it be let: what is not the page's own script does not run.
    browser.run("const script = document.createElement('script'); script.textContent = \"document.title='run'\"; document.body.append(script)");
    assert_eq!(browser.run("return document.title"), "turnkey");
    let console = browser.console();
    let complaints = console.as_array().unwrap();
    assert_eq!(complaints.len(), 1, "{console}");
    assert!(complaints[0]["message"].as_str().unwrap().contains("Content Security Policy"), "{console}");
    server.end();
}

#[test]
fn the_page_says_what_would_allow_what_was_refused() {
    if !are_installed(&["chromedriver", "chromium"]) {
        return;
    }
    let browser = Browser::start();
    let server = Server::start("p2_http_fetch", ADMIN);
    browser.open(&page(&server));
    browser.shows("last-refusals", |text| text == "nothing");
    assert_eq!(server.get("/?url=http://127.0.0.1:1/secret").status, 502);
    let text = browser.shows("last-refusals", |text| text != "nothing");
    assert!(text.contains("handle asked for GET http://127.0.0.1:1/secret"), "{text}");
    assert!(text.contains("allowed by: --allow http=http://127.0.0.1:1"), "{text}");
    assert_eq!(browser.console(), json!([]));
    server.end();
}
