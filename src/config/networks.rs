//! Which network indices a run holds.

use crate::error::{bail, Error};
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

    /// The networks at some places of these, counted from 0.
    pub(crate) fn at(self, places: Range<usize>) -> Self {
        Networks { start: self.start + places.start as u64, end: self.start + places.end as u64 }
    }

    /// Which of them, counted from 0, part `i` of `parts` has: as even as can be, in order.
    pub(crate) fn share(self, i: usize, parts: usize) -> Range<usize> {
        let end = |parts_before: usize| (self.count() as u128 * parts_before as u128 / parts as u128) as usize;
        end(i)..end(i + 1)
    }

    /// The indices.
    pub fn range(self) -> Range<u64> {
        self.start..self.end
    }
}

impl From<Range<u64>> for Networks {
    fn from(Range { start, end }: Range<u64>) -> Self {
        Networks { start, end }
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
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number = |part: &str| part.trim().parse::<u64>();
        let parsed = match text.split_once("..") {
            Some((start, end)) => number(start).and_then(|start| Ok((start, number(end)?))),
            None => number(text).map(|end| (0, end)),
        };
        match parsed {
            Ok((start, end)) if start < end => Ok(Networks { start, end }),
            _ => {
                bail!(Usage, "`{text}` is neither a count of at least 1 nor a non-empty range A..B of network indices")
            }
        }
    }
}

impl Serialize for Networks {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.start == 0 {
            serializer.serialize_u64(self.end)
        } else {
            serializer.collect_str(self)
        }
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
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
