//! Heat maps, in a few colours from blue through white to orange, and the colour bar beside them.

use super::axis::Axis;
use super::canvas::{Canvas, Style, LABEL, SMALL};
use super::colour::{Colour, GRID, WHITE};

/// Width of a colour bar with its labels, right of a panel.
pub(super) const BAR: f64 = 130.0;
/// Shades on either side of the middle. Neighbours of the same shade are drawn as one, which keeps the SVG small.
const SHADES: i32 = 10;

/// Values on a grid.
#[derive(Clone, Debug, Default)]
pub struct HeatMap {
    /// The values, one list per row, from the lowest row up; grey where one is not finite.
    pub values: Vec<Vec<f64>>,
    /// Left end of the first column and right end of the last.
    pub x: (f64, f64),
    /// Lower end of the first row and upper end of the last.
    pub y: (f64, f64),
    /// The values that are blue and orange; the middle between them is white.
    pub range: (f64, f64),
    /// Label of the colour bar; empty: no bar.
    pub label: String,
}

impl HeatMap {
    /// The shade of a finite value, from −[`SHADES`] to [`SHADES`].
    fn shade(&self, value: f64) -> Option<i32> {
        let (lo, hi) = self.range;
        let part = (2.0 * value - lo - hi) / (hi - lo);
        part.is_finite().then(|| (part.clamp(-1.0, 1.0) * f64::from(SHADES)).round() as i32)
    }
}

fn colour(shade: Option<i32>) -> Colour {
    shade.map_or(GRID, |shade| WHITE.to_end(f64::from(shade) / f64::from(SHADES)))
}

/// Fills a panel: all of it white, then each run of equal shades in a row.
pub(super) fn draw_heat(canvas: &mut Canvas, heat: &HeatMap, x: Axis, y: Axis) {
    let edge = |(from, to): (f64, f64), count: usize, i: usize| from + (to - from) * i as f64 / count.max(1) as f64;
    canvas.rectangle((x.at(heat.x.0), y.at(heat.y.0)), (x.at(heat.x.1), y.at(heat.y.1)), WHITE, 1.0);
    for (row, values) in heat.values.iter().enumerate() {
        let (bottom, top) = (edge(heat.y, heat.values.len(), row), edge(heat.y, heat.values.len(), row + 1));
        let shades: Vec<Option<i32>> = values.iter().map(|v| heat.shade(*v)).collect();
        let mut from = 0;
        for run in shades.chunk_by(|a, b| a == b) {
            let to = from + run.len();
            if run[0] != Some(0) {
                let (left, right) = (edge(heat.x, values.len(), from), edge(heat.x, values.len(), to));
                canvas.rectangle((x.at(left), y.at(bottom)), (x.at(right), y.at(top)), colour(run[0]), 1.0);
            }
            from = to;
        }
    }
}

/// The colour bar of a panel whose right end is at `right`, between `bottom` and `top`.
pub(super) fn draw_bar(canvas: &mut Canvas, heat: &HeatMap, right: f64, (bottom, top): (f64, f64)) {
    let axis = Axis::linear(heat.range, (bottom, top));
    let (from, to) = (right + 18.0, right + 36.0);
    let height = (bottom - top) / f64::from(2 * SHADES + 1);
    for shade in -SHADES..=SHADES {
        let low = bottom - f64::from(shade + SHADES) * height;
        canvas.rectangle((from, low), (to, low - height), colour(Some(shade)), 1.0);
    }
    canvas.line(&[(from, top), (to, top), (to, bottom), (from, bottom), (from, top)], 1.0, Colour::Grey);
    for (value, label) in axis.ticks(4) {
        let y = axis.at(value);
        canvas.text(&label, (to + 8.0, y + 0.36 * SMALL), Style::left(SMALL));
    }
    let style = Style { upward: true, room: bottom - top, ..Style::centred(LABEL) };
    canvas.text(&heat.label, (to + 88.0, (bottom + top) / 2.0), style);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_are_symmetric_about_the_middle() {
        let heat = HeatMap { range: (0.0, 1.0), ..HeatMap::default() };
        assert_eq!(
            [-1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 3.0].map(|v| heat.shade(v).unwrap()),
            [-10, -10, -5, 0, 5, 10, 10]
        );
        assert_eq!((heat.shade(f64::NAN), colour(None)), (None, GRID));
        assert_eq!([-10, 0, 10].map(|shade| colour(Some(shade)).to_string()), ["#0072B2", "#FFFFFF", "#D55E00"]);
    }
}
