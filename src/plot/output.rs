//! A figure as the two files of a picture: drawn on both backends of plotters, written whole or not at all.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, Context, Result};
use plotters::prelude::*;

use super::canvas::{Canvas, SCALE};
use super::fonts::register_fonts;

/// Something that can be drawn on a page.
pub(super) trait Figure {
    /// Width and height of the page.
    const SIZE: (u32, u32);
    /// Draws the figure on a white page.
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()>;
}

/// Writes `STEM.png` and `STEM.svg`, each whole or not at all.
pub(super) fn save(figure: &impl Figure, stem: &Path) -> Result<()> {
    register_fonts();
    let png = with_suffix(stem, ".png");
    save_png(figure, &png).with_context(|| format!("writing {}", png.display()))?;
    let svg = with_suffix(stem, ".svg");
    save_svg(figure, &svg).with_context(|| format!("writing {}", svg.display()))
}

/// Draws on both backends in memory, which takes tests a tenth of the time of [`save`].
#[cfg(test)]
pub(super) fn rehearse<F: Figure>(figure: &F) -> Result<()> {
    register_fonts();
    let fine = (F::SIZE.0 * SCALE, F::SIZE.1 * SCALE);
    let mut pixels = vec![255; fine.0 as usize * fine.1 as usize * 3];
    paint(figure, BitMapBackend::with_buffer(&mut pixels, fine), true)?;
    let mut svg = String::new();
    paint(figure, SVGBackend::with_string(&mut svg, fine), false)
}

/// The path with `suffix` appended to it, whatever dots its name has.
fn with_suffix(stem: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(stem);
    name.push(suffix);
    name.into()
}

/// The figure as the text of an SVG file.
pub(super) fn svg<F: Figure>(figure: &F) -> Result<String> {
    register_fonts();
    let mut svg = String::new();
    let (width, height) = F::SIZE;
    let fine = (width * SCALE, height * SCALE);
    paint(figure, SVGBackend::with_string(&mut svg, fine), false)?;
    let size = |(w, h): (u32, u32)| format!("width=\"{w}\" height=\"{h}\"");
    Ok(svg.replacen(&size(fine), &size((width * 3 / 5, height * 3 / 5)), 1))
}

fn save_svg<F: Figure>(figure: &F, path: &Path) -> Result<()> {
    let svg = svg(figure)?;
    replace(path, ".svg", |temporary| Ok(std::fs::write(temporary, &svg)?))
}

fn save_png<F: Figure>(figure: &F, path: &Path) -> Result<()> {
    let (width, height) = F::SIZE;
    let fine = (width * SCALE, height * SCALE);
    let mut pixels = vec![255; fine.0 as usize * fine.1 as usize * 3];
    paint(figure, BitMapBackend::with_buffer(&mut pixels, fine), true)?;
    let small = average_down(&pixels, fine.0 as usize);
    replace(path, ".png", |temporary| {
        let mut image = BitMapBackend::new(temporary, F::SIZE);
        image.blit_bitmap((0, 0), F::SIZE, &small)?;
        Ok(image.present()?)
    })
}

/// Draws the figure on a backend.
fn paint<F: Figure, DB: DrawingBackend>(figure: &F, backend: DB, pixels: bool) -> Result<()> {
    let area = backend.into_drawing_area();
    let failed = |error| anyhow!("drawing: {error}");
    area.fill(&WHITE).map_err(failed)?;
    figure.draw(&Canvas { area: &area, pixels })?;
    area.present().map_err(failed)
}

/// Averages squares of `SCALE` by `SCALE` RGB pixels.
fn average_down(pixels: &[u8], width: usize) -> Vec<u8> {
    let scale = SCALE as usize;
    let count = (scale * scale) as u32;
    let mut small = Vec::with_capacity(pixels.len() / (scale * scale));
    let mut sums = vec![0u32; width / scale * 3];
    for rows in pixels.chunks_exact(width * 3 * scale) {
        sums.fill(0);
        for row in rows.chunks_exact(width * 3) {
            for (sum, square) in sums.chunks_exact_mut(3).zip(row.chunks_exact(3 * scale)) {
                for (i, value) in square.iter().enumerate() {
                    sum[i % 3] += u32::from(*value);
                }
            }
        }
        small.extend(sums.iter().map(|sum| (sum / count) as u8));
    }
    small
}

/// Fills a temporary file next to `path`, then puts it in the place of `path`.
fn replace(path: &Path, suffix: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".plot-").suffix(suffix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder
        .tempfile_in(folder)
        .with_context(|| format!("temporary file in {}", folder.display()))?
        .into_temp_path();
    fill(&temporary)?;
    temporary.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_averaged() {
        let row = [[0; 3], [4; 3], [10; 3], [20; 3]].concat();
        let pixels = [row.clone(), row].concat();
        assert_eq!(average_down(&pixels, 4), [2, 2, 2, 15, 15, 15]);
    }

    #[test]
    fn suffix_keeps_dots() {
        let path = with_suffix(Path::new("out/eta0.5"), ".png");
        assert_eq!(path, Path::new("out/eta0.5.png"));
    }
}
