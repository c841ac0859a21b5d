//! The shapes of launches: how work is cut into blocks of threads.
//!
//! No cut changes a result: whatever the shape, each sum has the same order.

use super::machine::{Kernel, Machine, Shape};

/// Most threads of a block of the kernels that keep much in registers.
const THREADS: usize = 256;
/// Registers and schedulers of a processor.
const REGISTERS: usize = 65536;
const SCHEDULERS: usize = 4;
/// Cycles that a thread which is alone waits for shared memory, for each presynaptic neuron: 4 are read at a time.
const LATENCY: usize = 8;
/// Elements along one edge of what a thread of `eligibility` sums, and steps it reads at a time: as in `eligibility.cu`.
const EDGE: usize = 8;
const CHUNK: usize = 16;

/// The kernels that run whole trials: trials of a thread, and registers that it needs (docs/gpu.md).
const WHOLE_TRIALS: [(usize, Kernel, usize); 3] =
    [(8, Kernel::WholeTrial8, 224), (4, Kernel::WholeTrial4, 160), (2, Kernel::WholeTrial2, 152)];

/// A form of the kernels that run whole trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WholeTrial {
    pub kernel: Kernel,
    pub groups: usize,
    pub shape: Shape,
}

impl WholeTrial {
    /// The form that should take the least time; `None` where w_rec does not fit into the memory of a block.
    pub fn fitting(machine: &impl Machine, networks: usize, trials_each: usize, neurons: usize) -> Option<Self> {
        let rows = neurons.div_ceil(4);
        let form = |(trials, kernel, registers): (usize, Kernel, usize), groups: usize| {
            let (per_block, threads) = (groups * trials, rows * groups);
            let shared_bytes = (neurons * rows * 4 + 2 * neurons * per_block) * size_of::<f32>();
            let shape = Shape { blocks: networks * trials_each.div_ceil(per_block), threads, shared_bytes };
            let cycles = cycles(machine, shape, trials, registers);
            (shared_bytes <= machine.shared_bytes()).then_some((cycles, WholeTrial { kernel, groups, shape }))
        };
        let forms = WHOLE_TRIALS.into_iter().flat_map(|of| {
            let most = (THREADS / rows).min(trials_each.div_ceil(of.0));
            (1..=most).filter_map(move |groups| form(of, groups))
        });
        // Of equals those with most blocks: their reading and writing is spread over more processors.
        forms.min_by_key(|(cycles, form)| (*cycles, std::cmp::Reverse(form.shape.blocks))).map(|(_, form)| form)
    }
}

/// Cycles of the product's inner loop, for each presynaptic neuron, until all blocks are done. A model: each scheduler starts
/// an instruction a cycle, shared memory gives 128 bytes a cycle, a processor runs as many blocks at a time as its memory and
/// registers hold, and what is left over runs alone.
fn cycles(machine: &impl Machine, shape: Shape, trials: usize, registers: usize) -> usize {
    let warps = shape.threads.div_ceil(32);
    let at_a_time =
        (machine.shared_bytes() / shape.shared_bytes.max(1)).min(REGISTERS / (registers * warps * 32)).max(1);
    // 4 neurons × trials multiplications; weights and rates are read 4 at a time; two instructions go round the loop.
    let (reads, multiplications) = (1 + trials.div_ceil(4), 4 * trials);
    let instructions = multiplications + reads + 2;
    // Each thread of a warp reads other weights, but the same rates.
    let memory = 3 + reads;
    let together = |blocks: usize| match blocks * warps {
        0 => 0,
        warps => (instructions * warps.div_ceil(SCHEDULERS)).max(memory * warps).max(instructions + LATENCY),
    };
    let of_a_processor = shape.blocks.div_ceil(machine.processors().max(1));
    of_a_processor / at_a_time * together(at_a_time) + together(of_a_processor % at_a_time)
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
    use crate::engine::cuda::params::Params;

    /// What the data sheet of an H200 says.
    struct H200;

    impl Machine for H200 {
        type Uploads = crate::engine::cuda::emulated::EmulatedUploads;
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
        let of = |kernel| WHOLE_TRIALS.into_iter().find(|(_, of, _)| *of == kernel).unwrap();
        let chosen = |s, b, n| {
            let WholeTrial { kernel, groups, shape } = form(s, b, n).unwrap();
            let (trials, ..) = of(kernel);
            assert_eq!(shape.blocks, s * b.div_ceil(groups * trials));
            assert!(groups * trials < b + trials, "no group is without trials");
            (kernel, groups)
        };
        // A block for each processor, as large as its memory holds.
        assert_eq!(chosen(132, 40, 200), (Kernel::WholeTrial8, 5));
        let many = form(132, 40, 200).unwrap().shape;
        assert_eq!((many.threads, many.shared_bytes), (250, 4 * (200 * 200 + 2 * 200 * 40)));
        // 128 lanes that did nothing but multiply would take 62.5 and 15.2: a processor has 40 and 9.7 trials of 200 neurons.
        let takes = |s, b| {
            let WholeTrial { kernel, shape, .. } = form(s, b, 200).unwrap();
            let (trials, _, registers) = of(kernel);
            cycles(&H200, shape, trials, registers)
        };
        assert_eq!([takes(132, 40), takes(20, 64)], [74, 40]);
        // Blocks of 32 trials would be 140, of which 8 run alone.
        assert_eq!(chosen(20, 224, 200), (Kernel::WholeTrial8, 5));
        assert_eq!(chosen(132, 64, 200), (Kernel::WholeTrial8, 4));
        // One block for each processor but a few.
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
