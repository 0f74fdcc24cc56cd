//! How near the best of some samples comes.

use ndarray::{Array1, ArrayRef3, ArrayRef4, s};

use super::points::{self, check_samples, check_truth};
use crate::{Real, Result};

/// Average and final displacement of the best sample: for each agent, or their means.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BestOfN<A> {
    /// Least over samples of the mean distance over time.
    pub ade: A,
    /// Least over samples of the distance at the last time; not of the same sample, in general.
    pub fde: A,
}

impl<T: Real> BestOfN<Array1<T>> {
    /// The means over all agents.
    #[must_use]
    pub fn means(&self) -> BestOfN<T> {
        BestOfN { ade: T::mean_of_agents(&self.ade), fde: T::mean_of_agents(&self.fde) }
    }
}

pub(crate) fn mean<T: Real>(values: &Array1<T>) -> T {
    T::from_f64(points::mean(&values.iter().map(|x| x.as_f64()).collect::<Vec<_>>()))
}

/// Best-of-N average and final displacement error of each agent.
///
/// ```math
/// \mathrm{ADE}_a = \min_n \frac1T \sum_t \lVert \hat y_{nta} - y_{ta} \rVert_2, \qquad
/// \mathrm{FDE}_a = \min_n \lVert \hat y_{nTa} - y_{Ta} \rVert_2
/// ```
///
/// `samples` are `[N, T, A, d]`, `truth` is `[T, A, d]`, in one unit of length. Each agent has a best sample of its own.
///
/// **It says little about a distribution.** It falls with N whatever the samples are, prefers a tight cloud beside the
/// truth to a wide one around it, and hardly sees a shift of a wide one: [`Amd`](super::Amd) does.
///
/// # Errors
///
/// - [`Error::Shape`](crate::Error::Shape): a truth of another shape.
/// - [`Error::Empty`](crate::Error::Empty): no samples, times, agents or dimensions.
/// - [`Error::Value`](crate::Error::Value): a coordinate that is not finite.
/// - [`Error::Overflow`](crate::Error::Overflow): a distance that does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::diagnostics::best_of_n;
/// let samples = array![[[[0.0_f64, 3.0]], [[4.0, 0.0]]], [[[0.0, 6.0]], [[0.0, 1.0]]]]; // two, of two times
/// let best = best_of_n(&samples, &array![[[0.0, 0.0]], [[0.0, 0.0]]])?;
/// assert_eq!((best.ade[0], best.fde[0]), (3.5, 1.0));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Alahi et al., Social LSTM, CVPR 2016; of N samples: Gupta et al., Social GAN, CVPR 2018,
/// [arXiv:1803.10892](https://arxiv.org/abs/1803.10892).
pub fn best_of_n<T: Real>(samples: &ArrayRef4<T>, truth: &ArrayRef3<T>) -> Result<BestOfN<Array1<T>>> {
    T::best_of_n(samples, truth)
}

