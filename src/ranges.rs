//! Range checks for settings, with their messages.

use crate::error::{Error, Result};
use serde_json::Value;
use std::fmt::Display;

/// Bound of all settings, so that values computed from them stay finite in single precision.
const LARGE: f64 = 1e30;

/// Returns [`Error::Setting`] unless `fine`.
pub(crate) fn expect(fine: bool, key: &str, found: impl Display, expected: impl Display) -> Result<()> {
    if fine {
        Ok(())
    } else {
        Err(Error::setting(key, found, expected))
    }
}

/// The numbers that a key can have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    /// Whether only integers.
    integer: bool,
    /// The lower bound, and whether it is itself possible.
    from: Option<(f64, bool)>,
    /// The upper bound, and whether it is itself possible.
    to: Option<(f64, bool)>,
}

impl Range {
    /// The range that a JSON schema gives; `None` if it is not that of a number.
    pub(crate) fn of(schema: &Value) -> Option<Self> {
        let types = schema.get("type")?;
        let has = |name: &str| types == name || types.as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let integer = has("integer");
        if !integer && !has("number") {
            return None;
        }
        let bound = |possible: &str, excluded: &str| {
            let number = |name: &str| schema.get(name).and_then(Value::as_f64);
            number(excluded).map(|bound| (bound, false)).or(number(possible).map(|bound| (bound, true)))
        };
        Some(Range { integer, from: bound("minimum", "exclusiveMinimum"), to: bound("maximum", "exclusiveMaximum") })
    }

    /// All finite numbers.
    pub(crate) fn unbounded(self) -> Self {
        Range { from: None, to: None, ..self }
    }

    /// Requires that `number` is in the range; `found` is how it is shown.
    pub(crate) fn check(self, key: &str, found: impl Display, number: f64) -> Result<()> {
        let above = self.from.is_none_or(|(from, possible)| number > from || possible && number == from);
        let below = self.to.is_none_or(|(to, possible)| number < to || possible && number == to);
        expect(above && below && (self.integer || number.abs() <= LARGE), key, found, self.expected(above))
    }

    /// A description of the expected range, for a number outside it; `above`: the number is not too small.
    fn expected(self, above: bool) -> String {
        match (self.from, self.to) {
            (Some((from, _)), _) if self.integer && !above => format!("at least {from}"),
            (_, Some((to, _))) if self.integer => format!("at most {to}"),
            (Some((from, true)), Some((to, true))) => format!("a number from {from} to {to}"),
            (Some((from, true)), None) => format!("a finite number from {from} to {LARGE:e}"),
            (Some((from, false)), None) => format!("a finite number above {from}, at most {LARGE:e}"),
            (None, None) => format!("a finite number from -{LARGE:e} to {LARGE:e}"),
            _ => self.in_short().unwrap_or_default(),
        }
    }

    /// The range in a few words; `None` if it says nothing that the type does not.
    pub(crate) fn in_short(self) -> Option<String> {
        Some(match (self.from, self.to) {
            (None, None) => return None,
            (Some((0.0, true)), None) if self.integer => return None,
            (Some((from, true)), None) if self.integer => format!("at least {from}"),
            (Some((from, true)), Some((to, true))) => format!("from {from} to {to}"),
            (Some((from, true)), Some((to, false))) => format!("at least {from} and below {to}"),
            (Some((from, false)), Some((to, true))) => format!("above {from} and at most {to}"),
            (Some((from, false)), Some((to, false))) => format!("above {from} and below {to}"),
            (Some((from, true)), None) => format!("from {from}"),
            (Some((from, false)), None) => format!("above {from}"),
            (None, Some((to, true))) => format!("at most {to}"),
            (None, Some((to, false))) => format!("below {to}"),
        })
    }
}

/// Requires a finite number above 0.
pub(crate) fn positive(key: &str, found: f64) -> Result<()> {
    Range { integer: false, from: Some((0.0, false)), to: None }.check(key, found, found)
}
