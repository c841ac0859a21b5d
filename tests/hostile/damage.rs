//! Damages bytes, text and the headers of safetensors files, using a seeded generator.

use hebbian_rnn::random::{stream, Phase, Purpose, Stream};
use rand::RngExt;
use safetensors::Dtype;
use serde_json::{json, Value};

/// The generator for mutation number `index` of a test.
pub fn generator(test: u64, index: u64) -> Stream {
    stream(test, 0, index, Phase::Evaluate, Purpose::Task)
}

/// A random number below `n`.
pub fn below(rng: &mut Stream, n: usize) -> usize {
    rng.random_range(0..n.max(1))
}

/// A random element of a list.
pub fn one_of<'a, T>(rng: &mut Stream, of: &'a [T]) -> &'a T {
    &of[below(rng, of.len())]
}

/// Numbers, and things in place of numbers, that readers are known to stumble over.
pub const NUMBERS: [&str; 34] = [
    "0",
    "1",
    "2",
    "-1",
    "3",
    "7",
    "100",
    "65536",
    "1000000000",
    "4294967295",
    "4294967296",
    "1000000000000",
    "1152921504606846976",
    "2305843009213693951",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "0.5",
    "-0.0",
    "1e30",
    "1e38",
    "1e39",
    "1e308",
    "-1e308",
    "1e309",
    "1e-320",
    "nan",
    "inf",
    "null",
    "true",
    "\"x\"",
    "[]",
];

/// Damages bytes, one to four times.
pub fn bytes(rng: &mut Stream, whole: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..1 + below(rng, 4) {
        let at = below(rng, bytes.len());
        match below(rng, 9) {
            0 => bytes.truncate(at),
            1 if !bytes.is_empty() => bytes[at] ^= 1 << below(rng, 8),
            2 if !bytes.is_empty() => bytes[at] = rng.random(),
            3 => bytes.insert(at, rng.random()),
            4 => {
                let more: Vec<u8> = (0..below(rng, 40)).map(|_| rng.random()).collect();
                bytes.splice(at..at, more);
            }
            5 if !bytes.is_empty() => drop(bytes.drain(at..(at + 1 + below(rng, 16)).min(bytes.len()))),
            6 => {
                let end = (at + below(rng, 64)).min(bytes.len());
                let again = bytes[at.min(end)..end].to_vec();
                bytes.splice(at..at, again);
            }
            7 if bytes.len() >= at + 8 => {
                let extreme = *one_of(rng, &[u64::MAX, 1 << 63, (1 << 61) - 1, 1 << 32, 0, f64::NAN.to_bits()]);
                bytes[at..at + 8].copy_from_slice(&extreme.to_le_bytes());
            }
            8 if bytes.len() >= at + 4 => {
                let extreme = *one_of(rng, &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE]);
                bytes[at..at + 4].copy_from_slice(&extreme.to_le_bytes());
            }
            _ => {}
        }
    }
    bytes
}

/// Damages text according to its structure: changes numbers, and swaps, doubles or nests lines and words.
pub fn text(rng: &mut Stream, whole: &str) -> Vec<u8> {
    let mut text = whole.to_string();
    for _ in 0..1 + below(rng, 3) {
        match below(rng, 8) {
            0..=3 => text = with_another_number(rng, &text),
            4 => {
                let lines: Vec<&str> = text.split_inclusive(['\n', ',']).collect();
                let (line, place) = (one_of(rng, &lines).to_string(), below(rng, lines.len()));
                text = [&lines[..place], &[&line], &lines[place..]].concat().concat();
            }
            5 => {
                let depth = *one_of(rng, &[3, 100, 127, 129, 2000]);
                let nested = "[".repeat(depth) + &"]".repeat(depth);
                text = replaced_number(rng, &text, &nested);
            }
            6 => {
                let letters: Vec<char> = text.chars().collect();
                let (a, b) = (below(rng, letters.len()), below(rng, letters.len()));
                text = letters.iter().enumerate().map(|(i, c)| if i == a { letters[b] } else { *c }).collect();
            }
            _ => return bytes(rng, text.as_bytes()),
        }
    }
    text.into_bytes()
}

fn with_another_number(rng: &mut Stream, text: &str) -> String {
    let number = *one_of(rng, &NUMBERS);
    replaced_number(rng, text, number)
}

/// Replaces one of the numbers in a text by `with`.
fn replaced_number(rng: &mut Stream, text: &str, with: &str) -> String {
    let part_of_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | 'e');
    let starts: Vec<usize> = text
        .char_indices()
        .filter(|(i, c)| c.is_ascii_digit() && !text[..*i].ends_with(|b: char| part_of_number(b) || b.is_alphabetic()))
        .map(|(i, _)| i)
        .collect();
    if starts.is_empty() {
        return text.to_string();
    }
    let start = *one_of(rng, &starts);
    let end = text[start..].find(|c| !part_of_number(c)).map_or(text.len(), |length| start + length);
    format!("{}{with}{}", &text[..start], &text[end..])
}

