//! The range of network indices that a run holds.

use crate::error::{bail, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// A half-open range of network indices, written in files as `A..B`, or as a plain count `S` for `0..S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(try_from = "CountOrRange", into = "CountOrRange")]
pub struct NetworkRange {
    /// The first index.
    pub start: u64,
    /// One past the last index.
    pub end: u64,
}

#[derive(JsonSchema, Serialize, Deserialize)]
#[serde(untagged)]
enum CountOrRange {
    Count(u64),
    Range(String),
}

impl NetworkRange {
    /// S, the number of networks.
    pub fn count(self) -> usize {
        (self.end - self.start) as usize
    }

    /// The indices at `places`, counted from the first network of this range.
    pub(crate) fn at(self, places: Range<usize>) -> Self {
        NetworkRange { start: self.start + places.start as u64, end: self.start + places.end as u64 }
    }

    /// The places of part `i` when the range is divided in order, as evenly as possible, into `parts`.
    pub(crate) fn share(self, i: usize, parts: usize) -> Range<usize> {
        let end = |parts_before: usize| (self.count() as u128 * parts_before as u128 / parts as u128) as usize;
        end(i)..end(i + 1)
    }

    /// All indices in the range.
    pub fn range(self) -> Range<u64> {
        self.start..self.end
    }
}

impl From<Range<u64>> for NetworkRange {
    fn from(Range { start, end }: Range<u64>) -> Self {
        NetworkRange { start, end }
    }
}

impl fmt::Display for NetworkRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.start {
            0 => write!(f, "{}", self.end),
            start => write!(f, "{start}..{}", self.end),
        }
    }
}

impl std::str::FromStr for NetworkRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (start, end) = text.split_once("..").unwrap_or(("0", text));
        match (start.trim().parse(), end.trim().parse()) {
            (Ok(start), Ok(end)) if start < end => Ok(NetworkRange { start, end }),
            _ => {
                bail!(Usage, "`{text}` is neither a count of at least 1 nor a non-empty range A..B of network indices")
            }
        }
    }
}

impl From<NetworkRange> for CountOrRange {
    fn from(networks: NetworkRange) -> Self {
        match networks.start {
            0 => CountOrRange::Count(networks.end),
            _ => CountOrRange::Range(networks.to_string()),
        }
    }
}

impl TryFrom<CountOrRange> for NetworkRange {
    type Error = Error;

    fn try_from(written: CountOrRange) -> Result<Self, Error> {
        match written {
            CountOrRange::Count(count) => count.to_string().parse(),
            CountOrRange::Range(text) => text.parse(),
        }
    }
}
