//! The reports of lives: rows of figures, and the curves and results computed from them.

use serde::Serialize;

/// A row of `metrics.csv`: one block of one network.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LifeRow {
    /// The network's index.
    pub network: u64,
    /// The network's age at the end of the block.
    pub seconds: f64,
    /// Whether weights were fixed, as they are after learning.
    pub weights_fixed: bool,
    /// The world's figures.
    pub figures: Vec<f64>,
    /// Whether anything happened, since the world was not yet over.
    pub lived: bool,
}

impl LifeRow {
    pub(crate) fn new(network: u64, seconds: f64, weights_fixed: bool, figures: Vec<f64>) -> Self {
        LifeRow { network, seconds, weights_fixed, figures, lived: true }
    }
}

/// A figure over time.
pub struct Curve {
    /// The title of the panel in which it is drawn, with the unit.
    pub panel: String,
    /// The label of the horizontal axis.
    pub x_label: String,
    /// Its name.
    pub name: String,
    /// Points: the age in seconds, or another quantity that is not negative, in ascending order; and the value.
    pub points: Vec<(f64, f64)>,
}

/// The usual [`Curve::x_label`].
pub(super) const AGE: &str = "simulated time (s)";

impl Curve {
    /// Column `k` of the figures over the age.
    pub fn of(panel: &str, name: &str, rows: &[LifeRow], k: usize) -> Self {
        Self::new(panel, AGE, name, rows.iter().map(|row| (row.seconds, row.figures[k])).collect())
    }

    /// A curve.
    pub fn new(panel: &str, x_label: &str, name: &str, points: Vec<(f64, f64)>) -> Self {
        Curve { panel: panel.into(), x_label: x_label.into(), name: name.into(), points }
    }
}

/// The results of a life.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether the network learnt what it should; `None` if it is too early to say.
    pub learnt: Option<bool>,
    /// The measured figures, by name.
    pub figures: Vec<(String, f64)>,
}

impl Verdict {
    /// A verdict.
    pub fn new(learnt: Option<bool>, figures: Vec<(&str, f64)>) -> Self {
        let figures = figures.into_iter().map(|(name, value)| (name.to_string(), value));
        Verdict { learnt, figures: figures.collect() }
    }
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0usize);
    for value in values {
        sum += value;
        count += 1;
    }
    sum / count as f64
}
