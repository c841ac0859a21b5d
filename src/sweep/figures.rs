//! The pictures and the page of a sweep.

use super::subject::Subject;
use super::table::refuse_links;
use super::{Collected, SettingResult, Sweep, PLAN_FILE, RESULTS_FILE};
use crate::error::Result;
use crate::files::write_atomically;
use crate::plot::{extent, Canvas, Colour, HeatMap, Mark, Panel, Panels, Shape};
use crate::quantile::quantile;
use crate::report::{learning_curves, picture, render, LearningCurve};
use crate::setup::Setup;
use crate::storage::{Lock, REPORT_FILE};
use minijinja::context;
use minijinja::value::{Serde, Value};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The learning curves of at most this many settings, the best ones, are drawn in one picture.
const CURVES: usize = 7;
/// At most this many keys are drawn.
const PANELS: usize = 9;
/// A key with more values than this gets a numeric axis instead of an axis of names.
const NAMED: usize = 16;

impl Sweep {
    /// Draws the learning curves of the best settings, `learning_curves.png` and `.svg`, and, if any keys differ, the results by
    /// setting, `settings.png` and `.svg`; then writes `report.html`, which shows both. Returns the paths.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if a run cannot be read or a file cannot be written; [`Error::Usage`](crate::Error::Usage) if
    /// another process is collecting.
    pub fn draw(&self, found: &Collected) -> Result<Vec<PathBuf>> {
        refuse_links(self.folder())?;
        let _lock = Lock::take(self.folder())?;
        let mut written = Vec::new();
        let mut save = |name: &str, canvas: &Canvas| {
            let stem = self.folder().join(name);
            written.extend(["png", "svg"].map(|end| stem.with_extension(end)));
            canvas.save(&stem)
        };
        let curves = self.curves(found)?;
        curves.iter().try_for_each(|canvas| save("learning_curves", canvas))?;
        let settings = self.values_drawn(found);
        settings.iter().try_for_each(|canvas| save("settings", canvas))?;
        let page = self.folder().join(REPORT_FILE);
        write_atomically(&page, self.page(found, curves, settings)?.as_bytes())?;
        written.push(page);
        Ok(written)
    }

    fn curves(&self, found: &Collected) -> Result<Option<Canvas>> {
        let mut curves = Vec::new();
        // The curve of a network that diverged would hide the others.
        let sound = |result: &&SettingResult| result.measured[1].is_some() && self.run_folder(result.setting).exists();
        for result in found.settings.iter().filter(sound).take(CURVES) {
            let Some(job) = self.jobs().iter().find(|job| job.setting == result.setting) else { continue };
            // The curves of lives are on the page of each run.
            let Subject::Task(config) = self.subject(job)? else { continue };
            curves.push(LearningCurve::read(
                self.named(result),
                &Setup::new(*config)?,
                &self.run_folder(result.setting),
            )?);
        }
        // Settings of different tasks do not always have a common axis.
        Ok(if curves.is_empty() { None } else { learning_curves(&curves, false).ok().map(|curves| curves.draw()) })
    }

    /// A setting's values in one line.
    fn named(&self, result: &SettingResult) -> String {
        let given = self.keys().iter().zip(result.values_in_words()).filter(|(_, value)| !value.is_empty());
        let last = |key: &str| key.rsplit('.').next().map(String::from);
        let alone = |key: &&str| self.keys().iter().filter(|other| last(other) == last(key)).count() == 1;
        let short = |key: &str| Some(key).filter(alone).and_then(last).unwrap_or(key.to_string());
        let named = given.map(|(key, value)| format!("{}={value}", short(key)));
        format!("{}: {}", result.setting, named.collect::<Vec<_>>().join(" "))
    }

    /// The results by key: a heat map for two keys with few values; otherwise a panel for each of the first nine keys.
    fn values_drawn(&self, found: &Collected) -> Option<Canvas> {
        let axes: Vec<KeyAxis> =
            (0..self.keys().len()).map(|k| KeyAxis::of(self, found, k)).filter(|axis| axis.differs()).collect();
        let title = "Results by setting".to_string();
        let measured = &format!("median {}", found.measure());
        match &axes[..] {
            [] => None,
            [x, y] if x.named() && y.named() => {
                let mut panels = vec![heat(found, (x, y), measured, |result| result.measured[1].unwrap_or(f64::NAN))];
                if found.settings.iter().any(|result| result.reached > 0) {
                    let part = |result: &SettingResult| result.reached as f64 / result.networks as f64;
                    let label = if found.lives {
                        "fraction of networks that learnt"
                    } else {
                        "fraction of networks at criterion"
                    };
                    panels.push(heat(found, (x, y), label, part));
                }
                Some(Panels { title, rows: vec![panels] }.draw())
            }
            axes => {
                let panels = |some: &[KeyAxis]| some.iter().map(|axis| axis.dots(found, measured)).collect();
                let few = &axes[..axes.len().min(PANELS)];
                Some(Panels { title, rows: few.chunks(3).map(panels).collect() }.draw())
            }
        }
    }

