//! Range checks for settings, with their messages.

use crate::error::{Error, Result};
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

/// Requires a finite number.
pub(crate) fn number(key: &str, found: f64) -> Result<()> {
    expect(found.abs() <= LARGE, key, found, format!("a finite number from -{LARGE:e} to {LARGE:e}"))
}

/// Requires a finite number above 0.
pub(crate) fn positive(key: &str, found: f64) -> Result<()> {
    expect(found > 0.0 && found <= LARGE, key, found, format!("a finite number above 0, at most {LARGE:e}"))
}

/// Requires a finite number of at least 0.
pub(crate) fn not_negative(key: &str, found: f64) -> Result<()> {
    expect((0.0..=LARGE).contains(&found), key, found, format!("a finite number from 0 to {LARGE:e}"))
}

/// Requires a number in [0, 1].
pub(crate) fn fraction(key: &str, found: f64) -> Result<()> {
    expect((0.0..=1.0).contains(&found), key, found, "a number from 0 to 1")
}

/// Requires a number in (0, 1].
pub(crate) fn share(key: &str, found: f64) -> Result<()> {
    expect(found > 0.0 && found <= 1.0, key, found, "above 0 and at most 1")
}
