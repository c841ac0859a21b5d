//! A page as PDF, for papers: the shapes of an SVG, with text as outlines, so that nothing depends on fonts.

use crate::error::{Error, Result};
use resvg::tiny_skia::{PathSegment, Point, Transform};
use resvg::usvg::{FillRule, Group, LineCap, LineJoin, Node, Paint, Path, Tree};
use std::fmt::Write;

const POINTS_PER_MM: f64 = 72.0 / 25.4;

/// The bytes of a PDF file with the one page that `tree` describes, `width_mm` wide.
///
/// # Errors
/// [`Error::Bug`] if a shape has another paint than a plain colour, which no picture of ours has.
pub(super) fn pdf(tree: &Tree, width_mm: f64) -> Result<Vec<u8>> {
    let (width, height) = (f64::from(tree.size().width()), f64::from(tree.size().height()));
    let scale = width_mm * POINTS_PER_MM / width;
    let mut page = Page::default();
    // The origin of PDF is at the bottom.
    page.write(format_args!("{scale:.6} 0 0 {:.6} 0 {:.3} cm", -scale, height * scale));
    page.group(tree.root())?;
    let opacities: String =
        page.opacities.iter().map(|o| format!("/O{o} << /ca {0} /CA {0} >> ", f64::from(*o) / 1000.0)).collect();
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_string(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_string(),
        format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {:.3} {:.3}] /Contents 4 0 R /Resources << /ExtGState << {opacities}>> >> >>",
            width * scale,
            height * scale
        ),
        format!("<< /Length {} >>\nstream\n{}endstream", page.content.len(), page.content),
    ];
    let mut file = String::from("%PDF-1.4\n");
    let mut places = Vec::new();
    for (k, object) in objects.iter().enumerate() {
        places.push(format!("{:010} 00000 n \n", file.len()));
        file += &format!("{} 0 obj\n{object}\nendobj\n", k + 1);
    }
    let (start, count) = (file.len(), objects.len() + 1);
    file += &format!("xref\n0 {count}\n0000000000 65535 f \n{}", places.concat());
    file += &format!("trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    Ok(file.into_bytes())
}

/// The drawing operators of a page.
#[derive(Default)]
struct Page {
    content: String,
    /// The opacities in use, in thousandths.
    opacities: Vec<u16>,
}

impl Page {
    fn write(&mut self, operators: std::fmt::Arguments) {
        let _ = writeln!(self.content, "{operators}");
    }

    fn group(&mut self, group: &Group) -> Result<()> {
        group.children().iter().try_for_each(|node| match node {
            Node::Group(group) => self.group(group),
            Node::Path(path) => self.path(path),
            Node::Text(text) => self.group(text.flattened()),
            Node::Image(_) => Err(Error::Bug("a picture within a picture cannot be written as PDF".into())),
        })
    }

    fn path(&mut self, path: &Path) -> Result<()> {
        self.write(format_args!("q"));
        let mut paint = String::new();
        if let Some(fill) = path.fill() {
            let [r, g, b] = rgb(fill.paint())?;
            let opacity = self.opacity(fill.opacity().get());
            self.write(format_args!("{r:.4} {g:.4} {b:.4} rg /O{opacity} gs"));
            paint += if fill.rule() == FillRule::EvenOdd { "f*" } else { "f" };
        }
        if let Some(stroke) = path.stroke() {
            let [r, g, b] = rgb(stroke.paint())?;
            let opacity = self.opacity(stroke.opacity().get());
            let scale = path.abs_transform().get_scale().0;
            let cap = match stroke.linecap() {
                LineCap::Butt => 0,
                LineCap::Round => 1,
                LineCap::Square => 2,
            };
            let join = match stroke.linejoin() {
                LineJoin::Round => 1,
                LineJoin::Bevel => 2,
                _ => 0,
            };
            let dashes: Vec<String> =
                stroke.dasharray().unwrap_or_default().iter().map(|d| format!("{}", d * scale)).collect();
            let width = stroke.width().get() * scale;
            self.write(format_args!(
                "{r:.4} {g:.4} {b:.4} RG /O{opacity} gs {width:.4} w {cap} J {join} j [{}] 0 d",
                dashes.join(" ")
            ));
            paint = if paint.is_empty() { "S".into() } else { paint.replace('f', "B") };
        }
        self.outline(path, path.abs_transform());
        self.write(format_args!("{} Q", if paint.is_empty() { "n" } else { &paint }));
        Ok(())
    }

    /// The number of an opacity from 0 to 1.
    fn opacity(&mut self, opacity: f32) -> u16 {
        let thousandths = (1000.0 * opacity).round() as u16;
        if !self.opacities.contains(&thousandths) {
            self.opacities.push(thousandths);
        }
        thousandths
    }

    fn outline(&mut self, path: &Path, transform: Transform) {
        let mut at = Point::zero();
        for segment in path.data().segments() {
            let placed = |mut point: Point| {
                transform.map_point(&mut point);
                format!("{:.3} {:.3}", point.x, point.y)
            };
            match segment {
                PathSegment::MoveTo(to) => self.write(format_args!("{} m", placed(to))),
                PathSegment::LineTo(to) => self.write(format_args!("{} l", placed(to))),
                // PDF has only cubic curves.
                PathSegment::QuadTo(control, to) => {
                    let third = |end: Point| {
                        let along = |end: f32, control: f32| end + 2.0 / 3.0 * (control - end);
                        Point::from_xy(along(end.x, control.x), along(end.y, control.y))
                    };
                    self.write(format_args!("{} {} {} c", placed(third(at)), placed(third(to)), placed(to)));
                }
                PathSegment::CubicTo(a, b, to) => {
                    self.write(format_args!("{} {} {} c", placed(a), placed(b), placed(to)))
                }
                PathSegment::Close => self.write(format_args!("h")),
            }
            if let PathSegment::MoveTo(to)
            | PathSegment::LineTo(to)
            | PathSegment::QuadTo(_, to)
            | PathSegment::CubicTo(_, _, to) = segment
            {
                at = to;
            }
        }
    }
}

/// Red, green and blue, from 0 to 1.
fn rgb(paint: &Paint) -> Result<[f64; 3]> {
    match paint {
        Paint::Color(colour) => Ok([colour.red, colour.green, colour.blue].map(|channel| f64::from(channel) / 255.0)),
        _ => Err(Error::Bug("only plain colours are written as PDF".into())),
    }
}
