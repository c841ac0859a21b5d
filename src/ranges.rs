//! Ranges of numbers, each check with its message.

use crate::error::{Error, Result};
use std::fmt::Display;

/// No number is larger: what is drawn with it would not be finite in single precision.
const LARGE: f64 = 1e30;

/// Refuses `found` unless it is `fine`.
pub(crate) fn expect(fine: bool, key: &str, found: impl Display, expected: impl Display) -> Result<()> {
    if fine {
        Ok(())
    } else {
        Err(Error::setting(key, found, expected))
    }
}

/// Refuses everything but finite numbers.
pub(crate) fn number(key: &str, found: f64) -> Result<()> {
    expect(found.abs() <= LARGE, key, found, format!("a finite number from -{LARGE:e} to {LARGE:e}"))
}

/// Refuses everything but finite numbers above zero.
pub(crate) fn positive(key: &str, found: f64) -> Result<()> {
    expect(found > 0.0 && found <= LARGE, key, found, format!("a finite number above 0, at most {LARGE:e}"))
}

/// Refuses everything but finite numbers from zero upward.
pub(crate) fn not_negative(key: &str, found: f64) -> Result<()> {
    expect((0.0..=LARGE).contains(&found), key, found, format!("a finite number from 0 to {LARGE:e}"))
}

/// Refuses everything outside [0, 1].
pub(crate) fn fraction(key: &str, found: f64) -> Result<()> {
    expect((0.0..=1.0).contains(&found), key, found, "a number from 0 to 1")
}

/// Refuses everything outside (0, 1].
pub(crate) fn share(key: &str, found: f64) -> Result<()> {
    expect(found > 0.0 && found <= 1.0, key, found, "above 0 and at most 1")
}
