//! Threads for deep recursion: candle's `backward`, and the release of its graph, make a nested call for each node of the
//! graph.

use crate::error::{Error, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;

/// The size of a worker's stack in bytes: a fixed part, plus a part for each step of the longest graph. Only pages that
/// are touched take memory.
const STACK: usize = 16 << 20;
const STACK_PER_STEP: usize = 256 << 10;

/// Threads with large stacks, each in a pool of its own.
///
/// A thread waiting for part of a matrix product picks up other work from its pool. In a shared pool, that
/// work could be another shard, run on top of the same stack, and so on without end; here it can only be another part
/// of the same product.
pub(crate) struct Workers(Vec<rayon::ThreadPool>);

impl Workers {
    /// Starts as many workers as the current pool has threads, for graphs of at most `steps` steps.
    pub fn new(steps: usize) -> Result<Self> {
        let pool = |_| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(1)
                .stack_size(STACK + steps * STACK_PER_STEP)
                .thread_name(|_| "backpropagation".into())
                .build()
                .map_err(|error| Error::Device(format!("starting a thread for backpropagation: {error}")))
        };
        Ok(Workers((0..rayon::current_num_threads()).map(pool).collect::<Result<_>>()?))
    }

    /// Runs `job(0)` to `job(jobs − 1)`, each on the next free thread, and returns the results in order.
    pub fn run<T: Send + Sync>(&self, jobs: usize, job: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
        let next = AtomicUsize::new(0);
        let results: Vec<OnceLock<Result<T>>> = (0..jobs).map(|_| OnceLock::new()).collect();
        let work = || {
            let taken = || next.fetch_add(1, Ordering::Relaxed);
            for (i, result) in std::iter::from_fn(|| Some(taken())).map_while(|i| Some((i, results.get(i)?))) {
                result.get_or_init(|| job(i));
            }
        };
        std::thread::scope(|scope| {
            for pool in self.0.iter().take(jobs) {
                scope.spawn(|| pool.install(work));
            }
        });
        let panicked = || Error::Bug("a thread for backpropagation panicked".into());
        results.into_iter().map(|result| result.into_inner().unwrap_or_else(|| Err(panicked()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order_and_errors_come_through() {
        let workers = Workers::new(1).unwrap();
        assert_eq!(workers.run(20, |i| Ok(i * i)).unwrap(), (0..20).map(|i| i * i).collect::<Vec<_>>());
        let error = workers.run(3, |i| if i == 1 { Err(Error::Usage("no".into())) } else { Ok(i) }).unwrap_err();
        assert_eq!(error.to_string(), "no");
        assert!(workers.run(0, Ok).unwrap().is_empty());
    }
}
