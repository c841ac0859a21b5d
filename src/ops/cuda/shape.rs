//! The shapes of launches: how work is cut into blocks of threads.
//!
//! No cut changes a result: whatever the shape, each sum has the same order.

use super::machine::{Kernel, Machine, Shape};

/// Most threads of a block of the kernels that keep much in registers.
const THREADS: usize = 256;
/// More groups would gain nothing: four keep the arithmetic of all four schedulers of a processor busy.
const GROUPS: usize = 4;
/// Elements along one edge of what a thread of `eligibility` sums, and steps it reads at a time: as in `eligibility.cu`.
const EDGE: usize = 8;
const CHUNK: usize = 16;

/// A form of the kernels that run whole trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WholeTrial {
    pub kernel: Kernel,
    pub groups: usize,
    pub shape: Shape,
}

impl WholeTrial {
    /// The form with most trials in a block whose blocks still keep every processor busy; `None` where w_rec does not fit
    /// into the memory of a block.
    pub fn fitting(machine: &impl Machine, networks: usize, trials_each: usize, neurons: usize) -> Option<Self> {
        let forms = [(8, Kernel::WholeTrial8), (4, Kernel::WholeTrial4), (2, Kernel::WholeTrial2)];
        let form = |(trials, kernel): (usize, Kernel)| {
            let rows = neurons.div_ceil(4);
            let groups = (THREADS / rows).min(GROUPS).min(trials_each.div_ceil(trials));
            let per_block = groups * trials;
            let shared_bytes = (neurons * rows * 4 + 2 * neurons * per_block) * size_of::<f32>();
            let fits = groups > 0 && shared_bytes <= machine.shared_bytes();
            let blocks = networks * trials_each.div_ceil(per_block.max(1));
            fits.then_some(WholeTrial { kernel, groups, shape: Shape { blocks, threads: rows * groups, shared_bytes } })
        };
        let fitting: Vec<_> = forms.into_iter().filter_map(form).collect();
        let busy = fitting.iter().find(|form| form.shape.blocks >= machine.processors());
        busy.or(fitting.last()).copied()
    }
}

/// Threads along an edge of a block of `eligibility`, and its launch: a larger square is read less often, a fitting one
/// computes less beyond the matrix's edge.
pub(super) fn eligibility_tile(neurons: usize, trials: usize) -> (usize, Shape) {
    let squares = |tile: usize| neurons.div_ceil(tile * EDGE);
    let cost = |tile: usize| {
        let (covered, edge) = (squares(tile) * tile * EDGE, tile * EDGE);
        covered * covered * (edge + 2 * EDGE) / edge
    };
    let tile = (1..=THREADS.isqrt()).min_by_key(|&tile| cost(tile)).unwrap_or(1);
    let shape = Shape {
        blocks: trials * squares(tile) * squares(tile),
        threads: tile * tile,
        shared_bytes: 2 * CHUNK * tile * EDGE * size_of::<f32>(),
    };
    (tile, shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cuda::params::Params;

    /// What the data sheet of an H200 says.
    struct H200;

    impl Machine for H200 {
        type Uploads = crate::ops::cuda::emulated::EmulatedUploads;
        fn uploads(&self, _: usize) -> candle_core::Result<Self::Uploads> {
            candle_core::bail!("nothing is uploaded")
        }
        fn upload_steps(&self) -> usize {
            128
        }
        fn shared_bytes(&self) -> usize {
            227 << 10
        }
        fn processors(&self) -> usize {
            132
        }
        fn history_bytes(&self) -> usize {
            1 << 30
        }
        fn launch(&self, _: Kernel, _: Shape, _: &Params) -> candle_core::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whole_trials_fit_up_to_a_size_and_fill_the_processors() {
        let form = |s, b, n| WholeTrial::fitting(&H200, s, b, n);
        let many = form(20, 224, 200).unwrap();
        assert_eq!(
            (many.kernel, many.groups, many.shape.blocks, many.shape.threads),
            (Kernel::WholeTrial8, 4, 140, 200)
        );
        assert_eq!(many.shape.shared_bytes, 4 * (200 * 200 + 2 * 200 * 32));
        // Too few trials for large blocks.
        assert_eq!(form(20, 64, 200).unwrap().kernel, Kernel::WholeTrial2);
        assert_eq!(form(1, 1, 200).unwrap().groups, 1);
        assert!(form(20, 64, 232).is_some());
        assert!(form(20, 64, 256).is_none(), "256² floats are 256 KiB");
    }

    #[test]
    fn the_tile_covers_the_matrix_without_much_waste() {
        assert_eq!(eligibility_tile(200, 3).0, 13);
        assert_eq!(eligibility_tile(24, 3).0, 3);
        for n in 1..300 {
            let (tile, shape) = eligibility_tile(n, 1);
            let edge = tile * EDGE;
            assert_eq!((shape.threads, shape.blocks), (tile * tile, n.div_ceil(edge).pow(2)));
            assert!(n.div_ceil(edge) * edge < n + edge);
        }
    }
}
