//! The processor that this program runs on, for reports of measurements.

use crate::text::bytes;
use pulp::{Arch, Simd, WithSimd};
use serde::Serialize;
use std::fmt;
use std::path::Path;
use sysinfo::{CpuRefreshKind, System};

/// A processor, as described by the operating system.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Processor {
    /// Its name, on Linux with family and model, since virtual machines often hide the rest; empty if unknown.
    pub name: String,
    /// The width of the vectors that the kernels use, in bits.
    pub vector_bits: usize,
    /// The caches of the first core, the fastest first; empty if unknown, as on other systems than Linux.
    pub caches: Vec<Cache>,
}

/// A cache of a processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cache {
    /// Its level, with `d` for data and `i` for instructions: `L1d`, `L1i`, `L2`, …
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

impl Processor {
    /// The processor of this machine.
    pub fn detect() -> Self {
        Processor {
            name: name(),
            vector_bits: Arch::new().dispatch(VectorBits),
            caches: caches(Path::new("/sys/devices/system/cpu/cpu0/cache")),
        }
    }
}

/// One line.
impl fmt::Display for Processor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let name = if self.name.is_empty() { "unknown processor" } else { &self.name };
        write!(f, "{name}, {}-bit vectors, ", self.vector_bits)?;
        if self.caches.is_empty() {
            return write!(f, "caches unknown");
        }
        let caches: Vec<String> = self.caches.iter().map(|c| format!("{} {}", c.name, bytes(c.bytes))).collect();
        write!(f, "{}", caches.join(", "))
    }
}

fn name() -> String {
    let mut system = System::new();
    system.refresh_cpu_list(CpuRefreshKind::nothing());
    let mut name = system.cpus().first().map_or(String::new(), |cpu| cpu.brand().trim().to_string());
    let described = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    for (key, word) in [("cpu family", "family"), ("model", "model")] {
        let mut lines = described.lines().filter_map(|line| line.split_once(':'));
        if let Some((_, number)) = lines.find(|(found, _)| found.trim() == key) {
            name.push_str(&format!(", {word} {}", number.trim()));
        }
    }
    name
}

/// The caches in a folder of Linux's `/sys`.
fn caches(folder: &Path) -> Vec<Cache> {
    let read = |index: usize, file: &str| {
        let text = std::fs::read_to_string(folder.join(format!("index{index}")).join(file)).ok()?;
        Some(text.trim().to_string())
    };
    let cache = |index| {
        let kind = match read(index, "type")?.as_str() {
            "Data" => "d",
            "Instruction" => "i",
            _ => "",
        };
        let kibibytes: u64 = read(index, "size")?.strip_suffix('K')?.parse().ok()?;
        Some(Cache { name: format!("L{}{kind}", read(index, "level")?), bytes: kibibytes * 1024 })
    };
    (0..).map_while(cache).collect()
}

struct VectorBits;

impl WithSimd for VectorBits {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        8 * size_of::<S::f32s>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_are_read_until_one_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        for (index, kind, level, size) in [(0, "Data", 1, "32K"), (1, "Unified", 2, "1024K"), (3, "Unified", 3, "1K")] {
            let cache = folder.path().join(format!("index{index}"));
            std::fs::create_dir(&cache).unwrap();
            for (file, text) in [("type", kind), ("level", &level.to_string()), ("size", size)] {
                std::fs::write(cache.join(file), format!("{text}\n")).unwrap();
            }
        }
        let [l1, l2] = [("L1d", 32 << 10), ("L2", 1 << 20)].map(|(name, bytes)| Cache { name: name.into(), bytes });
        let caches = caches(folder.path());
        assert_eq!(caches, [l1, l2]);
        let processor = Processor { name: String::new(), vector_bits: 512, caches };
        assert_eq!(processor.to_string(), "unknown processor, 512-bit vectors, L1d 32.0 KiB, L2 1.0 MiB");
        assert!(Processor::detect().vector_bits >= 32);
    }
}
