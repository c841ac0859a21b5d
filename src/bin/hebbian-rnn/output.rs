//! Small things that several commands print.

use crate::Usage;
use anyhow::{Context, Result};
use comfy_table::{presets, CellAlignment, Table};
use hebbian_rnn::device::{self, Chosen};
use hebbian_rnn::evaluate::Score;
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
    let row = |s: &Score| {
        vec![s.network.to_string(), reached(s), format!("{:.3}", s.error), format!("{:.3}", s.fraction_correct)]
    };
    let table =
        table(&["network", "trials to criterion", "error", "fraction correct"], scores.iter().map(row).collect(), 0);
    print(&table.to_string())
}

/// Opens a device and says on stderr why it is this one, where that may surprise.
pub fn open_device(name: &str) -> Result<candle_core::Device> {
    let Chosen { device, note } = device::choose(name)?;
    if let Some(note) = note {
        eprintln!("{note}");
    }
    Ok(device)
}

/// Marks an error as the user's: exit code 2.
pub fn usage<T>(result: Result<T>) -> Result<T> {
    result.context(Usage)
}
