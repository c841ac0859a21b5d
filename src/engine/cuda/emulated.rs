//! A machine that runs the kernels on the CPU: the system's C++ compiler builds them as a library when the tests run
//! (`kernels/host.h`).

use super::machine::{address, Kernel, Limits, Machine, Shape, Uploads};
use super::params::{Address, Params};
use candle_core::{bail, Device, Tensor};
use libloading::Library;
use std::cell::RefCell;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::sync::{Mutex, OnceLock, PoisonError};

type Function = extern "C" fn(Params);
type Emulate = unsafe extern "C" fn(Function, u32, u32, usize, bool, *const Params) -> bool;

/// The library, or why there is none. The lock allows one launch at a time, since the fibres are in static memory.
fn library() -> &'static Result<Mutex<Library>, String> {
    static LIBRARY: OnceLock<Result<Mutex<Library>, String>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let library = folder.path().join("kernels.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine/cuda/kernels/emulated.cpp");
        // As in build.rs, only explicit `fmaf`s are fused.
        #[allow(clippy::disallowed_methods)] // Tests alone compile this module.
        let made = Command::new("c++")
            .args(["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-shared", "-fPIC"])
            .args(["-x", "c++"])
            .arg(source)
            .arg("-o")
            .arg(&library)
            .output()
            .map_err(|e| format!("there is no C++ compiler `c++` here ({e})"))?;
        assert!(made.status.success(), "the kernels do not compile as C++: {}", String::from_utf8_lossy(&made.stderr));
        // SAFETY: the library was made above; loading it runs nothing but the constructors of its static vectors.
        let library = unsafe { Library::new(&library) }.map_err(|e| e.to_string())?;
        Ok(Mutex::new(library))
    })
}

/// A machine of any size.
#[derive(Clone)]
pub(super) struct Emulated {
    pub limits: Limits,
    /// Whether threads and blocks run in reverse order, which must not change the results.
    pub backwards: bool,
    /// The kernels launched so far.
    pub launched: Rc<RefCell<Vec<Kernel>>>,
    compiled: &'static Mutex<Library>,
}

impl Emulated {
    /// A small machine; prints a line to stderr and returns `None` if there is no C++ compiler.
    pub fn new() -> Option<Self> {
        let compiled = library().as_ref().inspect_err(|why| eprintln!("skipped: {why}")).ok()?;
        let limits = Limits { shared_bytes: 64 << 10, processors: 4, upload_steps: 16, history_bytes: 1 << 30 };
        Some(Emulated { limits, backwards: false, launched: Rc::default(), compiled })
    }

    /// The same machine with something changed.
    pub fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut machine = self.clone();
        change(&mut machine);
        machine
    }

    /// `sizeof(Trials)`.
    pub fn size_of_trials(&self) -> usize {
        let library = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the function takes nothing and returns a size.
        unsafe { library.get::<extern "C" fn() -> usize>("size_of_trials").unwrap()() }
    }
}

impl Machine for Emulated {
    type Uploads = EmulatedUploads;

    fn limits(&self) -> Limits {
        self.limits
    }

    fn uploads(&self, words: usize) -> candle_core::Result<EmulatedUploads> {
        let piece = || Tensor::full(u32::MAX, words, &Device::Cpu);
        Ok(EmulatedUploads { pieces: [piece()?, piece()?], states: [Piece::Empty; 2] })
    }

    fn launch(&self, kernel: Kernel, shape: Shape, params: &Params) -> candle_core::Result<()> {
        let Shape { blocks, threads, shared_bytes } = shape;
        if blocks == 0 || threads == 0 || threads > 1024 || shared_bytes > self.limits.shared_bytes {
            bail!("no device could launch {kernel:?} as {shape:?}");
        }
        self.launched.borrow_mut().push(kernel);
        let library = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the library's functions have these types (emulated.cpp, trials.cuh), `Params` has the size of its
        // twin (tested), and the addresses are those of tensors in host memory that the driver keeps.
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

#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece {
    Empty,
    Filled,
    Read,
}

/// Copies immediately. Filling a piece that kernels may still read, or reading one that was not filled, fails an
/// assertion.
pub(super) struct EmulatedUploads {
    pieces: [Tensor; 2],
    states: [Piece; 2],
}

impl EmulatedUploads {
    fn change(&mut self, piece: usize, from: Piece, to: Piece) {
        assert_eq!(std::mem::replace(&mut self.states[piece], to), from, "piece {piece}");
    }
}

impl Uploads for EmulatedUploads {
    fn words(&self) -> usize {
        self.pieces[0].elem_count()
    }

    fn fill(&mut self, piece: usize, words: usize, write: impl FnOnce(&mut [u32])) -> candle_core::Result<Address> {
        assert!(words <= self.words());
        self.change(piece, Piece::Empty, Piece::Filled);
        let mut filled = vec![u32::MAX; words];
        write(&mut filled);
        // As a float, an unfilled word is NaN; as an index, it is beyond the end of every list.
        filled.resize(self.words(), u32::MAX);
        self.pieces[piece] = Tensor::from_vec(filled, self.words(), &Device::Cpu)?;
        address(&self.pieces[piece])
    }

    fn begin_reading(&mut self, piece: usize) -> candle_core::Result<()> {
        self.change(piece, Piece::Filled, Piece::Read);
        Ok(())
    }

    fn end_reading(&mut self, piece: usize) -> candle_core::Result<()> {
        self.change(piece, Piece::Read, Piece::Empty);
        Ok(())
    }
}
