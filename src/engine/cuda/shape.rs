//! The shapes of launches: how work is divided into blocks of threads.
//!
//! The shape does not affect results, since every sum is taken in the same order.

use super::machine::{Kernel, Limits, Shape};
use super::params::Params;
use candle_core::{bail, Result};

/// The most threads in a block of those kernels that use many registers.
const THREADS: usize = 256;
/// Registers and warp schedulers of a multiprocessor.
const REGISTERS: usize = 65536;
const SCHEDULERS: usize = 4;
/// The cycles per presynaptic neuron that a single thread waits for shared memory; it reads 4 neurons at a time.
const LATENCY: usize = 8;
/// As in `eligibility.cu`, a thread sums EDGE × EDGE elements and reads CHUNK steps at a time.
const EDGE: usize = 8;
const CHUNK: usize = 16;

/// The kernels that run whole trials: trials per thread, the kernel, and registers per thread (docs/gpu.md).
const WHOLE_TRIALS: [(usize, Kernel, usize); 3] =
    [(8, Kernel::WholeTrial8, 224), (4, Kernel::WholeTrial4, 160), (2, Kernel::WholeTrial2, 152)];

/// Which of these kernels to launch, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WholeTrial {
    pub kernel: Kernel,
    pub groups: usize,
    pub shape: Shape,
}

impl WholeTrial {
    /// The launch expected to take the least time; `None` if w_rec does not fit into the shared memory of a block.
    pub fn fitting(limits: Limits, networks: usize, trials_each: usize, neurons: usize) -> Option<Self> {
        let rows = neurons.div_ceil(4);
        let form = |(trials, kernel, registers): (usize, Kernel, usize), groups: usize| {
            let (per_block, threads) = (groups * trials, rows * groups);
            let shared_bytes = (neurons * rows * 4 + 2 * neurons * per_block) * size_of::<f32>();
            let shape = Shape { blocks: networks * trials_each.div_ceil(per_block), threads, shared_bytes };
            let cycles = cycles(limits, shape, trials, registers);
            (shared_bytes <= limits.shared_bytes).then_some((cycles, WholeTrial { kernel, groups, shape }))
        };
        let forms = WHOLE_TRIALS.into_iter().flat_map(|of| {
            let most = (THREADS / rows).min(trials_each.div_ceil(of.0));
            (1..=most).filter_map(move |groups| form(of, groups))
        });
        // Among equals, take the one with the most blocks, which spreads reading and writing over more processors.
        forms.min_by_key(|(cycles, form)| (*cycles, std::cmp::Reverse(form.shape.blocks))).map(|(_, form)| form)
    }
}

/// The estimated cycles per presynaptic neuron in the product's inner loop until all blocks are done. The model: each
/// scheduler issues an instruction per cycle, shared memory delivers 128 bytes per cycle, a multiprocessor runs as many
/// blocks at a time as its memory and registers hold, and the remaining blocks run afterwards.
fn cycles(limits: Limits, shape: Shape, trials: usize, registers: usize) -> usize {
    let warps = shape.threads.div_ceil(32);
    let at_a_time = (limits.shared_bytes / shape.shared_bytes.max(1)).min(REGISTERS / (registers * warps * 32)).max(1);
    // 4 neurons × trials multiplications; weights and rates are read 4 at a time; the loop itself takes two
    // instructions.
    let (reads, multiplications) = (1 + trials.div_ceil(4), 4 * trials);
    let instructions = multiplications + reads + 2;
    // The threads of a warp read different weights but the same rates.
    let memory = 3 + reads;
    let together = |blocks: usize| match blocks * warps {
        0 => 0,
        warps => (instructions * warps.div_ceil(SCHEDULERS)).max(memory * warps).max(instructions + LATENCY),
    };
    let of_a_processor = shape.blocks.div_ceil(limits.processors.max(1));
    of_a_processor / at_a_time * together(at_a_time) + together(of_a_processor % at_a_time)
}

/// Threads along an edge of a block of `eligibility`, and its launch. A larger square rereads fewer factors; a square
/// that divides the matrix evenly computes less beyond its edge.
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

/// The launch of `filter_back`: one block per trial.
pub(super) fn filter_shape(params: &Params) -> Shape {
    Shape {
        blocks: (params.networks * params.trials_each) as usize,
        threads: (params.neurons as usize).next_multiple_of(32).min(1024),
        shared_bytes: params.n_out as usize * size_of::<f32>(),
    }
}

/// The launch of `step`: one block per trial.
pub(super) fn step_shape(limits: Limits, params: &Params) -> Result<Shape> {
    let (n, one_each) = (params.neurons as usize, filter_shape(params));
    let threads = one_each.threads;
    let shape = Shape {
        shared_bytes: (2 * n + threads + params.n_out as usize + 1 + params.list_length as usize) * size_of::<f32>(),
        ..one_each
    };
    if shape.shared_bytes > limits.shared_bytes {
        let list = match params.list_length {
            0 => String::new(),
            length => format!(" with a list of {length} changes of the fast weights (trace.form)"),
        };
        bail!(
            "{n} neurons{list} are more than the fused kernels can take on this device: \
             choose train.kernels = `reference`"
        );
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the data sheet of an H200.
    const H200: Limits = Limits { shared_bytes: 227 << 10, processors: 132, upload_steps: 128, history_bytes: 1 << 30 };

    #[test]
    fn whole_trials_fit_up_to_a_size_and_fill_the_processors() {
        let form = |s, b, n| WholeTrial::fitting(H200, s, b, n);
        let of = |kernel| WHOLE_TRIALS.into_iter().find(|(_, of, _)| *of == kernel).unwrap();
        let chosen = |s, b, n| {
            let WholeTrial { kernel, groups, shape } = form(s, b, n).unwrap();
            let (trials, ..) = of(kernel);
            assert_eq!(shape.blocks, s * b.div_ceil(groups * trials));
            assert!(groups * trials < b + trials, "no group is without trials");
            (kernel, groups)
        };
        // One block per processor, as large as its memory allows.
        assert_eq!(chosen(132, 40, 200), (Kernel::WholeTrial8, 5));
        let many = form(132, 40, 200).unwrap().shape;
        assert_eq!((many.threads, many.shared_bytes), (250, 4 * (200 * 200 + 2 * 200 * 40)));
        // With 128 lanes that only multiply, it would take 62.5 and 15.2 cycles: a processor has 40 and 9.7 trials of
        // 200 neurons.
        let takes = |s, b| {
            let WholeTrial { kernel, shape, .. } = form(s, b, 200).unwrap();
            let (trials, _, registers) = of(kernel);
            cycles(H200, shape, trials, registers)
        };
        assert_eq!([takes(132, 40), takes(20, 64)], [74, 40]);
        // With 32 trials per block, there would be 140 blocks, and the last 8 would run on their own.
        assert_eq!(chosen(20, 224, 200), (Kernel::WholeTrial8, 5));
        assert_eq!(chosen(132, 64, 200), (Kernel::WholeTrial8, 4));
        // One block on almost every processor.
        assert_eq!(chosen(20, 64, 200), (Kernel::WholeTrial4, 3));
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
