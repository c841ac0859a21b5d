//! `report.html`: its content, its reproducibility, and its layout in a real browser.

use crate::command::{bytes, fine, hebbian, one_line_error, train};
use assert_cmd::Command;
use candle_core::Device;
use hebbian_rnn::report::RunReport;
use hebbian_rnn::{Checkpoint, Setting};
use safetensors::{tensor::TensorView, Dtype};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

fn page(folder: &Path) -> String {
    String::from_utf8(bytes(folder.join("report.html"))).unwrap()
}

/// The text between two others.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("{from} is not there"));
    rest.split_once(to).unwrap_or_else(|| panic!("{to} is not there")).0
}

/// Decodes the HTML entities that the page uses, as a browser does.
fn unescaped(html: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/"), ("&amp;", "&")];
    entities.iter().fold(html.to_string(), |text, (entity, character)| text.replace(entity, character))
}

/// Writes a task file of two short trials.
fn task_file(path: &Path) {
    named_task_file(path, None);
}

/// The same with metadata, which may name inputs, outputs and types.
fn named_task_file(path: &Path, names: Option<HashMap<String, String>>) {
    let floats = |n: usize| -> Vec<u8> { (0..n).flat_map(|i| (i as f32 * 0.3).sin().to_le_bytes()).collect() };
    let (inputs, targets) = (floats(2 * 30 * 2), floats(2 * 30));
    let views = [
        ("inputs", TensorView::new(Dtype::F32, vec![2, 30, 2], &inputs).unwrap()),
        ("targets", TensorView::new(Dtype::F32, vec![2, 30, 1], &targets).unwrap()),
    ];
    std::fs::write(path, safetensors::serialize(views, names).unwrap()).unwrap();
}

#[test]
fn names_of_a_file_are_text_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let names = [
        ("inputs", "<script>alert(1)</script>,\u{202e}gnp.exe"),
        ("outputs", "</text><script>alert(2)</script>"),
        ("types", "\u{1b}[31mred\u{2066}<img src=x onerror=alert(3)>\u{feff},other"),
    ];
    let names = names.map(|(key, value)| (key.to_string(), value.to_string()));
    named_task_file(&dir.path().join("\u{202e}trials"), Some(HashMap::from(names)));
    let options = ["--neurons", "10", "--batch", "4", "--networks", "1", "--updates", "2", "--out", "run"];
    fine(hebbian(&[&["train", "--task-file", "\u{202e}trials"], &options[..]].concat(), dir.path()));
    let mut pictures = 0;
    for entry in std::fs::read_dir(dir.path().join("run")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "svg" && extension != "html") {
            continue;
        }
        let text = String::from_utf8(bytes(&path)).unwrap();
        for bad in ["<script>alert", "<img", "\u{202e}", "\u{2066}", "\u{feff}", "\u{1b}"] {
            assert!(!text.contains(bad), "{}: {bad:?}", path.display());
        }
        // They are still there, spelled out.
        pictures += usize::from(text.contains("&lt;script&gt;"));
    }
    assert!(pictures >= 2, "{pictures} files name the inputs");
}

#[test]
fn the_page_says_what_was_run_and_how_to_run_it_again() {
    let dir = TempDir::new().unwrap();
    let ran = fine(train(dir.path(), &["--updates", "3", "--set", "network.clamped=[[1, 0.5]]", "--out", "run"]));
    assert!(ran.stdout.contains("report.html"));
    let html = page(&dir.path().join("run"));
    for text in [
        "<h1>dnms, delta-x</h1>",
        "2 networks of 24 neurons, 8 trials at a time, seed 1",
        "Stopped at its limit, after 3 updates, 24 trials of each network.",
        "Did not reach the criterion:</strong> networks 0, 1.",
    ] {
        assert!(html.contains(text), "{text}");
    }
    // All keys are listed, and exactly those that were set are marked.
    let config: toml::Table = std::fs::read_to_string(dir.path().join("run/config.toml")).unwrap().parse().unwrap();
    for (name, _) in config.values().filter_map(toml::Value::as_table).flatten() {
        assert!(html.contains(&format!("<th scope=\"row\">{name}</th>")), "{name}");
    }
    let marked = html.split("<tr class=\"changed\"><th scope=\"row\">").skip(1).map(|rest| between(rest, "", "</th>"));
    let expected = [
        "clamped",
        "neurons",
        "response_steps",
        "second_stimulus",
        "steps",
        "stimulus_steps",
        "batch",
        "networks",
        "updates",
    ];
    assert_eq!(marked.collect::<Vec<_>>(), expected);
    // The command on the page repeats the run in another folder, and its page is equal to the byte.
    let command = unescaped(between(&html, "<pre><code>", "</code></pre>"));
    repeat(&command, dir.path());
    for file in ["checkpoint.safetensors", "metrics.csv", "config.toml", "report.html"] {
        assert!(bytes(dir.path().join("run").join(file)) == bytes(dir.path().join("again").join(file)), "{file}");
    }
    // A lost page can be written again; a folder without a run has none.
    std::fs::remove_file(dir.path().join("run/report.html")).unwrap();
    let ran = fine(hebbian(&["report", "run"], dir.path()));
    assert_eq!(ran.stdout, "run/report.html\n");
    assert!(page(&dir.path().join("run")).contains("<h1>dnms, delta-x</h1>"));
    one_line_error(hebbian(&["report", "nowhere"], dir.path()), 1, "nowhere is not a run's folder");
}

