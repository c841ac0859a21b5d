//! Scripts that submit a sweep to common batch systems.

use super::Sweep;
use crate::error::{Doing, Error, Result};
use std::path::Path;

/// A system that runs a sweep's jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchSystem {
    /// Slurm: `sbatch`.
    Slurm,
    /// IBM Spectrum LSF: `bsub`.
    Lsf,
    /// PBS Professional or OpenPBS: `qsub`.
    Pbs,
    /// Grid Engine: `qsub`.
    Sge,
    /// GNU parallel, on one machine or on several.
    Parallel,
    /// Snakemake.
    Snakemake,
}

impl std::str::FromStr for BatchSystem {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        const NAMES: [(&str, BatchSystem); 6] = [
            ("slurm", BatchSystem::Slurm),
            ("lsf", BatchSystem::Lsf),
            ("pbs", BatchSystem::Pbs),
            ("sge", BatchSystem::Sge),
            ("parallel", BatchSystem::Parallel),
            ("snakemake", BatchSystem::Snakemake),
        ];
        let found = NAMES.iter().find(|(known, _)| *known == name).map(|(_, system)| *system);
        found.ok_or_else(|| Error::unknown("batch system", name, NAMES.map(|(known, _)| known)))
    }
}

impl Sweep {
    /// The script to submit to run all jobs, with `cores` processor cores and at most `minutes` for each. A job that
    /// is stopped at its time limit has saved, and can be submitted again.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder does not exist.
    pub fn script(&self, system: BatchSystem, program: &Path, cores: usize, minutes: u64) -> Result<String> {
        let folder = std::fs::canonicalize(self.folder()).doing("reading", self.folder())?;
        let named = |path: &Path| -> Result<String> {
            let text = path
                .to_str()
                .ok_or_else(|| Error::Usage(format!("{}: the path is not valid UTF-8; rename it", path.display())))?;
            Ok(format!("'{}'", text.replace('\'', r"'\''")))
        };
        let (dir, program) = (named(&folder)?, named(program)?);
        let jobs = self.jobs().len();
        let run = format!("{program} sweep run {dir}");
        let (hours, rest) = (minutes / 60, minutes % 60);
        let time = format!("{hours:02}:{rest:02}:00");
        // At its soft limit, Grid Engine sends SIGUSR1.
        let soft = format!("{:02}:{:02}:00", minutes.saturating_sub(2) / 60, minutes.saturating_sub(2) % 60);
        let logs = named(&folder.join("logs"))?;
        let threads = format!("export RAYON_NUM_THREADS={cores}");
        Ok(match system {
            BatchSystem::Slurm => format!(
                "#!/bin/bash
# Submit with sbatch. If Slurm's limit on arrays (MaxArraySize) is lower, plan fewer jobs with a larger networks_per_job.
#SBATCH --job-name=sweep
#SBATCH --array=1-{jobs}
#SBATCH --cpus-per-task={cores}
#SBATCH --time={time}
#SBATCH --output={log}
#SBATCH --open-mode=append
#SBATCH --requeue
# Two minutes before the limit, the program is told to save; its job is then requeued and continues.
#SBATCH --signal=USR1@120
{threads}
srun {run} --job \"$SLURM_ARRAY_TASK_ID\"
code=$?
if [ $code -eq 130 ]; then scontrol requeue \"$SLURM_JOB_ID\"; fi
exit $code
",
                log = folder.join("logs/%a.log").display(),
            ),
            BatchSystem::Lsf => format!(
                "#!/bin/bash
# Submit with bsub < FILE. A job that is stopped at its limit has saved (exit code 130) and is requeued.
#BSUB -J \"sweep[1-{jobs}]\"
#BSUB -n {cores}
#BSUB -W {hours:02}:{rest:02}
#BSUB -wt 2
#BSUB -wa USR1
#BSUB -Q 130
#BSUB -o {log}
{threads}
{run} --job \"$LSB_JOBINDEX\"
",
                log = folder.join("logs/%I.log").display(),
            ),
            BatchSystem::Pbs => format!(
                "#!/bin/bash
# Submit with qsub. A job that is stopped at its limit has saved; submit it again to continue.
#PBS -N sweep
#PBS -J 1-{jobs}
#PBS -l select=1:ncpus={cores}
#PBS -l walltime={time}
#PBS -j oe
#PBS -o {log}
{threads}
exec {run} --job \"$PBS_ARRAY_INDEX\"
",
                log = folder.join("logs/").display(),
            ),
            BatchSystem::Sge => format!(
                "#!/bin/bash
# Submit with qsub. A job that is stopped at its limit has saved; submit it again to continue.
#$ -N sweep
#$ -t 1-{jobs}
#$ -pe smp {cores}
#$ -l s_rt={soft},h_rt={time}
#$ -j y
#$ -o {log}
{threads}
exec {run} --job \"$SGE_TASK_ID\"
",
                log = folder.join("logs").display(),
            ),
            BatchSystem::Parallel => format!(
                "#!/bin/bash
# Run this, or run it again: finished jobs are skipped, started ones continue. --sshlogin FILE uses several machines.
{threads}
mkdir -p {logs}
seq {jobs} | parallel --jobs {at_once} {run} --job {{}} '2>>' {logs}/{{}}.log
",
                at_once = format_args!("$(( $(nproc) / {cores} > 0 ? $(nproc) / {cores} : 1 ))"),
            ),
            BatchSystem::Snakemake => format!(
                "# snakemake --snakefile FILE --cores all
rule all:
    input: expand({dir:?} + \"/jobs/{{job}}/finished.toml\", job=range(1, {jobs} + 1))

rule job:
    output: {dir:?} + \"/jobs/{{job}}/finished.toml\"
    threads: {cores}
    shell: \"RAYON_NUM_THREADS={{threads}} {run} --job {{wildcards.job}}\"
",
                dir = folder.display().to_string(),
            ),
        })
    }
}
