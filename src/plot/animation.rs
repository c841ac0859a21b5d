//! An animated SVG of lines that move, which browsers play; no script is needed.

use super::axis::extent;
use super::canvas::Point;
use super::colour::Colour;
use super::fonts::escaped;
use std::fmt::Write;

/// The side of the picture, in which lines are fitted, and its margin.
const SIDE: f64 = 480.0;
const MARGIN: f64 = 24.0;
/// Frames per second, and the most that are shown.
const RATE: f64 = 25.0;
const MOST: usize = 500;

/// The text of an SVG file that plays `moments` again and again, each with as many lines as the first.
pub fn animation(title: &str, moments: &[Vec<Vec<Point>>]) -> String {
    let moments = &moments[..moments.len().min(MOST)];
    let all = || moments.iter().flatten().flatten();
    let (left, right) = extent(all().map(|p| p.0)).unwrap_or_default();
    let (low, high) = extent(all().map(|p| p.1)).unwrap_or_default();
    let unit = (SIDE - 2.0 * MARGIN) / (right - left).max(high - low).max(1e-9);
    let height = (high - low) * unit + 2.0 * MARGIN;
    let place = |p: &Point| format!("{:.1},{:.1}", MARGIN + (p.0 - left) * unit, height - MARGIN - (p.1 - low) * unit);
    let points = |line: &[Point]| -> String {
        // A line through a point twice is a dot.
        let twice = if line.len() == 1 { line.first() } else { None };
        line.iter().chain(twice).map(place).collect::<Vec<_>>().join(" ")
    };
    let mut body = String::new();
    let lines = moments.first().map_or(0, Vec::len);
    let seconds = moments.len() as f64 / RATE;
    for k in 0..lines {
        let each: Vec<String> = moments.iter().map(|lines| points(lines.get(k).map_or(&[], Vec::as_slice))).collect();
        let dot = moments[0][k].len() == 1;
        let (colour, width) = match k + 1 == lines {
            true => (Colour::Blue, if dot { 14.0 } else { 7.0 }),
            false => (Colour::Grey, 4.0),
        };
        let start = each.first().map_or("", String::as_str);
        let style = format!(r#"fill="none" stroke="{colour}" stroke-width="{width}""#);
        let moves = each.iter().any(|points| points != start).then(|| {
            let (values, play) = (each.join(";"), r#"calcMode="discrete" repeatCount="indefinite""#);
            format!(r#"<animate attributeName="points" dur="{seconds}s" {play} values="{values}"/>"#)
        });
        // Writing to a string cannot fail.
        let _ = writeln!(body, r#"<polyline points="{start}" {style}>{}</polyline>"#, moves.unwrap_or_default());
    }
    let frame = format!(r#"width="{SIDE}" height="{height:.0}" viewBox="0 0 {SIDE} {height:.0}""#);
    let background = r##"<rect width="100%" height="100%" fill="#FFFFFF"/>"##;
    format!(
        "<svg {frame} xmlns=\"http://www.w3.org/2000/svg\">\n<title>{}</title>\n{background}\n\
         <g stroke-linecap=\"round\" stroke-linejoin=\"round\">\n{body}</g>\n</svg>\n",
        escaped(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::fonts::parse;

    #[test]
    fn every_moment_is_a_value_and_what_stands_still_is_not_animated() {
        let moment = |x: f64| vec![vec![(0.0, 0.0), (4.0, 0.0)], vec![(x, 1.0)]];
        let moments: Vec<_> = (0..5).map(|k| moment(f64::from(k))).collect();
        let svg = animation("a <title>", &moments);
        parse(&svg).unwrap();
        assert_eq!(svg.matches("<animate").count(), 1);
        let values = svg.split("values=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(values.split(';').count(), 5);
        assert!(svg.contains("a &lt;title&gt;") && svg.contains("dur=\"0.2s\""), "{svg}");
        assert!(parse(&animation("", &[])).is_ok());
    }
}
