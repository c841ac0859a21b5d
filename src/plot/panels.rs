//! Figures of several panels side by side: lines, dots, bands, spans of time and heat maps, with one legend for all.

use super::axis::{extent, round_range, Axis};
use super::canvas::{Canvas, Point, Style, LABEL};
use super::chart::{head, Chart, Mark, Shape};
use super::heat::{draw_bar, HeatMap, BAR};

/// Top of the first row of panels, and the height of a row.
const TOP: f64 = 132.0;
const ROW: f64 = 610.0;
/// Margins around the axes of a panel: left, above, right, below.
const MARGIN: (f64, f64, f64, f64) = (122.0, 62.0, 26.0, 104.0);

/// One panel.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// Title above it.
    pub title: String,
    /// Label of the horizontal axis, with its unit.
    pub x_label: String,
    /// Label of the vertical axis, with its unit.
    pub y_label: String,
    /// Range of the horizontal axis; `None`: that of the marks.
    pub x: Option<Point>,
    /// Range of the vertical axis; `None`: that of the marks, widened to round numbers.
    pub y: Option<Point>,
    /// Ticks of the horizontal axis; empty: round numbers.
    pub x_ticks: Vec<(f64, String)>,
    /// Ticks of the vertical axis; empty: round numbers.
    pub y_ticks: Vec<(f64, String)>,
    /// Whether one unit is as long on both axes.
    pub equal: bool,
    /// Drawn in this order.
    pub marks: Vec<Mark>,
}

/// A figure of panels in rows.
#[derive(Clone, Debug, Default)]
pub struct Panels {
    /// Title above the figure.
    pub title: String,
    /// The rows, from top to bottom.
    pub rows: Vec<Vec<Panel>>,
}

impl Panels {
    /// The figure, 1600 units wide.
    pub fn draw(&self) -> Canvas {
        let mut canvas = Canvas::new(TOP as u32 + self.rows.len().max(1) as u32 * ROW as u32);
        let marks = self.rows.iter().flatten().flat_map(|panel| &panel.marks);
        head(&mut canvas, &self.title, (40.0, 56.0), marks);
        for (row, panels) in self.rows.iter().enumerate() {
            let bar = |panel: &Panel| panel.bar().map_or(0.0, |_| BAR);
            let bars: f64 = panels.iter().map(bar).sum();
            let width = (1560.0 - bars) / panels.len().max(1) as f64;
            let (mut left, top) = (20.0, TOP + ROW * row as f64);
            for panel in panels {
                panel.draw(&mut canvas, (left, top), width);
                left += width + bar(panel);
            }
        }
        canvas
    }
}

impl Panel {
    /// The heat map whose bar stands beside the panel.
    fn bar(&self) -> Option<&HeatMap> {
        self.marks.iter().find_map(|mark| match &mark.shape {
            Shape::Heat(heat) if !heat.label.is_empty() => Some(heat),
            _ => None,
        })
    }

    fn draw(&self, canvas: &mut Canvas, (left, above): Point, width: f64) {
        let (mut left, mut right) = (left + MARGIN.0, left + width - MARGIN.2);
        let (mut top, mut bottom) = (above + MARGIN.1, above + ROW - MARGIN.3);
        let points = || self.marks.iter().flat_map(|mark| mark.shape.extent());
        let x = self.x.unwrap_or_else(|| range(points().map(|p| p.0), false));
        let y = self.y.unwrap_or_else(|| range(points().map(|p| p.1), true));
        if self.equal {
            let unit = ((right - left) / (x.1 - x.0)).min((bottom - top) / (y.1 - y.0));
            let (spare_x, spare_y) = (right - left - unit * (x.1 - x.0), bottom - top - unit * (y.1 - y.0));
            (left, right) = (left + spare_x / 2.0, right - spare_x / 2.0);
            (top, bottom) = (top + spare_y / 2.0, bottom - spare_y / 2.0);
        }
        let chart = Chart::new(Axis::linear(x, (left, right)), Axis::linear(y, (bottom, top)));
        let style = Style { bold: true, room: right - left + 90.0, ..Style::centred(LABEL) };
        canvas.text(&self.title, (chart.centre().0, top - 20.0), style);
        let round = chart.x.ticks((((right - left) / 110.0) as usize).clamp(3, 8));
        let ticks = if self.x_ticks.is_empty() { &round } else { &self.x_ticks };
        let round = chart.y.ticks(5);
        chart.grid(canvas, ticks, if self.y_ticks.is_empty() { &round } else { &self.y_ticks });
        chart.names(canvas, &self.x_label, (&self.y_label, left - 86.0));
        self.marks.iter().for_each(|mark| chart.draw(canvas, mark));
        chart.axes(canvas);
        if let Some(heat) = self.bar() {
            draw_bar(canvas, heat, right, (bottom, top));
        }
    }
}

/// The range of the finite values, widened to round numbers if `round`, or if it has no width.
fn range(values: impl Iterator<Item = f64>, round: bool) -> Point {
    match extent(values) {
        Some((lo, hi)) if round || hi <= lo => round_range(lo, hi),
        Some(range) => range,
        None => (0.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Colour;

    #[test]
    fn odd_values_draw_in_every_shape() {
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
            let drawn = Panels { title: "a title".into(), rows: rows.clone() }.draw().svg();
            assert!(drawn.contains("a title"));
            assert_eq!(drawn.contains("time (ms)") && drawn.contains("a name"), rows.iter().flatten().count() > 0);
        }
    }
}