    fn page(&self, found: &Collected, curves: Option<Canvas>, settings: Option<Canvas>) -> Result<String> {
        let row = |result: &SettingResult| {
            context! {
                setting => result.setting,
                values => Serde(result.values_in_words()),
                reached => format!("{} of {}", result.reached, result.networks),
                diverged => result.diverged,
                trials => result.criterion_in_words(),
                measured => result.measured_in_words(),
            }
        };
        let task = match self.keys().iter().any(|key| key == "task.name") {
            true => "several tasks".to_string(),
            false => self.subject(&self.jobs()[0])?.name()?.to_string(),
        };
        let pictures = [
            (curves, "Learning curves of the best settings: median and interquartile range over each setting's networks."),
            (settings, "Each value is the median over a setting's networks; where settings share a place, the median over them."),
        ];
        let pictures = pictures
            .iter()
            .filter_map(|(canvas, caption)| Some(picture(canvas.as_ref()?, caption.to_string(), caption)));
        render(
            include_str!("sweep.html"),
            context! {
                style => include_str!("../report/style.css"),
                program => env!("CARGO_PKG_VERSION"),
                title => format!("{task}: a sweep of {} settings", found.settings.len()),
                summary => Value::from(()),
                jobs => self.jobs().len(),
                all => self.settings().count(),
                keys => Serde(self.keys()),
                rows => found.settings.iter().map(row).collect::<Value>(),
                measured => found.measure(),
                lives => found.lives,
                pictures => pictures.collect::<Value>(),
                apart => Serde(&found.apart),
                plan => PLAN_FILE,
                results => RESULTS_FILE,
            },
        )
    }
}

/// The values of a key along an axis.
struct KeyAxis {
    key: String,
    place: usize,
    /// Distinct values, numbers in ascending order.
    values: Vec<String>,
    /// Whether all are numbers.
    numeric: bool,
}

impl KeyAxis {
    fn of(sweep: &Sweep, found: &Collected, place: usize) -> Self {
        let mut results: Vec<&SettingResult> = found.settings.iter().collect();
        results.sort_by_key(|result| result.setting);
        let mut seen = BTreeSet::new();
        let values = results.iter().filter_map(|result| result.values.get(place)).filter(|value| !value.is_empty());
        let mut values: Vec<String> = values.filter(|value| seen.insert(*value)).cloned().collect();
        let numeric = values.iter().all(|value| number(value).is_some());
        if numeric {
            values.sort_by(|a, b| number(a).partial_cmp(&number(b)).unwrap_or(Ordering::Equal));
        }
        KeyAxis { key: sweep.keys()[place].clone(), place, values, numeric }
    }

    fn differs(&self) -> bool {
        self.values.len() > 1
    }

    fn named(&self) -> bool {
        self.values.len() <= NAMED
    }

    fn index(&self, result: &SettingResult) -> Option<usize> {
        self.values.iter().position(|value| Some(value) == result.values.get(self.place))
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        self.values.iter().enumerate().map(|(k, value)| (k as f64 + 0.5, value.clone())).collect()
    }

    /// The result of each setting, against the value of the key.
    fn dots(&self, found: &Collected, measured: &str) -> Panel {
        let named = self.named() || !self.numeric;
        // Values that span more than a factor of 20 are drawn on a logarithmic scale.
        let range = extent(self.values.iter().filter_map(|value| number(value)));
        let log = !named && range.is_some_and(|(lo, hi)| lo > 0.0 && hi > 20.0 * lo);
        let x = |result: &SettingResult| match named {
            true => self.index(result).map(|k| k as f64 + 0.5),
            false => number(result.values.get(self.place)?).map(|value| if log { value.log10() } else { value }),
        };
        let results = found.settings.iter().filter_map(|result| Some((x(result)?, result)));
        let point = |x: f64, value: Option<f64>| (x, value.unwrap_or(f64::NAN));
        let points = results.clone().map(|(x, result)| point(x, result.measured[1])).collect();
        let ends =
            |(x, result): (f64, &SettingResult)| vec![point(x, result.measured[0]), point(x, result.measured[2])];
        let spread = results.map(|result| Shape::Line(ends(result), 2.0));
        let mut marks: Vec<Mark> = spread.map(|line| Mark::new(line, Colour::Faint)).collect();
        marks.push(Mark::new(Shape::Dots(points, 6.0), Colour::Blue));
        Panel {
            x_label: if log { format!("log10 of {}", self.key) } else { self.key.clone() },
            y_label: measured.into(),
            x: named.then_some((0.0, self.values.len() as f64)),
            x_ticks: if named { self.ticks() } else { Vec::new() },
            marks,
            ..Panel::default()
        }
    }
}

/// A value as a finite number, if it is one.
fn number(value: &str) -> Option<f64> {
    value.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A heat map over the values of two keys: the median over the settings at each place.
fn heat(found: &Collected, (x, y): (&KeyAxis, &KeyAxis), label: &str, value: impl Fn(&SettingResult) -> f64) -> Panel {
    let mut cells = vec![vec![Vec::new(); x.values.len()]; y.values.len()];
    for result in &found.settings {
        if let (Some(column), Some(row)) = (x.index(result), y.index(result)) {
            cells[row][column].push(value(result));
        }
    }
    let median = |values: Vec<f64>| quantile(&values, 0.5).unwrap_or(f64::NAN);
    let values: Vec<Vec<f64>> = cells.into_iter().map(|row| row.into_iter().map(median).collect()).collect();
    let (lo, hi) = extent(values.iter().flatten().copied()).unwrap_or((0.0, 1.0));
    // Differences of a few per cent should not get strong colours.
    let hi = hi.max(lo + 0.05 * lo.abs().max(hi.abs()));
    let ends = (x.values.len() as f64, y.values.len() as f64);
    let map = HeatMap {
        values,
        x: (0.0, ends.0),
        y: (0.0, ends.1),
        range: (lo, if hi > lo { hi } else { lo + 1.0 }),
        label: label.into(),
    };
    Panel {
        x_label: x.key.clone(),
        y_label: y.key.clone(),
        x: Some((0.0, ends.0)),
        y: Some((0.0, ends.1)),
        x_ticks: x.ticks(),
        y_ticks: y.ticks(),
        marks: vec![Mark::new(Shape::Heat(map), Colour::Ink)],
        ..Panel::default()
    }
}
