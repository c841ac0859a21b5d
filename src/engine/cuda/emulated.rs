//! The kernels as an ordinary library, made by the system's C++ compiler when the tests run; see `kernels/host.h`.

use super::machine::{address, Kernel, Machine, Shape, Uploads};
use super::params::{Address, Params};
use candle_core::{bail, Device, Result, Tensor};
use libloading::Library;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

type Function = extern "C" fn(Params);
type Emulate = unsafe extern "C" fn(Function, u32, u32, usize, bool, *const Params) -> bool;

/// The library, or why there is none. One launch at a time: it keeps its fibres in static memory.
fn library() -> &'static std::result::Result<Mutex<Library>, String> {
    static LIBRARY: OnceLock<std::result::Result<Mutex<Library>, String>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let library = folder.path().join("kernels.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine/cuda/kernels/emulated.cpp");
        // Exactly the kernels' arithmetic: what is not an `fmaf` is not fused.
        #[allow(clippy::disallowed_methods)] // Tests alone compile this module.
        let made = Command::new("c++")
            .args(["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-shared", "-fPIC"])
            .args(["-x", "c++"])
            .arg(source)
            .arg("-o")
            .arg(&library)
            .output()
            .map_err(|e| format!("there is no C++ compiler `c++` here ({e})"))?;
        assert!(made.status.success(), "the kernels are no C++: {}", String::from_utf8_lossy(&made.stderr));
        // SAFETY: the library was made above; loading it runs nothing but the constructors of its static vectors.
        let library = unsafe { Library::new(&library) }.map_err(|e| e.to_string())?;
        Ok(Mutex::new(library))
    })
}

/// Whether the kernels can be emulated here; says on stderr why not.
pub fn available() -> bool {
    match library() {
        Ok(_) => true,
        Err(why) => {
            eprintln!("skipped: {why}");
            false
        }
    }
}

/// A machine of any size.
pub struct Emulated {
    pub shared_bytes: usize,
    pub processors: usize,
    pub history_bytes: usize,
    pub upload_steps: usize,
    /// Takes threads and blocks in the reverse order: results must not depend on it.
    pub backwards: bool,
    /// What was launched.
    pub launched: Mutex<Vec<Kernel>>,
}

impl Default for Emulated {
    fn default() -> Self {
        Emulated {
            shared_bytes: 64 << 10,
            processors: 4,
            history_bytes: 1 << 30,
            upload_steps: 16,
            backwards: false,
            launched: Mutex::default(),
        }
    }
}

impl Machine for Emulated {
    type Uploads = EmulatedUploads;

    fn uploads(&self, words: usize) -> Result<EmulatedUploads> {
        let piece = || Tensor::full(u32::MAX, words, &Device::Cpu);
        Ok(EmulatedUploads { pieces: [piece()?, piece()?], readable: [false; 2] })
    }

    fn upload_steps(&self) -> usize {
        self.upload_steps
    }

    fn shared_bytes(&self) -> usize {
        self.shared_bytes
    }

    fn processors(&self) -> usize {
        self.processors
    }

    fn history_bytes(&self) -> usize {
        self.history_bytes
    }

    fn launch(&self, kernel: Kernel, shape: Shape, params: &Params) -> Result<()> {
        let Shape { blocks, threads, shared_bytes } = shape;
        if blocks == 0 || threads == 0 || threads > 1024 || shared_bytes > self.shared_bytes {
            bail!("no device could launch {kernel:?} as {shape:?}");
        }
        let Ok(library) = library() else { bail!("there is no library of kernels") };
        let library = library.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.launched.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(kernel);
        // SAFETY: the library's functions have these types (emulated.cpp, trials.cuh), `Params` has the size of its twin
        // (tested), and the addresses are those of tensors in host memory that the driver keeps.
        let complete = unsafe {
            let function = library.get::<Function>(kernel.name()).map_err(candle_core::Error::wrap)?;
            let emulate = library.get::<Emulate>("emulate").map_err(candle_core::Error::wrap)?;
            emulate(*function, blocks as u32, threads as u32, shared_bytes, self.backwards, params)
        };
        if !complete {
            bail!("{kernel:?}: some threads wait at a barrier that others never reach");
        }
        Ok(())
    }
}

/// Copies at once. A piece that is filled while it is read, or read before it is filled, is an error.
pub struct EmulatedUploads {
    pieces: [Tensor; 2],
    readable: [bool; 2],
}

impl Uploads for EmulatedUploads {
    fn words(&self) -> usize {
        self.pieces[0].elem_count()
    }

    fn fill(&mut self, piece: usize, words: usize, write: impl FnOnce(&mut [u32])) -> Result<Address> {
        assert!(!self.readable[piece] && words <= self.words());
        let mut filled = vec![u32::MAX; words];
        write(&mut filled);
        // What is not filled is NaN, or a number that leads out of every list.
        filled.resize(self.words(), u32::MAX);
        self.pieces[piece] = Tensor::from_vec(filled, self.words(), &Device::Cpu)?;
        address(&self.pieces[piece])
    }

    fn begin_reading(&mut self, piece: usize) -> Result<()> {
        assert!(!std::mem::replace(&mut self.readable[piece], true));
        Ok(())
    }

    fn end_reading(&mut self, piece: usize) -> Result<()> {
        assert!(std::mem::replace(&mut self.readable[piece], false));
        Ok(())
    }
}

/// `sizeof(Trials)`.
pub fn size_of_trials() -> Option<usize> {
    let library = library().as_ref().ok()?.lock().ok()?;
    // SAFETY: the function takes nothing and returns a size.
    let size = unsafe { library.get::<extern "C" fn() -> usize>("size_of_trials").ok()?() };
    Some(size)
}
