//! The last file that a job writes, `finished.toml`: the SHA-256 of the job's inputs and outputs, by which [`Sweep::collect`] knows
//! that nothing has changed since.

use super::scores::SCORES_FILE;
use super::table::RESTORE;
use super::{Job, JobState, Sweep, PLAN_FILE};
use crate::config::NetworkRange;
use crate::error::{bail, ensure, At, Error, Result};
use crate::files::{refuse_links_in, write_atomically};
use crate::reader::{read_text, sha256_of};
use crate::storage::{CONFIG_FILE, METRICS_FILE};
use crate::training::CHECKPOINT_FILE;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the seal in a job's folder.
pub(super) const SEAL_FILE: &str = "finished.toml";
/// The largest seal, in bytes.
const LARGEST: u64 = 1 << 16;
/// The other files that a job leaves.
const LEFT: [&str; 4] = [CONFIG_FILE, METRICS_FILE, CHECKPOINT_FILE, SCORES_FILE];

/// The inputs and outputs of a job.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    /// Its number.
    job: usize,
    /// Its networks.
    networks: NetworkRange,
    /// The SHA-256 of the plan, of its setting's file and of the files that it wrote, by their names in the sweep's folder.
    sha256: BTreeMap<String, String>,
}

impl Sweep {
    /// Seals the files of a job, all of which have been written.
    pub(super) fn seal(&self, job: &Job) -> Result<()> {
        let mut sha256 = self.ran(job);
        for name in LEFT {
            sha256.insert(left(job, name), sha256_of(&self.job_folder(job).join(name))?);
        }
        let seal = Seal { job: job.number, networks: job.networks, sha256 };
        let text = toml::to_string(&seal).map_err(|error| Error::Bug(format!("writing {SEAL_FILE}: {error}")))?;
        let text = format!("# Written when the job finished: `sweep collect` accepts only these files.\n{text}");
        write_atomically(&self.job_folder(job).join(SEAL_FILE), text.as_bytes())
    }

    /// The jobs that are not finished, and those whose files cannot be checked.
    pub(super) fn missing(&self) -> Result<(Vec<usize>, Vec<usize>)> {
        let (mut missing, mut unconfirmed) = (Vec::new(), Vec::new());
        for job in self.jobs() {
            match self.state(job)? {
                JobState::Finished => {}
                JobState::Unconfirmed => unconfirmed.push(job.number),
                _ => missing.push(job.number),
            }
        }
        // If no job is sealed, they were all run by an earlier version of the program, which did not write seals.
        if missing.len() + unconfirmed.len() == self.jobs().len() {
            return Ok((missing, unconfirmed));
        }
        missing.extend(unconfirmed);
        missing.sort_unstable();
        Ok((missing, Vec::new()))
    }

    /// Refuses jobs whose files were changed; without `sealed`, only links and other things that are not files.
    pub(super) fn check_jobs(&self, jobs: &[Job], sealed: bool) -> Result<()> {
        for job in jobs {
            refuse_links_in(&self.job_folder(job))?;
            if sealed {
                self.check_seal(job)?;
            }
        }
        Ok(())
    }

    /// Refuses a finished job if the plan, its setting or a file that it wrote was changed after it finished.
    ///
    /// # Errors
    /// [`Error::Content`], which names the file; [`Error::Io`] if a file cannot be read.
    fn check_seal(&self, job: &Job) -> Result<()> {
        let folder = self.job_folder(job);
        let again = format!("restore it, or remove {} and run job {} again", folder.display(), job.number);
        let path = folder.join(SEAL_FILE);
        let damaged = |error: toml::de::Error| Error::Content(format!("{}; {again}", error.message().trim()));
        let seal: Seal = toml::from_str(&read_text(&path, LARGEST)?).map_err(damaged).at_path(&path)?;
        ensure!(
            (seal.job, seal.networks) == (job.number, job.networks),
            Content,
            "{} is of job {}, networks {:?}; expected job {}, networks {:?}: {again}",
            path.display(),
            seal.job,
            seal.networks.range(),
            job.number,
            job.networks.range()
        );
        let same = |name: &str, found: &str, remedy: &str| {
            let expected = seal.sha256.get(name).map_or("none", String::as_str);
            ensure!(
                found == expected,
                Content,
                "{} was changed after job {} finished: its SHA-256 is {found}, expected {expected:.64}; {remedy}",
                self.folder().join(name).display(),
                job.number
            );
            Ok(())
        };
        for (name, found) in self.ran(job) {
            same(&name, &found, RESTORE)?;
        }
        for name in LEFT {
            let path = folder.join(name);
            if !path.exists() {
                bail!(Content, "{} is missing; {again}", path.display());
            }
            same(&left(job, name), &sha256_of(&path)?, &again)?;
        }
        Ok(())
    }

    /// The SHA-256 of a job's inputs: the plan, as it was read, and the file of its setting.
    fn ran(&self, job: &Job) -> BTreeMap<String, String> {
        let setting = (format!("settings/{}.toml", job.setting), job.sha256.clone());
        BTreeMap::from([(PLAN_FILE.to_string(), self.sha256.clone()), setting])
    }
}

/// The name, in the sweep's folder, of a file that a job wrote.
fn left(job: &Job, name: &str) -> String {
    format!("jobs/{}/{name}", job.number)
}
