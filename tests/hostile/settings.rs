//! Damaged configurations and `--set` values.

use crate::{damage, held_to_account, valid};
use hebbian_rnn::presets::TaskInfo;
use hebbian_rnn::{Config, Result, Setting, Setup, TASKS};
use rand::RngExt;

const FILES: u64 = 10_000;
const SETTINGS: u64 = 12_000;

fn resolve(task: Option<&str>, text: &str) -> Result<Config> {
    Ok(Setup::resolve(task, &Setting::from_toml(text, "config.toml")?)?.config().clone())
}

/// A task's defaults as a configuration file.
fn defaults(task: &TaskInfo) -> String {
    task.config().unwrap().to_toml().unwrap()
}

fn read(what: &str, text: &str) -> bool {
    let Some(config) = held_to_account(what, text.len(), || resolve(None, text)) else { return false };
    let again = config.to_toml().and_then(|text| resolve(None, &text));
    assert_eq!(again.unwrap_or_else(|error| panic!("{what}: {error}")), config, "{what}");
    true
}

#[test]
fn damaged_configurations_are_read_or_refused() {
    let whole: Vec<String> = TASKS.iter().map(defaults).collect();
    let mut accepted = 0;
    for index in 0..FILES {
        let mut rng = damage::generator(4, index);
        let file = damage::one_of(&mut rng, &whole);
        let damaged = damage::text(&mut rng, file);
        let Ok(text) = String::from_utf8(damaged) else { continue };
        accepted += u64::from(read(&format!("configuration mutation {index}"), &text));
    }
    assert!((FILES / 100..FILES * 3 / 4).contains(&accepted), "{accepted} of {FILES} were accepted");
}

#[test]
fn settings_of_any_value_are_taken_or_refused() {
    let keys: Vec<(&str, Vec<String>)> = TASKS
        .iter()
        .map(|task| {
            let settings = Setting::from_toml(&defaults(task), "").unwrap();
            (task.name, settings.into_iter().map(|s| s.key).collect())
        })
        .collect();
    let mut accepted = 0;
    for index in 0..SETTINGS {
        let mut rng = damage::generator(5, index);
        let (task, keys) = damage::one_of(&mut rng, &keys);
        let key = damage::one_of(&mut rng, keys);
        let value = damage::one_of(&mut rng, &damage::NUMBERS);
        let mut text = format!("{key}={value}");
        if rng.random_range(0..4) == 0 {
            text = String::from_utf8_lossy(&damage::bytes(&mut rng, text.as_bytes())).into_owned();
        }
        let taken = held_to_account(&text, text.len(), || Setup::resolve(Some(task), &[Setting::parse(&text)?]));
        accepted += u64::from(taken.is_some());
    }
    assert!((SETTINGS / 20..SETTINGS * 3 / 4).contains(&accepted), "{accepted} of {SETTINGS} were accepted");
}

#[test]
fn deep_and_long_texts_end_in_one_line() {
    let nested =
        |open: &str, close: &str| format!("[task]\nharmonics = {}{}", open.repeat(50_000), close.repeat(50_000));
    let texts = [
        nested("[", "]"),
        nested("{a=", "}"),
        format!("{}a = 1", "a.".repeat(50_000)),
        format!("[{}a]", "a.".repeat(50_000)),
        format!("[task]\n{} = 1", "k".repeat(100_000)),
        format!("[network]\nneurons = {}", "9".repeat(100_000)),
        format!("[network]\nneurons = \"{}\"", "9\\n".repeat(30_000)),
        "[network]\nneurons = 5\nneurons = 6".to_string(),
        "[network]\n\"neu\\nrons\" = 5".to_string(),
        "\u{feff}[network".to_string(),
    ];
    for text in texts {
        let start: String = text.chars().take(30).collect();
        let (outcome, _) = crate::peak_of(|| resolve(Some("pattern-generation"), &text));
        let error = format!("{:#}", outcome.expect_err(&start));
        assert!(error.contains("config.toml") && error.len() < 4000 && error.lines().count() == 1, "{start}: {error}");
    }
    let error = valid::setup("dnms", &["network.neurons=5\nx=7"]).unwrap_err().to_string();
    assert!(error.contains("network.neurons is"), "{error}");
}
