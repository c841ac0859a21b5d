//! Figures for slides and papers: learning curves, sample trials and panels of analyses, as PNG and SVG.
//!
//! A figure is plain data ([`LearningCurves`], [`SampleTrials`] or [`Panels`]); its `draw` gives a [`Canvas`], which
//! holds the SVG and saves it as `STEM.svg` and, rasterised, as `STEM.png`. Text in the PNG is set in DejaVu Sans,
//! which is embedded in the program; the SVG asks its viewer for `sans-serif`.

mod animation;
mod axis;
mod canvas;
mod chart;
mod circuit;
mod colour;
mod fonts;
mod heat;
mod learning_curves;
mod lines;
mod panels;
mod pdf;
mod run;
mod sample_trials;

pub use animation::animation;
pub(crate) use axis::extent;
pub use canvas::Canvas;
pub use chart::{Mark, Shape};
pub use circuit::{CircuitDrawing, Edge, Node};
pub use colour::Colour;
pub use heat::HeatMap;
pub use learning_curves::LearningCurves;
pub use panels::{Panel, Panels};
pub(crate) use run::networks;
pub use run::Run;
pub use sample_trials::{SampleTrial, SampleTrials};
