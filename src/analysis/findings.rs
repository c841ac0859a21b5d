//! The findings of an analysis, and how they are written to files.

use super::statistics::Mean;
use crate::error::{At, Doing, Result};
use crate::files::write_atomically;
use crate::plot::{Mark, Panel, Panels};
use crate::storage::to_csv;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// The findings of an analysis.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Findings {
    /// The numbers, in full.
    pub tables: Vec<Table>,
    /// The pictures.
    pub pictures: Vec<Picture>,
    /// Animated SVGs: the name of each file, without its extension, and its text.
    pub animations: Vec<(String, String)>,
    /// The main figures.
    pub summary: Vec<Figure>,
}

/// A main figure of an analysis.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// Its numbers, each with a name; NaN: there is none.
    pub numbers: Vec<(String, f64)>,
    /// The unit of the numbers; empty: they have none.
    pub unit: &'static str,
    /// The same in words.
    pub text: String,
}

/// A table, written as CSV.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Table {
    /// The file's name, without its extension.
    pub name: String,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each with one value for each column.
    pub rows: Vec<Vec<String>>,
}

/// A picture, written as PNG and SVG.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Picture {
    /// The files' name, without their extension.
    pub name: String,
    /// Its caption, in a sentence or two.
    pub caption: String,
    /// The picture itself.
    pub panels: Panels,
}

impl Picture {
    /// The picture as SVG.
    pub fn svg(&self) -> String {
        self.panels.draw().svg()
    }
}

impl Table {
    /// An empty table; `columns` are the names of its columns, separated by spaces.
    pub(super) fn new(name: &str, columns: &str) -> Self {
        Table { name: name.into(), columns: columns.split(' ').map(String::from).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: &[&dyn Display]) {
        self.rows.push(row.iter().map(ToString::to_string).collect());
    }

    /// The bytes of a CSV file; fails where a row has too few or too many values.
    fn csv(&self) -> Result<Vec<u8>> {
        let rows: Vec<&Vec<String>> = std::iter::once(&self.columns).chain(&self.rows).collect();
        to_csv(&rows, false).at(format!("table {}", self.name))
    }
}

/// A panel whose axes, labelled `[x, y]`, span what is drawn.
pub(super) fn panel(title: impl Into<String>, [x, y]: [&str; 2], marks: Vec<Mark>) -> Panel {
    Panel { title: title.into(), x_label: x.into(), y_label: y.into(), marks, ..Panel::default() }
}

impl Findings {
    /// Adds a figure to the summary: its numbers, their unit and the same in words.
    pub(super) fn say(
        &mut self,
        name: impl Into<String>,
        numbers: &[(&str, f64)],
        unit: &'static str,
        text: impl Into<String>,
    ) {
        let numbers = numbers.iter().map(|(what, number)| (what.to_string(), *number)).collect();
        self.summary.push(Figure { name: name.into(), numbers, unit, text: text.into() });
    }

    /// Adds the mean over networks to the summary.
    pub(super) fn say_mean(&mut self, name: impl Into<String>, mean: Mean) {
        let numbers = mean.numbers();
        self.say(name, &numbers, "", mean.over_networks());
    }

    /// Adds a picture.
    pub(super) fn draw(&mut self, name: &str, title: String, caption: impl Into<String>, rows: Vec<Vec<Panel>>) {
        self.pictures.push(Picture { name: name.into(), caption: caption.into(), panels: Panels { title, rows } });
    }

    /// Writes all tables and pictures into `folder`, which is created if missing; returns the paths.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if a file cannot be written; each file is written whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        std::fs::create_dir_all(folder).doing("creating the folder", folder)?;
        let mut paths = Vec::new();
        for table in &self.tables {
            let path = folder.join(format!("{}.csv", table.name));
            write_atomically(&path, &table.csv()?)?;
            paths.push(path);
        }
        for picture in &self.pictures {
            picture.panels.draw().save(&folder.join(&picture.name))?;
            paths.extend(["png", "svg"].map(|end| folder.join(format!("{}.{end}", picture.name))));
        }
        for (name, svg) in &self.animations {
            let path = folder.join(format!("{name}.svg"));
            write_atomically(&path, svg.as_bytes())?;
            paths.push(path);
        }
        Ok(paths)
    }
}
