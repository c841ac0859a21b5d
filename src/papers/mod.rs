//! The literature on which tasks, rules, lives and neuron models are based.

// Some are cited only where there are reports.
#[cfg_attr(not(feature = "report"), allow(dead_code))]
mod list;

pub(crate) use list::*;
use std::fmt;

/// A publication. Texts are written as in BibTeX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Paper {
    /// The first author and the year, without a space.
    pub key: &'static str,
    /// All authors, separated by "and".
    pub authors: &'static str,
    /// The year.
    pub year: u16,
    /// The title.
    pub title: &'static str,
    /// Where it appeared.
    pub published: Published,
    /// Volume, number and pages, as far as they exist.
    pub place: &'static [(&'static str, &'static str)],
    /// Its DOI or arXiv number; empty if it has neither.
    pub identifier: &'static str,
}

/// Where a publication appeared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Published {
    /// In a journal.
    Journal(&'static str),
    /// In the proceedings of a conference.
    Proceedings(&'static str),
    /// As a preprint.
    Preprint,
}

impl Paper {
    /// Its address.
    pub fn url(&self) -> Option<String> {
        match (self.published, self.identifier) {
            (_, "") => None,
            (Published::Journal(_), doi) => Some(format!("https://doi.org/{doi}")),
            (_, number) => Some(format!("https://arxiv.org/abs/{number}")),
        }
    }

    /// Its authors' surnames and the year, as in running text: "Mante et al. 2013".
    pub fn short(&self) -> String {
        let surnames: Vec<&str> =
            self.authors.split(" and ").map(|name| name.split(',').next().unwrap_or(name)).collect();
        let plain = |name: &str| name.replace(r"{\'e}", "é");
        let authors = match &surnames[..] {
            [one, two] => format!("{} & {}", plain(one), plain(two)),
            [one, _, ..] => format!("{} et al.", plain(one)),
            [one] => plain(one),
            [] => String::new(),
        };
        format!("{authors} {}", self.year)
    }
}

/// As a BibTeX entry.
impl fmt::Display for Paper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Paper { key, authors, year, title, published, place, identifier } = self;
        let kind = match published {
            Published::Journal(_) => "article",
            Published::Proceedings(_) => "inproceedings",
            Published::Preprint => "misc",
        };
        write!(f, "@{kind}{{{key},\n  author = {{{authors}}},\n  title = {{{title}}},\n")?;
        match published {
            Published::Journal(journal) => writeln!(f, "  journal = {{{journal}}},")?,
            Published::Proceedings(book) => writeln!(f, "  booktitle = {{{book}}},")?,
            Published::Preprint => {}
        }
        write!(f, "  ")?;
        place.iter().try_for_each(|(name, value)| write!(f, "{name} = {{{value}}}, "))?;
        write!(f, "year = {{{year}}}")?;
        match (published, *identifier) {
            (_, "") => {}
            (Published::Journal(_), doi) => write!(f, ", doi = {{{doi}}}")?,
            (_, number) => write!(f, ", eprint = {{{number}}}, archiveprefix = {{arXiv}}")?,
        }
        write!(f, "\n}}")
    }
}
