//! Small things that several commands print.

use crate::Usage;
use anyhow::Result;
use comfy_table::{presets, CellAlignment, Table};
use hebbian_rnn::{parse_devices, ChosenDevices, Frozen, Score};
use std::io::Write;

/// Prints to stdout and returns a closed pipe as an error, where `println!` would panic.
pub fn print(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// Prints a value as JSON.
pub fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

/// A table whose columns from `first_number` on hold numbers.
pub fn table(header: &[&str], rows: Vec<Vec<String>>, first_number: usize) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header.to_vec()).add_rows(rows);
    for column in table.column_iter_mut().skip(first_number) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The table of scores: one row for each network.
pub fn print_scores(scores: &[Score]) -> Result<()> {
    let reached = |score: &Score| score.criterion_trials.map_or("not reached".to_string(), |t| t.to_string());
    // That of a network that diverged may have dozens of digits.
    let error = |e: f64| if e.abs() < 1e6 { format!("{e:.3}") } else { format!("{e:.3e}") };
    let row = |s: &Score| vec![s.network.to_string(), reached(s), error(s.error), format!("{:.3}", s.fraction_correct)];
    let table =
        table(&["network", "trials to criterion", "error", "fraction correct"], scores.iter().map(row).collect(), 0);
    print(&table.to_string())?;
    print_frozen(scores.iter().filter_map(|s| Some((s.network, s.frozen?))))
}

/// One line for each network that is frozen.
pub fn print_frozen(mut frozen: impl Iterator<Item = (u64, Frozen)>) -> Result<()> {
    frozen
        .try_for_each(|(network, frozen)| print(&format!("network {network} {frozen}. It is frozen as it was before")))
}

/// Opens devices and says on stderr why it is these, where that may surprise. A name that cannot be is the user's error.
pub fn open_devices(names: &str) -> Result<Vec<candle_core::Device>> {
    let ChosenDevices { devices, note } = hebbian_rnn::open_devices(&usage(parse_devices(names))?)?;
    if let Some(note) = note {
        eprintln!("{note}");
    }
    Ok(devices)
}

/// The same for commands that use a single device.
pub fn open_device(name: &str) -> Result<candle_core::Device> {
    let mut devices = open_devices(name)?;
    match devices.len() {
        1 => Ok(devices.swap_remove(0)),
        several => usage(Err(anyhow::anyhow!("--device names {several} devices; this command uses one"))),
    }
}

/// Marks an error as the user's: exit code 2.
pub fn usage<T, E: Into<anyhow::Error>>(result: Result<T, E>) -> Result<T> {
    result.map_err(|error| error.into().context(Usage))
}
