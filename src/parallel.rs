//! The one place that knows of threads: independent jobs, run in order or on rayon's current pool.

/// Bytes of work below which waking another thread costs more than it saves.
#[cfg(feature = "rayon")]
const WORTH_A_THREAD: usize = 1 << 20;

/// Runs `f` on each job. Jobs write to disjoint places, so their order is free and results do not depend on it.
///
/// `bytes` is the memory that all jobs together read and write: little work stays on the calling thread.
pub(crate) fn for_each<J: Send>(jobs: Vec<J>, bytes: usize, f: impl Fn(J) + Sync + Send) {
    #[cfg(feature = "rayon")]
    if bytes >= WORTH_A_THREAD && jobs.len() > 1 && rayon::current_num_threads() > 1 {
        use rayon::prelude::*;
        return jobs.into_par_iter().for_each(f);
    }
    let _ = bytes;
    jobs.into_iter().for_each(f);
}