pub(crate) fn by_agent<T: Real>(samples: &ArrayRef4<T>, truth: &ArrayRef3<T>) -> Result<BestOfN<Array1<T>>> {
    check_samples(samples)?;
    check_truth(truth, samples)?;
    let (n, times, agents, size) = samples.dim();
    let distance = |sample: usize, time: usize, agent: usize| {
        let (from, to) = (samples.slice(s![sample, time, agent, ..]), truth.slice(s![time, agent, ..]));
        from.iter().zip(to).map(|(x, y)| x.as_f64() - y.as_f64()).fold(0.0, f64::hypot)
    };
    let best = |agent: usize| {
        let all = (0..n).map(|sample| (0..times).map(|time| distance(sample, time, agent)).collect::<Vec<_>>());
        all.fold((f64::INFINITY, f64::INFINITY), |(ade, fde): (f64, f64), distances| {
            (ade.min(points::mean(&distances)), fde.min(distances.last().copied().unwrap_or(f64::INFINITY)))
        })
    };
    let bytes = n * times * agents * size * size_of::<T>();
    let found = points::each(agents, bytes, |agent| Ok(best(agent)))?;
    let column = |of: fn(&(f64, f64)) -> f64| {
        let agents = found.iter().enumerate();
        agents.map(|(agent, found)| points::fitting(of(found), "samples", agent)).collect::<Result<_>>()
    };
    Ok(BestOfN { ade: column(|found| found.0)?, fde: column(|found| found.1)? })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Array4, Axis, array};

    use super::*;

    fn sample() -> (Array4<f64>, Array3<f64>) {
        let samples = Array4::from_shape_fn((7, 4, 3, 2), |(n, t, a, k)| ((n * 31 + t * 7 + a * 5 + k) as f64).sin());
        (samples, Array3::from_shape_fn((4, 3, 2), |(t, a, k)| ((t * 11 + a * 3 + k) as f64).cos()))
    }

    #[test]
    fn each_agent_has_a_best_sample_of_its_own() {
        let (samples, truth) = sample();
        let best = best_of_n(&samples, &truth).unwrap();
        for a in 0..3 {
            let distance = |n: usize, t: usize| {
                let d = |k: usize| samples[[n, t, a, k]] - truth[[t, a, k]];
                (d(0) * d(0) + d(1) * d(1)).sqrt()
            };
            let means = (0..7).map(|n| (0..4).map(|t| distance(n, t)).sum::<f64>() / 4.0);
            let least = |all: &mut dyn Iterator<Item = f64>| all.fold(f64::INFINITY, f64::min);
            assert!((best.ade[a] - least(&mut means.into_iter())).abs() < 1e-15);
            assert!((best.fde[a] - least(&mut (0..7).map(|n| distance(n, 3)))).abs() < 1e-15);
        }
        let means = best.means();
        assert!((means.ade - best.ade.sum() / 3.0).abs() < 1e-15 && (means.fde - best.fde.sum() / 3.0).abs() < 1e-15);
    }

    #[test]
    fn more_samples_are_never_worse_and_the_truth_itself_is_best() {
        let (samples, truth) = sample();
        let (few, all) =
            (best_of_n(&samples.slice(s![..3, .., .., ..]), &truth).unwrap(), best_of_n(&samples, &truth).unwrap());
        assert!(few.ade.iter().zip(&all.ade).all(|(few, all)| few >= all));
        assert!(few.fde.iter().zip(&all.fde).all(|(few, all)| few >= all));
        let mut exact = samples;
        exact.index_axis_mut(Axis(0), 5).assign(&truth);
        assert_eq!(best_of_n(&exact, &truth).unwrap().means(), BestOfN { ade: 0.0, fde: 0.0 });
    }

    #[test]
    fn lengths_are_taken_where_their_squares_do_not_fit() {
        let best = best_of_n(&array![[[[3e200_f64, 4e200]]]], &array![[[0.0, 0.0]]]).unwrap();
        assert!((best.ade[0] / 5e200 - 1.0).abs() < 1e-15);
        // Means of distances whose sum does not fit.
        let far = Array4::from_elem((1, 3, 4, 1), 1e308);
        let best = best_of_n(&far, &Array3::zeros((3, 4, 1))).unwrap();
        assert_eq!(best.means(), BestOfN { ade: 1e308, fde: 1e308 });
        let (most, none) = (Array4::from_elem((1, 2, 7, 1), f32::MAX), Array3::zeros((2, 7, 1)));
        assert_eq!(best_of_n(&most, &none).unwrap().means(), BestOfN { ade: f32::MAX, fde: f32::MAX });
        let error = best_of_n(&array![[[[f32::MAX, f32::MAX]]]], &array![[[0.0, 0.0]]]).unwrap_err();
        assert_eq!(error.to_string(), "the result at `samples`[0] overflows f32");
    }

    #[test]
    fn bad_input_is_named() {
        let (mut samples, truth) = sample();
        let message = |samples: &Array4<f64>, truth: &Array3<f64>| best_of_n(samples, truth).unwrap_err().to_string();
        assert_eq!(message(&samples, &Array3::zeros((3, 4, 2))), "`truth` has shape [3, 4, 2], expected [4, 3, 2]");
        assert_eq!(message(&Array4::zeros((0, 4, 3, 2)), &truth), "`samples` is empty, needed is at least one element");
        samples[[2, 1, 0, 1]] = f64::NAN;
        assert_eq!(message(&samples, &truth), "`samples`[2, 1, 0, 1] is NaN, allowed is finite");
        let mut far = truth.clone();
        far[[1, 2, 0]] = f64::INFINITY;
        samples[[2, 1, 0, 1]] = 0.0;
        assert_eq!(message(&samples, &far), "`truth`[1, 2, 0] is inf, allowed is finite");
    }
}
