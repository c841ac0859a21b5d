//! What an analysis found: tables, pictures, and a few figures in words; and how they are written.

use crate::error::{Doing, Error, Result};
use crate::files::write_atomically;
use crate::plot::Panels;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// What an analysis found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The numbers, in full.
    pub tables: Vec<Table>,
    /// The pictures.
    pub pictures: Vec<Picture>,
    /// The few figures that matter, each a name and a value with its unit.
    pub summary: Vec<(String, String)>,
}

/// A table, to be written as CSV.
#[derive(Clone, Debug)]
pub struct Table {
    /// The file's name, without its ending.
    pub name: String,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each with one value for each column.
    pub rows: Vec<Vec<String>>,
}

/// A picture, to be written as PNG and SVG.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The files' name, without their ending.
    pub name: String,
    /// What it shows, in a sentence or two.
    pub caption: String,
    /// The picture.
    pub panels: Panels,
}

impl Table {
    /// An empty table.
    pub fn new(name: &str, columns: &[&str]) -> Self {
        Table { name: name.into(), columns: columns.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: &[&dyn Display]) {
        debug_assert_eq!(row.len(), self.columns.len(), "table {}", self.name);
        self.rows.push(row.iter().map(ToString::to_string).collect());
    }

    /// The table as the text of a CSV file.
    ///
    /// # Errors
    /// Where a row has too few or too many values.
    pub fn csv(&self) -> Result<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let failed = |error: &dyn Display| Error::Bug(format!("writing table {}: {error}", self.name));
        let mut rows = std::iter::once(&self.columns).chain(&self.rows);
        rows.try_for_each(|row| writer.write_record(row)).map_err(|error| failed(&error))?;
        let text = writer.into_inner().map_err(|error| failed(&error))?;
        String::from_utf8(text).map_err(|error| failed(&error))
    }
}

impl Findings {
    /// Adds a figure in words.
    pub fn say(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.summary.push((name.into(), value.into()));
    }

    /// Writes all tables and pictures into `folder`, which is made where it is missing; returns the paths.
    ///
    /// # Errors
    /// If a file cannot be written; each file is written whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        std::fs::create_dir_all(folder).doing("creating the folder", folder)?;
        let mut paths = Vec::new();
        for table in &self.tables {
            let path = folder.join(format!("{}.csv", table.name));
            write_atomically(&path, table.csv()?.as_bytes())?;
            paths.push(path);
        }
        for picture in &self.pictures {
            picture.panels.draw().save(&folder.join(&picture.name))?;
            paths.extend(["png", "svg"].map(|end| folder.join(format!("{}.{end}", picture.name))));
        }
        Ok(paths)
    }
}
