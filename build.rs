//! Compiles the CUDA kernels to PTX if the feature `cuda` is on.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cuda")]
    kernels()?;
    Ok(())
}

/// Targets compute capability 8.0; the driver compiles the PTX for any later GPU.
#[cfg(feature = "cuda")]
fn kernels() -> cudaforge::Result<()> {
    const FOLDER: &str = "src/engine/cuda/kernels";
    println!("cargo::rerun-if-env-changed=NVCC");
    cudaforge::KernelBuilder::new()
        .source_dir(FOLDER)
        .watch([format!("{FOLDER}/trials.cuh"), format!("{FOLDER}/fast_weights.cuh")])
        .compute_cap(80)
        // Only explicit `fmaf`s are fused, so every launch shape computes the same bits.
        .args(["-std=c++17", "-O3", "-fmad=false"])
        .build_ptx()?;
    Ok(())
}