/// Runs a command copied from a page in a shell, with the folder `again` for its run.
fn repeat(command: &str, folder: &Path) {
    let program = assert_cmd::cargo::cargo_bin("hebbian-rnn");
    let path = std::env::join_paths(
        [program.parent().unwrap().to_path_buf()]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    Command::new("sh")
        .args(["-c", &format!("{command} --out again")])
        .env("PATH", path.unwrap())
        .current_dir(folder)
        .assert()
        .success();
}

#[test]
fn a_resumed_run_has_the_page_of_an_uninterrupted_one() {
    let dir = TempDir::new().unwrap();
    fine(train(dir.path(), &["--updates", "4", "--out", "whole"]));
    fine(train(dir.path(), &["--updates", "2", "--out", "parts"]));
    assert!(page(&dir.path().join("parts")).contains("after 2 updates"));
    fine(train(dir.path(), &["--updates", "4", "--out", "parts", "--resume"]));
    assert!(page(&dir.path().join("whole")) == page(&dir.path().join("parts")));
    // A run that has not reached its limit is not called finished.
    let parts = dir.path().join("parts");
    let mut checkpoint = Checkpoint::read(&parts, &Device::Cpu).unwrap();
    checkpoint.setup = checkpoint.setup.changed(&[Setting::parse("train.updates=9").unwrap()]).unwrap();
    let html = RunReport::of(&parts, &checkpoint, &[], 1).unwrap().html().unwrap();
    assert!(html.contains("Not finished: 4 updates, 32 trials of each network so far."));
}

#[test]
fn names_that_look_like_html_or_shell_stay_names() {
    let dir = TempDir::new().unwrap();
    let name = "it's <b>&\"$(touch gone)\".safetensors";
    task_file(&dir.path().join(name));
    let settings = ["--set", "network.neurons=24", "--updates", "2", "--networks", "1", "--out", "run"];
    fine(hebbian(&[&["train", "--task-file", name][..], &settings].concat(), dir.path()));
    let html = page(&dir.path().join("run"));
    assert!(html.contains("it&#x27;s &lt;b&gt;&amp;&quot;$(touch gone)&quot;.safetensors") && !html.contains("<b>"));
    repeat(&unescaped(between(&html, "<pre><code>", "</code></pre>")), dir.path());
    assert!(html == page(&dir.path().join("again")));
    assert!(!dir.path().join("gone").exists());
}

#[test]
fn a_page_that_cannot_be_written_takes_nothing_from_the_run() {
    let dir = TempDir::new().unwrap();
    std::fs::create_dir_all(dir.path().join("run/report.html")).unwrap();
    let ran = fine(train(dir.path(), &["--updates", "1", "--out", "run"]));
    assert!(ran.stderr.starts_with("warning: no report: ") && ran.stderr.contains("run/report.html"), "{}", ran.stderr);
    assert!(ran.stdout.contains("fraction correct") && ran.stdout.contains("sample_trials.svg"));
    fine(hebbian(&["inspect", "run"], dir.path()));
}

/// A browser of the Chromium family. `None` if there is none, which is a failure if HEBBIAN_RNN_REQUIRE_BROWSER is set.
fn browser() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect();
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let found = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|p| p.is_file());
    if found.is_none() {
        assert!(std::env::var_os("HEBBIAN_RNN_REQUIRE_BROWSER").is_none(), "no Chromium is on the path");
        eprintln!("SKIPPED: no Chromium is on the path, so report.html was not looked at in a browser");
    }
    found
}

