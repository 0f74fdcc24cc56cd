//! What is measured at one size.

use std::time::{Duration, Instant};

use loglik::Result;
use loglik::prelude::*;
use loglik::transport::{EmdBounds, EmdInterval, GroundCost};

use crate::clouds::{Cloud, clouds};
use crate::failure::Outcome;

/// Relative gaps that are asked for.
pub(crate) const GAPS: [f64; 3] = [0.1, 0.01, 0.0];

/// Names of the columns of [`Reading::line`].
pub(crate) const HEADER: &str =
    " points    gap       lower       upper   passes     time    exact value     time   lower, upper by";

/// One search, and the exact distance beside it.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) points: usize,
    pub(crate) gap: f64,
    pub(crate) interval: EmdInterval<f64>,
    pub(crate) time: Duration,
    pub(crate) exact: Option<(f64, Duration)>,
}

/// Budget in passes, and the relative width that it leads to.
#[derive(Debug)]
pub(crate) struct Spent {
    pub(crate) passes: usize,
    pub(crate) width: f64,
}

impl Reading {
    /// Whether the exact distance, where it is known, lies within.
    pub(crate) fn holds(&self) -> bool {
        self.exact.is_none_or(|(exact, _)| self.interval.lower <= exact && exact <= self.interval.upper)
    }

    /// One line of the table.
    pub(crate) fn line(&self) -> String {
        let EmdInterval { lower, upper, lower_by, upper_by, passes } = self.interval;
        let (exact, exact_time) = match self.exact {
            Some((value, time)) => (format!("{value:.8}"), milliseconds(time)),
            None => ("-".into(), "-".into()),
        };
        format!(
            "{:>7} {:>6} {lower:>11.8} {upper:>11.8} {passes:>8} {:>8} {exact:>14} {exact_time:>8}   {lower_by:.3?}, {upper_by:.3?}",
            self.points,
            format!("{}%", 100.0 * self.gap),
            milliseconds(self.time),
        )
    }
}

/// One search for each gap at one size.
pub(crate) fn read(points: usize, seed: u64, with_exact: bool) -> Outcome<Vec<Reading>> {
    let (ring, cross) = clouds(points, seed);
    let problem = problem(&ring, &cross);
    let exact = match with_exact {
        true => Some(timed(|| emd(problem))?),
        false => None,
    };
    let reading = |gap| {
        let (interval, time) = timed(|| EmdBounds { gap, ..EmdBounds::default() }.solve(problem))?;
        Ok(Reading { points, gap, interval, time, exact })
    };
    GAPS.into_iter().map(reading).collect()
}

/// What budgets of more and more passes buy.
pub(crate) fn spend(points: usize, seed: u64) -> Outcome<Vec<Spent>> {
    let (ring, cross) = clouds(points, seed);
    let mut spent: Vec<Spent> = Vec::new();
    for doubling in 1..12 {
        let interval = EmdBounds { gap: 0.0, budget: 1 << doubling }.solve(problem(&ring, &cross))?;
        let width = (interval.upper - interval.lower) / interval.upper;
        if spent.last().is_none_or(|last| last.passes < interval.passes) {
            spent.push(Spent { passes: interval.passes, width });
        }
    }
    Ok(spent)
}

fn problem<'a>(from: &'a Cloud, to: &'a Cloud) -> TransportProblem<'a, f64> {
    let cost = Cost::points(from.points.view(), to.points.view(), GroundCost::Euclidean);
    TransportProblem::new(from.weights.view(), to.weights.view(), cost)
}

fn timed<R>(work: impl FnOnce() -> Result<R>) -> Result<(R, Duration)> {
    let start = Instant::now();
    let result = work()?;
    Ok((result, start.elapsed()))
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1}ms", 1e3 * time.as_secs_f64())
}
