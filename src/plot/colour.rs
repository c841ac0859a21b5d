//! Colours that colour-blind readers can tell apart (Okabe and Ito 2008), and greys.

use std::fmt;

/// The background of a page.
pub(super) const WHITE: Colour = Colour::Rgb(255, 255, 255);
/// Lines of a grid.
pub(super) const GRID: Colour = Colour::Rgb(230, 230, 230);
/// The colours of [`Colour::Nth`].
pub(super) const COLOURS: [Colour; 5] = [
    Colour::Blue,
    Colour::Rgb(230, 159, 0),
    Colour::Rgb(0, 158, 115),
    Colour::Rgb(204, 121, 167),
    Colour::Rgb(86, 180, 233),
];

/// A colour of a mark or a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Colour {
    /// The main colour.
    Blue,
    /// The second colour.
    Orange,
    /// One of five colours, for several marks of a kind.
    Nth(usize),
    /// Dark grey.
    Ink,
    /// Middle grey.
    Grey,
    /// Light blue-grey, for single networks behind their median.
    Faint,
    /// From −1 (blue) through 0 (grey) to 1 (orange).
    Scale(f64),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

impl Colour {
    fn parts(self) -> [u8; 3] {
        match self {
            Colour::Blue => [0, 114, 178],
            Colour::Orange => [213, 94, 0],
            Colour::Nth(k) => COLOURS[k % COLOURS.len()].parts(),
            Colour::Ink => [34; 3],
            Colour::Grey => [110; 3],
            Colour::Faint => [188, 208, 224],
            Colour::Scale(at) => Colour::Rgb(190, 190, 190).to_end(at).parts(),
            Colour::Rgb(red, green, blue) => [red, green, blue],
        }
    }

    /// This colour at 0, blue at −1, orange at 1, and mixtures between them.
    pub(super) fn to_end(self, at: f64) -> Colour {
        let end = if at < 0.0 { Colour::Blue } else { Colour::Orange };
        let (from, end) = (self.parts().map(f64::from), end.parts().map(f64::from));
        let [red, green, blue] = [0, 1, 2].map(|i| (from[i] + at.abs().min(1.0) * (end[i] - from[i])).round() as u8);
        Colour::Rgb(red, green, blue)
    }
}

impl fmt::Display for Colour {
    /// In hexadecimal, as in SVG: `#0072B2`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [red, green, blue] = self.parts();
        write!(f, "#{red:02X}{green:02X}{blue:02X}")
    }
}