/// Opens a file in a headless browser; returns what it prints.
fn browse(browser: &Path, file: &Path, more: &[&str]) -> String {
    let profile = TempDir::new().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(more)
        .arg(format!("file://{}", file.display()))
        .timeout(Duration::from_secs(120))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A page that shows another one in a frame of the given width, and reports its layout as JSON.
fn probe(html: &str, width: u32) -> String {
    let escaped = html.replace('&', "&amp;").replace('"', "&quot;");
    format!(
        r#"<!DOCTYPE html><meta charset="utf-8"><iframe id="frame" style="width:{width}px;height:800px;border:0" srcdoc="{escaped}"></iframe>
<pre id="seen"></pre><script>
document.getElementById("frame").onload = event => {{
  const frame = event.target.contentWindow, page = frame.document;
  const box = e => e.getBoundingClientRect();
  document.getElementById("seen").textContent = JSON.stringify({{
    width: frame.innerWidth,
    scroll: page.documentElement.scrollWidth,
    pictures: [...page.querySelectorAll("svg, img")].map(e => [box(e).width, box(e).height]),
    names: [...page.querySelectorAll("[role=img]")].map(e => e.getAttribute("aria-label")),
    fetched: frame.performance.getEntriesByType("resource").length,
    scripts: page.scripts.length,
    headings: [...page.querySelectorAll("h1, h2, h3")].map(e => e.tagName),
    title: page.title,
    paper: frame.getComputedStyle(page.body).backgroundColor,
  }});
}};
</script>"#
    )
}

#[test]
fn a_browser_shows_the_page_on_desktop_phone_and_in_the_dark() {
    let Some(browser) = browser() else { return };
    let dir = TempDir::new().unwrap();
    fine(train(dir.path(), &["--updates", "3", "--out", "run"]));
    fine(hebbian(&["report", "run"], dir.path()));
    let html = page(&dir.path().join("run"));
    for reference in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!html.contains(reference), "the page refers to another file: {reference}");
    }
    let file = dir.path().join("probe.html");
    for (width, more, paper) in [
        (360, &[][..], "rgb(255, 255, 255)"),
        (1200, &[], "rgb(255, 255, 255)"),
        (360, &["--blink-settings=preferredColorScheme=0"], "rgb(21, 24, 28)"),
    ] {
        std::fs::write(&file, probe(&html, width)).unwrap();
        let dom = browse(&browser, &file, &[more, &["--dump-dom", "--virtual-time-budget=10000"]].concat());
        let seen: serde_json::Value = serde_json::from_str(between(&dom, "<pre id=\"seen\">", "</pre>")).unwrap();
        assert_eq!(seen["width"], width);
        assert!(seen["scroll"].as_f64().unwrap() <= f64::from(width), "it scrolls sideways: {seen}");
        let pictures: Vec<[f64; 2]> = serde_json::from_value(seen["pictures"].clone()).unwrap();
        assert!(pictures.len() >= 2 && pictures.iter().flatten().all(|side| *side > 100.0), "{seen}");
        let names: Vec<String> = serde_json::from_value(seen["names"].clone()).unwrap();
        assert!(names.len() == pictures.len() && names.iter().all(|name| name.len() > 20), "{seen}");
        assert_eq!((&seen["fetched"], &seen["scripts"]), (&0.into(), &0.into()));
        assert_eq!(seen["headings"][0], "H1");
        assert_eq!(seen["title"], "dnms, delta-x – hebbian-rnn");
        assert_eq!(seen["paper"], paper);
    }
    let picture = dir.path().join("phone.png");
    let screenshot = format!("--screenshot={}", picture.display());
    browse(&browser, &dir.path().join("run/report.html"), &[&screenshot, "--window-size=360,800"]);
    assert!(bytes(&picture).starts_with(b"\x89PNG") && bytes(&picture).len() > 10_000);
}

/// Lives have a page and pictures too, with the membranes that are asked for.
#[test]
fn lives_are_drawn() {
    let dir = tempfile::TempDir::new().unwrap();
    fine(hebbian(&["live", "one-synapse", "--out", "run"], dir.path()));
    let html = page(&dir.path().join("run"));
    assert!(
        html.contains("<h1>one-synapse, mstdpet: 1 network</h1>") && html.contains(": populations and projections")
    );
    assert_eq!(html.matches("<svg ").count(), 2);
    // With the strong synapse from `teacher` the neuron is far above its threshold one step later, and resets.
    assert!(html.contains("membrane potential (mV)") && html.contains("post 0"));
    let before = bytes(dir.path().join("run/life.png"));
    let ran = fine(hebbian(&["plot", "run", "--watch", "post.0"], dir.path()));
    assert_eq!(ran.stdout, "run/life.png\nrun/life.svg\nrun/circuit.png\nrun/circuit.svg\n");
    assert!(before == bytes(dir.path().join("run/life.png")), "the neuron that is watched by default");
    let error = "watch is pre.0; expected post.0 to post.0";
    one_line_error(hebbian(&["plot", "run", "--watch", "pre.0"], dir.path()), 2, error);
    assert_eq!(fine(hebbian(&["report", "run"], dir.path())).stdout, "run/report.html\n");
    assert!(html == page(&dir.path().join("run")));
}
