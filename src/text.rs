//! Text for messages: names from files on one line, names that are near, sizes with a unit.

/// Longer names are cut.
const SHOWN: usize = 60;

/// A name from a file, fit for one line of a message: control characters are escaped, long names cut.
pub(crate) fn shown(name: &str) -> String {
    let spelled = |c: char| if c.is_control() { c.escape_debug().collect() } else { String::from(c) };
    let mut shown: String = name.chars().take(SHOWN).map(spelled).collect();
    if name.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// The known name that `found` is most like, where one is like it.
pub(crate) fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        // No known name is nearly as long as some that files hold.
        .filter(|_| found.len() <= 200)
        .map(|name| (strsim::jaro_winkler(found, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity > 0.75)
        .map(|(_, name)| name)
}

/// The first line of an error's text: candle repeats itself over many lines.
pub(crate) fn one_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().trim().to_string()
}

/// Bytes with a unit.
pub(crate) fn bytes(bytes: u64) -> String {
    let (mut size, mut unit) = (bytes as f64, "bytes");
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if size >= 1024.0 {
            (size, unit) = (size / 1024.0, next);
        }
    }
    if unit == "bytes" {
        format!("{bytes} bytes")
    } else {
        format!("{size:.1} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_on_one_line() {
        assert_eq!(shown("w_rec"), "w_rec");
        assert_eq!(shown("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(shown(&"ü".repeat(1000)), format!("{}…", "ü".repeat(60)));
    }

    #[test]
    fn sizes_have_units() {
        let words = [17, 2048, 3 << 20, 5 << 29].map(bytes);
        assert_eq!(words, ["17 bytes", "2.0 KiB", "3.0 MiB", "2.5 GiB"]);
    }
}