/// Damages the header of a safetensors file but keeps its length right, so that readers get as far as its contents.
pub fn header(rng: &mut Stream, whole: &[u8]) -> Vec<u8> {
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let (header, data) = whole[8..].split_at(length);
    let mut parsed: Value = serde_json::from_slice(header).unwrap();
    let tensors: Vec<String> =
        parsed.as_object().unwrap().keys().filter(|name| *name != "__metadata__").cloned().collect();
    let name = one_of(rng, &tensors).clone();
    let number = |rng: &mut Stream| one_of(rng, &NUMBERS).parse::<Value>().unwrap_or(json!(null));
    match below(rng, 10) {
        0 => {
            let dimensions = parsed[&name]["shape"].as_array().map_or(0, Vec::len);
            parsed[&name]["shape"][below(rng, dimensions)] = number(rng);
        }
        1 => {
            let dimensions = below(rng, 9);
            parsed[&name]["shape"] = (0..dimensions).map(|_| number(rng)).collect();
        }
        2 => parsed[&name]["data_offsets"][below(rng, 2)] = number(rng),
        3 => parsed[&name]["data_offsets"] = json!([number(rng), number(rng)]),
        // Two tensors in the same place.
        4 => parsed[&name]["data_offsets"] = parsed[one_of(rng, &tensors)]["data_offsets"].clone(),
        5 => {
            const TYPES: [&str; 12] =
                ["BOOL", "U8", "I8", "F8_E4M3", "I16", "F16", "BF16", "I32", "F32", "F64", "I64", "U64"];
            parsed[&name]["dtype"] = json!(*one_of(rng, &TYPES));
        }
        6 => {
            let entry = parsed[&name].clone();
            let other = one_of(rng, &["w_out", "w_fb", "type", "mask", "x", "\n\u{1b}[31m", ""]).to_string();
            parsed[other] = entry;
        }
        7 => drop(parsed.as_object_mut().unwrap().remove(&name)),
        8 => {
            // With an axis of length 0, no data is needed.
            parsed["w_more"] = json!({ "dtype": "F32", "shape": [0, u64::MAX], "data_offsets": [0, 0] });
        }
        _ => {
            let doubled = format!("{{\"{name}\":{},{}", parsed[&name], &parsed.to_string()[1..]);
            return assembled(doubled.as_bytes(), data);
        }
    }
    assembled(parsed.to_string().as_bytes(), data)
}

/// Sets some numbers of the tensors of a safetensors file to extreme values of their own type; its structure stays intact.
pub fn values(rng: &mut Stream, whole: &[u8]) -> Vec<u8> {
    const FLOATS: [f64; 16] =
        [0.0, 1.0, 2.0, -1.0, 0.5, 31.0, 33.0, 3e8, 7.6e37, 3e38, -3e38, 1e30, 1e-40, f64::NAN, f64::INFINITY, 1e300];
    const INTEGERS: [i64; 8] = [0, 1, -1, 7, 300_000_000, 1 << 32, 1 << 48, i64::MAX];
    let mut bytes = whole.to_vec();
    let file = safetensors::SafeTensors::deserialize(whole).unwrap();
    let names: Vec<&str> = file.names().into_iter().collect();
    for _ in 0..1 + below(rng, 3) {
        let name = *one_of(rng, &names);
        let view = file.tensor(name).unwrap();
        let (float, integer) = (*one_of(rng, &FLOATS), *one_of(rng, &INTEGERS));
        let number = match view.dtype() {
            Dtype::F64 => float.to_le_bytes().to_vec(),
            Dtype::F32 => (float as f32).to_le_bytes().to_vec(),
            Dtype::I64 => integer.to_le_bytes().to_vec(),
            Dtype::U32 => (integer as u32).to_le_bytes().to_vec(),
            _ => vec![integer as u8],
        };
        let start = view.data().as_ptr() as usize - whole.as_ptr() as usize;
        let count = view.data().len() / number.len();
        // One number, or that and all after it.
        let place = below(rng, count);
        let end = if below(rng, 8) == 0 { count } else { (place + 1).min(count) };
        for place in place..end {
            bytes[start + place * number.len()..][..number.len()].copy_from_slice(&number);
        }
    }
    bytes
}

/// Damages a file's only metadata entry, JSON within JSON, and leaves the tensors intact.
pub fn metadata(rng: &mut Stream, whole: &[u8], key: &str) -> Vec<u8> {
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let (header, data) = whole[8..].split_at(length);
    let mut parsed: Value = serde_json::from_slice(header).unwrap();
    let entry = parsed["__metadata__"][key].as_str().unwrap().to_string();
    let damaged = text(rng, &entry);
    parsed["__metadata__"][key] = json!(String::from_utf8_lossy(&damaged));
    assembled(parsed.to_string().as_bytes(), data)
}

/// A safetensors file made of a header and data.
pub fn assembled(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}
