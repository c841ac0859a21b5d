//! Errors, by their cause: the user's request, a file, the device, the networks' numbers, or a bug.

use crate::text::{bytes, nearest, one_line, printable, shown};
use std::fmt;
use std::path::{Path, PathBuf};

/// The result of fallible functions in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error. Its text says what was found and what was expected, and ends with the remedy if there is one. It is one line of visible
/// characters, whatever names and values of files it quotes; only the text of [`Error::Own`] is passed on unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has a value out of range or of the wrong type.
    #[error("{}", printable(&format!("{key} is {found}; expected {expected}")))]
    Setting {
        /// The dotted key, such as `network.neurons`.
        key: String,
        /// The value found.
        found: String,
        /// The accepted values.
        expected: String,
    },
    /// An unknown name.
    #[error("unknown {kind} `{found}`{}", suggestion(found, known))]
    Unknown {
        /// The kind of thing that it should name: "task", "rule", "key", ….
        kind: &'static str,
        /// The name found.
        found: String,
        /// The known names.
        known: Vec<String>,
    },
    /// The request is contradictory or impossible, such as incompatible settings.
    #[error("{}", printable(.0))]
    Usage(String),
    /// A tensor is missing, or has the wrong shape or type.
    #[error("{}", printable(&format!("tensor `{name}` is {found}; expected {expected}")))]
    Tensor {
        /// The tensor's name.
        name: String,
        /// The shape or type found.
        found: String,
        /// The shape or type it should have.
        expected: String,
    },
    /// The contents of a file are invalid, or a user-defined task or rule returned something invalid.
    #[error("{}", printable(.0))]
    Content(String),
    /// A device is not available, or does not support the request.
    #[error("{}", printable(.0))]
    Device(String),
    /// A run does not fit into its device's memory.
    #[error(transparent)]
    Memory(Box<Shortage>),
    /// A network diverged, and `train.strict_numbers` is set.
    #[error(
        "network {network} diverged in update {update}: {why}. The update was not applied to any network \
         (train.strict_numbers). {remedy}"
    )]
    Diverged {
        /// The network's index.
        network: u64,
        /// The update in which it diverged, counted from 1.
        update: u64,
        /// The evidence.
        why: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// Reading or writing failed.
    #[error("{doing} {}: {source}", printable(&path.display().to_string()))]
    Io {
        /// The operation, such as "reading".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// An operation on tensors failed, for example because the device is out of memory.
    #[error("{}", printable(&one_line(.0)))]
    Tensors(#[from] candle_core::Error),
    /// A task or world of your own failed.
    #[error("{0}")]
    Own(Box<dyn std::error::Error + Send + Sync>),
    /// A bug in this program.
    #[error("{0}: a bug in hebbian-rnn; please report it")]
    Bug(String),
    /// Any other error, with the place where it occurred.
    #[error("{}: {error}", printable(place))]
    At {
        /// A file, a table, or an operation.
        place: String,
        /// The error.
        error: Box<Error>,
    },
}

/// The memory that a run needs and the memory its device has, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shortage {
    /// The purpose of the memory, such as "the run".
    pub what: &'static str,
    /// The name and size of each part.
    pub parts: Vec<(&'static str, u64)>,
    /// Free memory.
    pub free: u64,
    /// The part of the free memory that can be used.
    pub usable: u64,
    /// The settings to change so that the run fits.
    pub remedy: String,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needed = self.parts.iter().fold(0u64, |sum, (_, size)| sum.saturating_add(*size));
        let parts = self.parts.iter().filter(|(_, size)| *size > 0);
        let parts: Vec<String> = parts.map(|(name, size)| format!("{name} {}", bytes(*size))).collect();
        write!(
            f,
            "{} needs {} of memory on its device ({}), but only {} of the {} free can be used; {}",
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
    /// The error without its places.
    pub fn root(&self) -> &Error {
        match self {
            Error::At { error, .. } => error.root(),
            other => other,
        }
    }

    /// The same error about a setting, if its key is in the table `here` under another name, `there`.
    pub(crate) fn in_table(self, here: &str, there: &str) -> Self {
        match self {
            Error::Setting { key, found, expected } => {
                let rest = key.strip_prefix(here).filter(|rest| rest.starts_with('.'));
                let moved = rest.map(|rest| format!("{there}{rest}"));
                Error::Setting { key: moved.unwrap_or(key), found, expected }
            }
            other => other,
        }
    }

    pub(crate) fn setting(key: impl Into<String>, found: impl fmt::Display, expected: impl fmt::Display) -> Self {
        Error::Setting { key: key.into(), found: found.to_string(), expected: expected.to_string() }
    }

    pub(crate) fn unknown<'a>(kind: &'static str, found: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known = known.into_iter().map(String::from).collect();
        Error::Unknown { kind, found: shown(found), known }
    }

    pub(crate) fn tensor(name: &str, found: impl fmt::Display, expected: impl fmt::Display) -> Self {
        Error::Tensor { name: name.to_string(), found: found.to_string(), expected: expected.to_string() }
    }
}

/// The known names that end in the one found, or the most similar one, or all of them if none is similar.
fn suggestion(found: &str, known: &[String]) -> String {
    let inside = |name: &&String| name.split_once('.').is_some_and(|(_, last)| last == found);
    let inside: Vec<String> = known.iter().filter(inside).map(|name| format!("`{name}`")).collect();
    if let [others @ .., last] = &inside[..] {
        let others = if others.is_empty() { String::new() } else { format!("{} or ", others.join(", ")) };
        return format!("; did you mean {others}{last}?");
    }
    match nearest(found, known.iter().map(String::as_str)) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => format!("; known are: {}", known.join(", ")),
    }
}

/// Adds the place where an error occurred.
pub(crate) trait At<T> {
    /// `place` is a file, a table, or an operation.
    fn at(self, place: impl fmt::Display) -> Result<T>;
    /// As [`At::at`], for a file or folder.
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

/// Adds the file operation that failed.
pub(crate) trait Doing<T> {
    /// `doing` is a verb such as "reading".
    fn doing(self, doing: &'static str, path: &Path) -> Result<T>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io { doing, path: path.to_path_buf(), source })
    }
}

/// Returns an error whose variant holds one sentence: `bail!(Usage, "…")`.
macro_rules! bail {
    ($kind:ident, $($text:tt)+) => {
        return Err($crate::error::Error::$kind(format!($($text)+)))
    };
}

/// [`bail!`] unless a condition holds.
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
        let hidden =
            Err::<(), _>(Error::Content("the metadata's `a\u{202e}` is \u{1b}[31m\nred".into())).at("b\u{2067}.bin");
        let hidden = hidden.unwrap_err().to_string();
        assert_eq!(hidden, r"b\u{2067}.bin: the metadata's `a\u{202e}` is \u{1b}[31m\nred");
        let missing = std::fs::read("/nowhere").map(|_| ()).doing("reading", Path::new("/nowhere")).unwrap_err();
        assert!(missing.to_string().starts_with("reading /nowhere: "), "{missing}");
    }
}
