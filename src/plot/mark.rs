//! What can be drawn between two axes.

use super::canvas::Point;
use super::colour::Colour;
use super::heat::HeatMap;

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

impl Shape {
    /// The points that decide how far axes reach.
    pub(super) fn extent(&self) -> Vec<Point> {
        match self {
            Shape::Line(points, _) | Shape::Dashed(points, _) | Shape::Dots(points, _) => points.clone(),
            Shape::Band(edges) => edges.iter().flat_map(|e| [(e.0, e.1), (e.0, e.2)]).collect(),
            Shape::Span(from, to) => vec![(*from, f64::NAN), (*to, f64::NAN)],
            Shape::Heat(heat) => vec![(heat.x.0, heat.y.0), (heat.x.1, heat.y.1)],
        }
    }
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
