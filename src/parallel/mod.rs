//! The one place that knows of threads: independent jobs, run in order or on rayon's current pool.

mod order;

use crate::Result;

pub(crate) use order::ascending;

/// Bytes of work below which waking another thread costs more than it saves.
#[cfg(feature = "rayon")]
const WORTH_A_THREAD: usize = 1 << 20;

/// Whether so many jobs would be spread over threads, which need memory of their own.
pub(crate) fn is_spread(jobs: usize, bytes: usize) -> bool {
    #[cfg(feature = "rayon")]
    return bytes >= WORTH_A_THREAD && jobs > 1 && rayon::current_num_threads() > 1;
    #[cfg(not(feature = "rayon"))]
    {
        let _ = (jobs, bytes);
        false
    }
}

/// Runs `f` on each job. Jobs write to disjoint places, so their order is free and results do not depend on it.
///
/// `bytes` is the memory that all jobs together read and write: little work stays on the calling thread.
pub(crate) fn for_each<J: Send>(jobs: Vec<J>, bytes: usize, f: impl Fn(J) + Sync + Send) {
    #[cfg(feature = "rayon")]
    if is_spread(jobs.len(), bytes) {
        let (threads, queue) = (jobs.len(), Queue::new(jobs));
        return on_threads(threads, &|| {
            while let Some(job) = queue.next() {
                f(job);
            }
        });
    }
    let _ = bytes;
    jobs.into_iter().for_each(f);
}

/// [`try_for_each_with`] without such memory.
pub(crate) fn try_for_each<J: Send>(
    jobs: Vec<J>,
    bytes: usize,
    f: impl Fn(J) -> Result<()> + Sync + Send,
) -> Result<()> {
    try_for_each_with(jobs, bytes, || (), |(), job| f(job))
}

/// [`for_each`] for jobs that can fail and use memory that their thread has used before: of their errors, that of the
/// first job, whichever came first in time.
pub(crate) fn try_for_each_with<J: Send, S>(
    jobs: Vec<J>,
    bytes: usize,
    scratch: impl Fn() -> S + Sync + Send,
    f: impl Fn(&mut S, J) -> Result<()> + Sync + Send,
) -> Result<()> {
    #[cfg(feature = "rayon")]
    if is_spread(jobs.len(), bytes) {
        let mut results = vec![Ok(()); jobs.len()];
        let (threads, queue) = (jobs.len(), Queue::new(jobs.into_iter().zip(&mut results).collect()));
        on_threads(threads, &|| {
            let mut scratch = scratch();
            while let Some((job, result)) = queue.next() {
                *result = f(&mut scratch, job);
            }
        });
        drop(queue);
        return results.into_iter().collect();
    }
    let _ = bytes;
    let (mut scratch, mut result) = (scratch(), Ok(()));
    for job in jobs {
        let outcome = f(&mut scratch, job);
        result = result.and(outcome);
    }
    result
}

/// Jobs that threads take in turn.
#[cfg(feature = "rayon")]
struct Queue<J>(std::sync::Mutex<std::vec::IntoIter<J>>);

#[cfg(feature = "rayon")]
impl<J> Queue<J> {
    fn new(jobs: Vec<J>) -> Self {
        Self(std::sync::Mutex::new(jobs.into_iter()))
    }

    /// The next job. A thread that has panicked holds no job of the others.
    fn next(&self) -> Option<J> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next()
    }
}

/// Runs `f` on as many threads of rayon's current pool as there are, at most on so many. Compiled once: what is spread comes
/// to it as an address.
#[cfg(feature = "rayon")]
fn on_threads(most: usize, f: &(dyn Fn() + Sync)) {
    let threads = most.min(rayon::current_num_threads());
    rayon::scope(|scope| (0..threads).for_each(|_| scope.spawn(|_| f())));
}

/// Sorts keys of which no two are equal, so that the result does not depend on threads.
pub(crate) fn sort_unstable<K: Ord + Send>(keys: &mut [K]) {
    #[cfg(feature = "rayon")]
    if size_of_val(keys) >= WORTH_A_THREAD && rayon::current_num_threads() > 1 {
        return rayon::slice::ParallelSliceMut::par_sort_unstable(keys);
    }
    keys.sort_unstable();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn the_error_is_that_of_the_first_job_for_any_amount_of_work() {
        for bytes in [0, usize::MAX] {
            let mut done = [false; 9];
            let jobs = done.iter_mut().enumerate().collect();
            let result = try_for_each_with(
                jobs,
                bytes,
                || (),
                |(), (job, done)| {
                    *done = true;
                    if job < 3 {
                        Ok(())
                    } else {
                        Err(Error::Target { argument: "x", position: job.into(), value: 0, classes: 0 })
                    }
                },
            );
            assert!(matches!(result, Err(Error::Target { position, .. }) if position == 3.into()));
            assert_eq!(done, [true; 9], "every job has run");
        }
        assert_eq!(try_for_each_with(Vec::<()>::new(), 0, || (), |(), ()| unreachable!("no jobs")), Ok(()));
    }
}
