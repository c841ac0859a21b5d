//! Figures of several panels side by side: lines, dots, bands, spans of time and heat maps, with one legend for all.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::RGBColor;

use super::canvas::{Point, BLUE, COLOURS, GREY, INK, ORANGE};
use super::heat::HeatMap;
use super::output::{save, svg};
use super::page::Page;

/// A colour that can be told from the others by the colour-blind (Okabe and Ito).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Colour {
    /// The main one.
    Blue,
    /// The second one.
    Orange,
    /// One of five for several things of a kind.
    Nth(usize),
    /// Dark grey.
    Ink,
    /// Middle grey.
    Grey,
    /// Light blue grey, for single networks behind their median.
    Faint,
    /// From −1 (blue) over 0 (grey) to 1 (orange).
    Scale(f64),
}

impl Colour {
    pub(super) fn rgb(self) -> RGBColor {
        match self {
            Colour::Blue => BLUE,
            Colour::Orange => ORANGE,
            Colour::Nth(k) => COLOURS[k % COLOURS.len()],
            Colour::Ink => INK,
            Colour::Grey => GREY,
            Colour::Faint => RGBColor(188, 208, 224),
            Colour::Scale(at) => {
                let end = if at < 0.0 { BLUE } else { ORANGE };
                let part =
                    |from: u8, to: u8| (f64::from(from) + at.abs().min(1.0) * (f64::from(to) - f64::from(from))) as u8;
                RGBColor(part(190, end.0), part(190, end.1), part(190, end.2))
            }
        }
    }
}

/// What is drawn.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A line through points; its width in page units.
    Line(Vec<Point>, f64),
    /// A dashed line.
    Dashed(Vec<Point>, f64),
    /// Dots of a radius in page units.
    Dots(Vec<Point>, f64),
    /// The area between two lines over the same x: (x, lower, upper).
    Band(Vec<(f64, f64, f64)>),
    /// A vertical stripe from one x to another, behind everything else.
    Span(f64, f64),
    /// A heat map that fills the panel.
    Heat(HeatMap),
}

/// Something drawn in a panel.
#[derive(Clone, Debug)]
pub struct Mark {
    /// What.
    pub shape: Shape,
    /// In which colour; heat maps have their own.
    pub colour: Colour,
    /// Its name in the legend; empty: none. Marks of the same name appear there once.
    pub name: String,
}

impl Mark {
    /// A mark without a place in the legend.
    pub fn new(shape: Shape, colour: Colour) -> Self {
        Mark { shape, colour, name: String::new() }
    }

    /// The mark with its name in the legend.
    pub fn named(self, name: impl Into<String>) -> Self {
        Mark { name: name.into(), ..self }
    }
}

/// One panel.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// Title above it.
    pub title: String,
    /// Label of the horizontal axis, with its unit.
    pub x_label: String,
    /// Label of the vertical axis, with its unit.
    pub y_label: String,
    /// Range of the horizontal axis; `None`: what is drawn.
    pub x: Option<Point>,
    /// Range of the vertical axis; `None`: what is drawn.
    pub y: Option<Point>,
    /// Ticks of the horizontal axis; empty: round numbers.
    pub x_ticks: Vec<(f64, String)>,
    /// Whether one unit is as long on both axes.
    pub equal: bool,
    /// What is drawn, in this order.
    pub marks: Vec<Mark>,
}

/// A figure of panels in one or two rows.
#[derive(Clone, Debug, Default)]
pub struct Panels {
    /// Title above the figure.
    pub title: String,
    /// The rows, from above.
    pub rows: Vec<Vec<Panel>>,
}

impl Panels {
    /// Writes `STEM.png` (1600 units wide) and `STEM.svg`, each whole or not at all.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<()> {
        match self.rows.len() {
            0 | 1 => save(&Page::<1>(self), stem),
            _ => save(&Page::<2>(self), stem),
        }
    }

    /// The figure as the text of an SVG file.
    ///
    /// # Errors
    /// If it cannot be drawn.
    pub fn svg(&self) -> Result<String> {
        match self.rows.len() {
            0 | 1 => svg(&Page::<1>(self)),
            _ => svg(&Page::<2>(self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_draws_whatever_the_values() {
        let odd = vec![(0.0, 1.0), (f64::NAN, 0.0), (2.0, f64::INFINITY), (3.0, 0.5)];
        let heat = HeatMap {
            values: vec![vec![0.0, 1.0], vec![f64::NAN, 0.5]],
            x: (0.0, 2.0),
            y: (0.0, 2.0),
            range: (0.0, 1.0),
            label: "accuracy".into(),
        };
        let shapes = [
            Shape::Line(odd.clone(), 3.0),
            Shape::Dashed(odd.clone(), 2.0),
            Shape::Dots(odd, 5.0),
            Shape::Band(vec![(0.0, 0.0, 1.0), (1.0, f64::NAN, 2.0)]),
            Shape::Span(0.0, 1.0),
            Shape::Heat(heat),
        ];
        let marks: Vec<Mark> =
            shapes.into_iter().map(|shape| Mark::new(shape, Colour::Scale(0.5)).named("a name")).collect();
        let panel = Panel { x_label: "time (ms)".into(), equal: true, marks, ..Panel::default() };
        let empty = Panel::default();
        for rows in [vec![], vec![vec![]], vec![vec![panel.clone(), empty]], vec![vec![panel.clone()], vec![panel]]] {
            let drawn = Panels { title: "a title".into(), rows: rows.clone() }.svg().unwrap();
            assert!(drawn.contains("a title"));
            assert_eq!(drawn.contains("time (ms)") && drawn.contains("a name"), rows.iter().flatten().count() > 0);
        }
    }
}
