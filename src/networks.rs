//! Which network indices a run holds.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Which network indices a run holds, half-open. A plain count `S` is `0..S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Networks {
    /// The first index.
    pub start: u64,
    /// One past the last index.
    pub end: u64,
}

impl Networks {
    /// S, how many networks.
    pub fn count(self) -> usize {
        (self.end - self.start) as usize
    }

    /// The indices.
    pub fn range(self) -> Range<u64> {
        self.start..self.end
    }
}

impl std::fmt::Display for Networks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.start == 0 {
            write!(f, "{}", self.end)
        } else {
            write!(f, "{}..{}", self.start, self.end)
        }
    }
}

impl std::str::FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |part: &str| part.trim().parse::<u64>();
        let parsed = match text.split_once("..") {
            Some((start, end)) => number(start).and_then(|start| Ok((start, number(end)?))),
            None => number(text).map(|end| (0, end)),
        };
        match parsed {
            Ok((start, end)) if start < end => Ok(Networks { start, end }),
            _ => {
                Err(format!("`{text}` is neither a count of at least 1 nor a non-empty range A..B of network indices"))
            }
        }
    }
}

impl Serialize for Networks {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        if self.start == 0 {
            serializer.serialize_u64(self.end)
        } else {
            serializer.collect_str(self)
        }
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum CountOrRange {
            Count(u64),
            Range(String),
        }
        let text = match CountOrRange::deserialize(deserializer)? {
            CountOrRange::Count(n) => n.to_string(),
            CountOrRange::Range(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}
