//! The rows of the `metrics.csv` of lives: one for each block and network.

use super::metrics_rows::whole_lines;
use super::to_csv;
use crate::error::{ensure, Doing, Error, Result};
use crate::held::real;
use crate::reader::read;
use crate::setup::LifeSetup;
use crate::worlds::LifeRow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The first column of the metrics of lives, whose rows are not counted by updates.
const FIRST_COLUMN: &str = "network";

/// Whether a metrics file belongs to lives, judging by its header.
pub(crate) fn holds_life_rows(path: &Path) -> Result<bool> {
    let mut begins = [0; FIRST_COLUMN.len()];
    let read = File::open(path).and_then(|mut file| file.read(&mut begins));
    Ok(read.doing("reading", path)? == begins.len() && begins == *FIRST_COLUMN.as_bytes())
}

/// The column that says whether weights were fixed, and its name in earlier versions.
const WEIGHTS_FIXED: &str = "weights_fixed";
const FORMERLY: &str = "frozen";

/// The first line of the metrics.
pub(super) fn header(figures: &[&str]) -> String {
    [&[FIRST_COLUMN, "seconds", WEIGHTS_FIXED], figures].concat().join(",") + "\n"
}

pub(super) fn life_csv(rows: &[LifeRow]) -> Result<Vec<u8>> {
    let cells = |row: &LifeRow| -> Vec<String> {
        let fixed = [row.network.to_string(), row.seconds.to_string(), u8::from(row.weights_fixed).to_string()];
        let own = row.figures.iter().map(|v| if v.is_nan() { String::new() } else { v.to_string() });
        fixed.into_iter().chain(own).collect()
    };
    to_csv(&rows.iter().map(cells).collect::<Vec<_>>(), false)
}

/// Passes the rows of the first `block` blocks to `keep`; returns the number of bytes up to their end. Anything can follow them.
pub(super) fn rows_until(path: &Path, setup: &LifeSetup, block: u64, mut keep: impl FnMut(LifeRow)) -> Result<u64> {
    let place = |why: String| Error::Content(format!("{}: {why}; restore the file", path.display()));
    let file = File::open(real(path)).doing("reading", path)?;
    let whole = whole_lines(&file).doing("reading", path)?;
    let mut csv = csv::Reader::from_reader(file.take(whole));
    let expected = header(&setup.world.figures());
    let found = csv.headers().map_err(|error| place(error.to_string()))?.iter().collect::<Vec<_>>().join(",") + "\n";
    ensure!(
        found == expected || found == expected.replacen(WEIGHTS_FIXED, FORMERLY, 1),
        Content,
        "{}: unexpected columns: expected {}, found {}",
        path.display(),
        expected.trim_end(),
        found.trim_end()
    );
    let mut bytes = csv.position().byte();
    let mut record = csv::StringRecord::new();
    for block in 1..=block {
        for network in setup.config.life.networks.range() {
            let read = csv.read_record(&mut record).map_err(|error| place(error.to_string()))?;
            let row = read.then(|| row(&record)).flatten().filter(|row| row.network == network);
            let missing =
                || format!("the row of network {network} in block {block} is missing, but the checkpoint counts it");
            keep(row.ok_or_else(|| place(missing()))?);
        }
        bytes = csv.position().byte();
    }
    Ok(bytes)
}

/// A row; `None` if it is malformed.
fn row(record: &csv::StringRecord) -> Option<LifeRow> {
    let number = |text: &str| if text.is_empty() { Ok(f64::NAN) } else { text.parse::<f64>() };
    let figures = record.iter().skip(3).map(number).collect::<Result<_, _>>().ok()?;
    let weights_fixed = match record.get(2)? {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    Some(LifeRow::new(record.get(0)?.parse().ok()?, record.get(1)?.parse().ok()?, weights_fixed, figures))
}

/// All rows of the `metrics.csv` of lives, except for a last line that a crash cut short.
///
/// # Errors
/// [`Error::Content`] if a row is malformed.
pub fn read_life_rows(path: &Path) -> Result<Vec<LifeRow>> {
    let mut text = read(path)?;
    text.truncate(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1));
    let mut rows = Vec::new();
    for (record, line) in csv::Reader::from_reader(&text[..]).records().zip(2..) {
        let broken = |why: &str| Error::Content(format!("{}: line {line}: {why}", path.display()));
        let record = record.map_err(|error| broken(&error.to_string()))?;
        rows.push(
            row(&record)
                .ok_or_else(|| broken("expected network, seconds, weights_fixed (0 or 1) and figures, all numbers"))?,
        );
    }
    Ok(rows)
}
