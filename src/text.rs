//! Helpers for messages: printable names, similar names, sizes with units.

use documented::DocumentedFields;

/// Longer names are truncated.
const SHOWN: usize = 60;

/// Whether a character acts on the text around it rather than being visible: control characters, such as those that steer
/// terminals; line separators; and invisible ones, including those that reverse the direction of the following text.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with hidden characters escaped, as `\n` or `\u{202e}`: one line without anything invisible. For text from files that is
/// printed to a terminal.
pub fn printable(text: &str) -> String {
    let spelled = |c: char| match c {
        _ if c.is_control() => c.escape_debug().collect(),
        _ if is_hidden(c) => c.escape_unicode().collect(),
        _ => String::from(c),
    };
    text.chars().map(spelled).collect()
}

/// A name from a file in printable form; long names are truncated.
pub(crate) fn shown(name: &str) -> String {
    let mut shown: String = printable(&name.chars().take(SHOWN).collect::<String>());
    if name.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// The only known name that ends in `.found`, else the one most similar to `found`, if any is similar.
pub(crate) fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let mut inside = known.clone().filter(|name| name.split_once('.').is_some_and(|(_, name)| name == found));
    if let (Some(only), None) = (inside.next(), inside.next()) {
        return Some(only);
    }
    known
        // Files can hold very long names.
        .filter(|_| found.len() <= 200)
        .map(|name| (strsim::jaro_winkler(found, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity > 0.75)
        .map(|(_, name)| name)
}

/// The fields of a documented struct: their names with their documentation in one line, without link markup.
pub(crate) fn fields<T: DocumentedFields>() -> Vec<(&'static str, String)> {
    let plain = |text: &&str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").replace("[`", "`").replace("`]", "`").replace(concat!("`crate", "::"), "`")
    };
    T::FIELD_NAMES.iter().copied().zip(T::FIELD_DOCS.iter().map(plain)).collect()
}

/// A message about a value of the wrong type, without Rust's type names.
pub(crate) fn in_plain_types(message: &str) -> String {
    let whole = ["usize", "u64", "u32"].iter().fold(message.trim().to_string(), |text, name| {
        text.replace(&format!("expected {name}"), "expected an integer from 0")
    });
    whole.replace("expected f64", "expected a number")
}

/// The first line of an error's text. candle's errors have many.
pub(crate) fn one_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().trim().to_string()
}

/// A number of bytes with a unit.
pub(crate) fn bytes(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, power)| bytes >> power > 0) {
        Some((unit, power)) => format!("{:.1} {unit}", bytes as f64 / (1u64 << power) as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_on_one_line() {
        assert_eq!(shown("w_rec"), "w_rec");
        assert_eq!(shown("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(shown("a\u{202e}b\u{feff}c\u{2066}"), "a\\u{202e}b\\u{feff}c\\u{2066}");
        assert_eq!(printable(&shown("\u{200b}\t")), "\\u{200b}\\t");
        assert_eq!(shown(&"ü".repeat(1000)), format!("{}…", "ü".repeat(60)));
    }

    #[test]
    fn a_name_without_its_table_is_found() {
        let known = ["network.gain", "rule.eta", "readout.eta"];
        assert_eq!(nearest("gain", known.into_iter()), Some("network.gain"));
        // Two tables have it.
        assert_eq!(nearest("eta", known.into_iter()), None);
        assert_eq!(nearest("network.gian", known.into_iter()), Some("network.gain"));
    }

    #[test]
    fn sizes_have_units() {
        let words = [17, 2048, 3 << 20, 5 << 29].map(bytes);
        assert_eq!(words, ["17 bytes", "2.0 KiB", "3.0 MiB", "2.5 GiB"]);
    }
}
