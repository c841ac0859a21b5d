//! A picture within the page: an SVG with its words for those who cannot see it.

use crate::error::{Error, Result};
use serde::Serialize;

/// A picture, ready to be put into the page.
#[derive(Serialize)]
pub(super) struct EmbeddedPicture {
    svg: String,
    words: String,
    caption: String,
}

impl EmbeddedPicture {
    /// A picture of an SVG file's text; `words` say what it shows, `caption` how to read it.
    ///
    /// # Errors
    /// Where the text does not begin with the tag that the drawing code writes.
    pub fn new(svg: &str, words: impl Into<String>, caption: impl Into<String>) -> Result<Self> {
        let lacks = |what: &str| Error::Bug(format!("an SVG without a {what}"));
        let (open, rest) = svg.split_once('>').ok_or_else(|| lacks("tag"))?;
        let view = open.split_once("viewBox=\"").and_then(|(_, from)| from.split_once('"')).map(|(view, _)| view);
        let view = view.ok_or_else(|| lacks("viewBox"))?;
        // Within a page an SVG needs no namespace, and the page gives its size and name.
        let svg = format!("<svg viewBox=\"{view}\" aria-hidden=\"true\" focusable=\"false\">{rest}");
        Ok(EmbeddedPicture { svg, words: words.into(), caption: caption.into() })
    }
}
