//! Printing and opening devices, shared by several commands.
//!
//! Commands write to stdout with `writeln!`, which returns a closed pipe as an error where `println!` would panic.

use crate::console::say;
use crate::Usage;
use anyhow::{anyhow, Result};
use candle_core::{Device, DeviceLocation};
use comfy_table::{presets, CellAlignment, ContentArrangement, Table};
use hebbian_rnn::device::{parse_devices, ChosenDevices};
use hebbian_rnn::runs::{by_type, Returns, TypeScore};
use hebbian_rnn::text::printable;
use hebbian_rnn::training::Frozen;
use hebbian_rnn::{Error, Score};
use indicatif::ProgressBar;
use std::borrow::Cow;
use std::io::{stderr, stdout, IsTerminal, Write};
use std::time::Duration;
use terminal_size::{terminal_size_of, Width};

/// Prints a value as JSON.
pub fn print_json(value: &impl serde::Serialize) -> Result<()> {
    Ok(writeln!(stdout(), "{}", serde_json::to_string_pretty(value)?)?)
}

/// Prints a table; the columns from `first_number` on hold numbers.
pub fn print_table<R: AsRef<[String]>>(
    header: &[&str],
    rows: impl Iterator<Item = R>,
    first_number: usize,
) -> Result<()> {
    let mut table = Table::new();
    // Some cells are names from files.
    let rows = rows.map(|row| row.as_ref().iter().map(|cell| printable(cell)).collect::<Vec<_>>());
    table.load_preset(presets::NOTHING).set_header(header).add_rows(rows);
    // On a terminal, cells that are too wide are broken between words.
    if let Some((Width(width), _)) = terminal_size_of(stdout()) {
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    for column in table.column_iter_mut().skip(first_number) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    Ok(writeln!(stdout(), "{table}")?)
}

/// Shows that work is in progress until it is dropped, if stderr is a terminal.
pub struct Spinner {
    bar: ProgressBar,
    /// Whether each piece of work gets a line where stderr is not a terminal.
    logs: bool,
}

impl Spinner {
    pub fn start(doing: impl Into<Cow<'static, str>>) -> Self {
        let spinner = Spinner { bar: ProgressBar::new_spinner(), logs: false };
        spinner.bar.set_message(doing);
        spinner.bar.enable_steady_tick(Duration::from_millis(200));
        spinner
    }

    /// For work that can take minutes: in a log, each piece of it gets a line.
    pub fn with_log(doing: &'static str) -> Self {
        let mut spinner = Spinner::start("");
        spinner.logs = !stderr().is_terminal();
        spinner.say(doing);
        spinner
    }

    pub fn say(&self, doing: &'static str) {
        if self.logs {
            say(format_args!("{doing} …"));
        }
        self.bar.set_message(doing);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A number with at most four digits after the point.
pub fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

/// A number of things with a regular plural.
pub fn counted(number: u64, name: &str) -> String {
    format!("{number} {name}{}", if number == 1 { "" } else { "s" })
}

/// The number of trials to criterion, as text.
pub fn reached(trials: Option<u64>) -> String {
    trials.map_or("not reached".to_string(), |trials| trials.to_string())
}

pub fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_string()
}

/// Prints the scores, one row for each network.
pub fn print_scores(scores: &[Score]) -> Result<()> {
    // The error of a network that diverged can have dozens of digits.
    let error = |e: f64| if e.abs() < 1e6 { format!("{e:.3}") } else { format!("{e:.3e}") };
    let row = |s: &Score| {
        [s.network.to_string(), reached(s.criterion_trials), error(s.error), format!("{:.3}", s.fraction_correct)]
    };
    let returns = |s: &Score| {
        let Returns { mean_return, standard_error, mean_steps, .. } = s.returns?;
        let [network, reached, _, correct] = row(s);
        Some([network, reached, error(mean_return), error(standard_error), format!("{mean_steps:.1}"), correct])
    };
    let in_a_world: Vec<_> = scores.iter().filter_map(returns).collect();
    if in_a_world.is_empty() {
        print_table(&["network", "trials to criterion", "error", "fraction correct"], scores.iter().map(row), 0)?;
    } else {
        let header = ["network", "episodes to criterion", "mean return", "standard error", "steps", "fraction correct"];
        print_table(&header, in_a_world.into_iter(), 0)?;
    }
    print_frozen(scores.iter().map(|s| (s.network, s.frozen)))
}

/// Prints the results for each type of trial, if there are several.
pub fn print_types(scores: &[Score]) -> Result<()> {
    let types = by_type(scores);
    if types.is_empty() {
        return Ok(());
    }
    let row = |TypeScore { name, trials, error, fraction_correct, .. }: TypeScore| {
        [name, trials.to_string(), format!("{error:.3}"), format!("{fraction_correct:.3}")]
    };
    writeln!(stdout(), "\nmean over networks for each trial type:")?;
    print_table(&["type", "trials", "error", "fraction correct"], types.into_iter().map(row), 1)
}

/// Prints one line for each network that is frozen.
pub fn print_frozen(networks: impl Iterator<Item = (u64, Option<Frozen>)>) -> Result<()> {
    for (network, frozen) in networks {
        if let Some(frozen) = frozen {
            writeln!(stdout(), "{}", frozen_line(network, frozen))?;
        }
    }
    Ok(())
}

pub fn frozen_line(network: u64, frozen: Frozen) -> String {
    format!("network {network} {frozen}. It stays frozen in its previous state")
}

/// Opens devices; if the choice could surprise the user, explains it on stderr. An invalid name is a usage error.
pub fn open_devices(names: &str) -> Result<Vec<Device>> {
    let ChosenDevices { devices, note, .. } = hebbian_rnn::open_devices(&usage(parse_devices(names))?)?;
    if let Some(note) = note {
        say(note);
    }
    Ok(devices)
}

/// A device, as `--device` names it.
pub fn device_name(device: &Device) -> String {
    match device.location() {
        DeviceLocation::Cpu => "cpu".into(),
        DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        DeviceLocation::Metal { .. } => "metal".into(),
    }
}

/// Like [`open_devices`], for commands that use a single device.
pub fn open_device(name: &str) -> Result<Device> {
    let mut devices = open_devices(name)?;
    match devices.len() {
        1 => Ok(devices.swap_remove(0)),
        several => usage(Err(anyhow!("--device names {several} devices; expected one"))),
    }
}

/// Marks an error as a usage error: exit code 2.
pub fn usage<T, E: Into<anyhow::Error>>(result: Result<T, E>) -> Result<T> {
    result.map_err(|error| error.into().context(Usage))
}

/// Marks an error as a usage error if the request is wrong, rather than a file.
pub fn judged<T>(result: hebbian_rnn::Result<T>) -> Result<T> {
    match result {
        Err(error) if matches!(error.root(), Error::Usage(_) | Error::Setting { .. } | Error::Unknown { .. }) => {
            usage(Err(error))
        }
        result => Ok(result?),
    }
}
