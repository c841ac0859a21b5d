//! The system's allocator, with a count of the bytes that each thread holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes that this thread allocated minus those it freed; freeing another thread's memory may make this negative.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: isize) {
    // A thread that is ending no longer has a counter.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call is passed unchanged to the system's allocator; the counters allocate nothing.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promises are the system's.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The old and new blocks may exist at the same time.
        count(size as isize);
        // SAFETY: the caller's promises are the system's.
        let moved = unsafe { System.realloc(place, layout, size) };
        count(-(layout.size() as isize));
        moved
    }
}

/// The result of `call`, and the most bytes it held at once beyond those held before.
pub fn peak_of<T>(call: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let value = call();
    (value, (PEAK.get() - before).max(0) as usize)
}

#[test]
fn peaks_are_counted() {
    let (length, peak) = peak_of(|| vec![1u8; 1 << 20].len() + vec![1u8; 1 << 10].len());
    assert_eq!(length, (1 << 20) + (1 << 10));
    assert!((1 << 20..(1 << 20) + (2 << 10)).contains(&peak), "{peak}");
    // Memory that is allocated but never touched counts too.
    assert!(peak_of(|| vec![0u8; 1 << 24].capacity()).1 >= 1 << 24);
}
