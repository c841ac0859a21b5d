//! What can go wrong, told apart by whose business it is: the user's, a file's, the device's, the networks' numbers, or ours.

use crate::text::{nearest, one_line};
use std::fmt;
use std::path::{Path, PathBuf};

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done. The text says what was found and what was expected, and ends in the remedy where there is
/// one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The value of a setting is not one that it can have.
    #[error("{key} is {found}; expected {expected}")]
    Setting {
        /// The dotted key, such as `network.neurons`.
        key: String,
        /// Its value.
        found: String,
        /// What it can be.
        expected: String,
    },
    /// A name that nothing has.
    #[error("unknown {kind} `{found}`{}", suggestion(found, known))]
    Unknown {
        /// What it should be the name of: "task", "rule", "key", ….
        kind: &'static str,
        /// The name.
        found: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// What was asked for contradicts itself or cannot be done: settings that do not go together, or a step out of order.
    #[error("{0}")]
    Usage(String),
    /// A tensor is not the one that is needed.
    #[error("tensor `{name}` is {found}; expected {expected}")]
    Tensor {
        /// Its name.
        name: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// A file, or what a task or rule of the user's own gives, holds something that cannot be used.
    #[error("{0}")]
    Content(String),
    /// A device cannot be used, or cannot do what was asked of it.
    #[error("{0}")]
    Device(String),
    /// A run does not fit into the memory of its device.
    #[error(transparent)]
    Memory(Box<Shortage>),
    /// A network's numbers are no longer finite, where that should end the run.
    #[error(
        "network {network} diverged in update {update}: {why}. The update was not applied to any network \
         (train.strict_numbers). {remedy}"
    )]
    Diverged {
        /// The network's index.
        network: u64,
        /// The update in which it diverged, counted from 1.
        update: u64,
        /// What showed it.
        why: String,
        /// What there is to try.
        remedy: &'static str,
    },
    /// The operating system refused to read or write.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was tried, such as "reading".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// An operation on tensors failed: a device out of memory, or a mistake of ours.
    #[error("{}", one_line(.0))]
    Tensors(#[from] candle_core::Error),
    /// A mistake in this program.
    #[error("{0}: a bug in hebbian-rnn; please report it")]
    Bug(String),
    /// Any of these, with where it happened.
    #[error("{place}: {error}")]
    At {
        /// A file, a table, or what was being done.
        place: String,
        /// What happened there.
        error: Box<Error>,
    },
}

/// How much memory a run needs and there is, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// What needs it: "the run".
    pub what: &'static str,
    /// What each part of it needs.
    pub parts: Vec<(&'static str, u64)>,
    /// What is free.
    pub free: u64,
    /// How much of that may be used.
    pub usable: u64,
    /// What would fit.
    pub remedy: String,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::text::bytes;
        let needed = self.parts.iter().fold(0u64, |sum, (_, size)| sum.saturating_add(*size));
        let parts = self.parts.iter().filter(|(_, size)| *size > 0);
        let parts: Vec<String> = parts.map(|(name, size)| format!("{name} {}", bytes(*size))).collect();
        write!(
            f,
            "{} needs {} of memory on its device ({}), of which {} may be used of {} free; {}",
            self.what,
            bytes(needed),
            parts.join(", "),
            bytes(self.usable),
            bytes(self.free),
            self.remedy
        )
    }
}

impl std::error::Error for Shortage {}

impl Error {
    /// The error itself, without the places where it happened.
    pub fn root(&self) -> &Error {
        match self {
            Error::At { error, .. } => error.root(),
            other => other,
        }
    }

    pub(crate) fn setting(key: impl Into<String>, found: impl fmt::Display, expected: impl fmt::Display) -> Self {
        Error::Setting { key: key.into(), found: found.to_string(), expected: expected.to_string() }
    }

    pub(crate) fn unknown<'a>(kind: &'static str, found: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known = known.into_iter().map(String::from).collect();
        Error::Unknown { kind, found: crate::text::shown(found), known }
    }

    pub(crate) fn tensor(name: &str, found: impl fmt::Display, expected: impl fmt::Display) -> Self {
        Error::Tensor { name: name.to_string(), found: found.to_string(), expected: expected.to_string() }
    }
}

/// The nearest known name where one is near, else all of them.
fn suggestion(found: &str, known: &[String]) -> String {
    match nearest(found, known.iter().map(String::as_str)) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => format!("; known are: {}", known.join(", ")),
    }
}

/// Says where an error happened.
pub(crate) trait At<T> {
    /// `place` is a file, a table, or what was being done.
    fn at(self, place: impl fmt::Display) -> Result<T>;
    /// The same for a file or folder.
    fn at_path(self, path: &Path) -> Result<T>;
}

impl<T, E: Into<Error>> At<T> for std::result::Result<T, E> {
    fn at(self, place: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error::At { place: place.to_string(), error: Box::new(error.into()) })
    }

    fn at_path(self, path: &Path) -> Result<T> {
        self.at(path.display())
    }
}

/// Says what the operating system was asked to do.
pub(crate) trait Doing<T> {
    /// `doing` is a word such as "reading".
    fn doing(self, doing: &'static str, path: &Path) -> Result<T>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io { doing, path: path.to_path_buf(), source })
    }
}

/// Returns an error of one of the kinds that are told in a sentence: `bail!(Usage, "…")`.
macro_rules! bail {
    ($kind:ident, $($text:tt)+) => {
        return Err($crate::error::Error::$kind(format!($($text)+)))
    };
}

/// [`bail!`] unless something holds.
macro_rules! ensure {
    ($holds:expr, $kind:ident, $($text:tt)+) => {
        match $holds {
            true => {}
            false => $crate::error::bail!($kind, $($text)+),
        }
    };
}

pub(crate) use {bail, ensure};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_say_where_what_and_what_to_do() {
        let setting = Err::<(), _>(Error::setting("rule.eta", -1, "a finite number from 0 up"));
        let error = setting.at("run.toml").unwrap_err();
        assert_eq!(error.to_string(), "run.toml: rule.eta is -1; expected a finite number from 0 up");
        assert!(matches!(error.root(), Error::Setting { key, .. } if key == "rule.eta"));
        let unknown = |found| Error::unknown("task", found, ["dnms", "echo"]).to_string();
        assert_eq!(unknown("dmns"), "unknown task `dmns`; did you mean `dnms`?");
        assert_eq!(unknown("reverse"), "unknown task `reverse`; known are: dnms, echo");
        let refused = || -> Result<()> { bail!(Usage, "{} and {}", 1, 2) };
        assert!(matches!(refused().unwrap_err(), Error::Usage(text) if text == "1 and 2"));
        let missing = std::fs::read("/nowhere").map(|_| ()).doing("reading", Path::new("/nowhere")).unwrap_err();
        assert!(missing.to_string().starts_with("reading /nowhere: "), "{missing}");
    }
}
