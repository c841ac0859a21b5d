//! Figures for slides and papers: learning curves, sample trials and panels of analyses, as PNG and SVG.
//!
//! All figures are described by plain data ([`LearningCurves`], [`SampleTrials`], [`Panels`]) and written by
//! one call each, which leaves `STEM.png` and `STEM.svg` behind. A figure is drawn once, as SVG, and the PNG is painted from
//! that, its text in DejaVu Sans, which is embedded in the program; the SVG asks its viewer for `sans-serif`.

mod axis;
mod canvas;
mod chart;
mod colour;
mod errors;
mod fonts;
mod heat;
mod learning_curves;
mod mark;
mod output;
mod panels;
mod run;
mod sample_trials;
mod stats;
mod trial;

pub use colour::Colour;
pub use heat::HeatMap;
pub use learning_curves::{learning_curves, LearningCurves};
pub use mark::{Mark, Shape};
pub use panels::{Panel, Panels};
pub use run::Run;
pub use sample_trials::{sample_trials, SampleTrials};
pub use trial::SampleTrial;
