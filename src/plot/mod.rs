//! Figures for slides and papers: learning curves, sample trials and panels of analyses, as PNG and SVG.
//!
//! All figures are described by plain data ([`LearningCurve`], [`LearningCurves`], [`SampleTrials`], [`Panels`]) and written by
//! one call each, which leaves `STEM.png` and `STEM.svg` behind. The text in the PNG is set in
//! DejaVu Sans, embedded in the program; the SVG asks its viewer for `sans-serif`.

mod axis;
mod canvas;
mod fonts;
mod heat;
mod learning_curve;
mod learning_curves;
mod output;
mod page;
mod panels;
mod sample_trials;
mod stats;

pub use heat::HeatMap;
pub use learning_curve::{learning_curve, LearningCurve};
pub use learning_curves::{learning_curves, LearningCurves, Run};
pub use panels::{Colour, Mark, Panel, Panels, Shape};
pub use sample_trials::{sample_trials, SampleTrial, SampleTrials};
pub use stats::{quantile, quantile_with_missing};
