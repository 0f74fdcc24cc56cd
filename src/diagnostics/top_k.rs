//! Entropy and mass of the most probable classes.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, Dimension};

use super::compiled::Compiled;
use super::largest::{Largest, mass};
use crate::compiled::in_dimension;
use crate::rowwise::{RowReader, improper_row};
use crate::simd::RowSum;
use crate::{Element, Error, Real, Result, check, reduction};

/// Entropy and mass of the `k` most probable classes of each row of logits.
///
/// ```math
/// H_k = -\sum_{i=1}^{k} p_{(i)} \log_2 p_{(i)}, \qquad M_k = \sum_{i=1}^{k} p_{(i)}, \qquad
/// p = \operatorname{softmax}(l), \quad p_{(1)} \ge p_{(2)} \ge \dots
/// ```
///
/// The entropy is in **bits**, as in the paper; everything else in this crate is in nats. `M` grows with `k` to 1 at the
/// number of classes; neither depends on a shift of the logits. An entropy that falls while the loss improves, or a mass
/// that leaks into the tail, are the paper's signs of over-optimization.
///
/// A logit of -inf is a class of probability zero and adds nothing. Good to the precision of the logits' type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::diagnostics::TopK;
/// let logits = array![[0.0_f64, 0.0, 0.0, 0.0], [9.0, f64::NEG_INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY]];
/// let stats = TopK { k: 2, ..TopK::default() }.each(&logits)?;
/// assert_eq!(stats.entropy, array![1.0, 0.0]); // twice -¼ log2 ¼; a certain class
/// assert_eq!(stats.mass, array![0.5, 1.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Shi, Land, Locatelli, Geist and Bartolo, "Understanding likelihood over-optimization in direct alignment
/// algorithms", 2024, [arXiv:2410.11677](https://arxiv.org/abs/2410.11677).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct TopK {
    /// How many classes count, from 1 to the number of classes. Default 10 (the paper).
    pub k: usize,
    /// Whether the entropy is that of the probabilities as they are. Default [`TopKNormalization::Raw`].
    pub normalization: TopKNormalization,
}

/// Of what the entropy is taken; the paper leaves it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum TopKNormalization {
    /// The probabilities `p` as they are, whose sum is `M_k`: the formula as the paper prints it.
    #[default]
    Raw,
    /// The distribution `p / M_k` among the `k` classes; its entropy is at most `log2 k`.
    Renormalized,
}

impl Default for TopK {
    fn default() -> Self {
        Self { k: 10, normalization: TopKNormalization::Raw }
    }
}

/// What [`TopK::each`] finds: one number for each row, or their means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopKStats<A> {
    /// Entropy of the top classes, in bits.
    pub entropy: A,
    /// Probability of the top classes together, never above 1.
    pub mass: A,
}

impl<T: Real, D: Dimension> TopKStats<Array<T, D>> {
    /// The means over all rows.
    ///
    /// # Errors
    ///
    /// [`Error::NothingToAverage`] where there are no rows.
    pub fn means(&self) -> Result<TopKStats<T>> {
        let mean = |argument, values: &Array<T, D>| Compiled::top_k_mean(argument, values.view().into_dyn());
        Ok(TopKStats { entropy: mean("entropy", &self.entropy)?, mass: mean("mass", &self.mass)? })
    }
}

pub(super) fn mean<T: Real>(argument: &'static str, values: ArrayViewD<'_, T>) -> Result<T> {
    if values.is_empty() {
        return Err(Error::NothingToAverage { argument });
    }
    let values = values.as_standard_layout();
    Ok(T::from_f64(reduction::sum(values.as_slice().unwrap_or_default()) / values.len() as f64))
}

impl TopK {
    /// The statistics of each row of logits, `[.., V]` to `[..]`.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] unless `1 <= k <= V`; [`Error::Value`] at the first logit that is NaN or +inf, or at a row
    /// of nothing but -inf; [`Error::Empty`] where a row has no classes.
    pub fn each<E: Element, D: Dimension>(
        &self,
        logits: &ArrayRef<E, D>,
    ) -> Result<TopKStats<Array<E::Real, D::Smaller>>> {
        let view = logits.view().into_dyn();
        let stats = Compiled::top_k(self, &*E::reader("logits", &view)?, &logits.shape()[..logits.ndim() - 1])?;
        Ok(TopKStats { entropy: in_dimension(stats.entropy), mass: in_dimension(stats.mass) })
    }

    /// The statistics of all rows.
    pub(super) fn of_rows<T: Real>(&self, rows: &dyn RowReader<T>, leading: &[usize]) -> Result<TopKStats<ArrayD<T>>> {
        let allowed = "1 to the number of classes";
        check::parameter("k", self.k as f64, allowed, (1..=rows.width()).contains(&self.k))?;
        let mut stats = TopKStats { entropy: ArrayD::zeros(leading), mass: ArrayD::zeros(leading) };
        let mut pairs: Vec<_> = stats.entropy.iter_mut().zip(&mut stats.mass).collect();
        rows.jobs(1).each_value_with(
            &mut pairs,
            || Largest::new(self.k),
            |largest, row, (entropy, mass)| {
                let mut all = RowSum::new();
                rows.for_each_block(row, &mut |block| {
                    all.push(block);
                    largest.push(block);
                });
                if !all.is_proper() {
                    return Err(improper_row("logits", leading, row, rows));
                }
                (**entropy, **mass) = self.stats(&all, &largest.sum());
                Ok(())
            },
        )?;
        Ok(stats)
    }

    /// Entropy and mass from the sum over the whole row and the one over its largest elements.
    ///
    /// With `Z` the sum over all and `Z_k` over the top, `M = Z_k / Z`, and with `e` the mean of `x - max` under `p / M`
    /// the entropy of `p / M` is `ln Z_k - e`, that of `p` itself `M (ln Z - e)`: terms of one sign, so nothing cancels.
    fn stats<T: Real>(&self, all: &RowSum<T>, top: &RowSum<T>) -> (T, T) {
        let mass = mass(all, top);
        let mean = top.moment / (1.0 + top.others);
        let nats = match self.normalization {
            TopKNormalization::Raw => mass * (all.others.ln_1p() - mean),
            TopKNormalization::Renormalized => top.others.ln_1p() - mean,
        };
        (T::from_f64(nats / std::f64::consts::LN_2), T::from_f64(mass))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, Array3, ArrayD, ShapeBuilder, arr0, array, aview1, s};
    use proptest::prelude::*;

    use super::*;

    const INF: f64 = f64::INFINITY;

    fn top(k: usize, normalization: TopKNormalization, row: &[f64]) -> (f64, f64) {
        let stats = TopK { k, normalization }.each(&aview1(row)).unwrap();
        (stats.entropy.into_scalar(), stats.mass.into_scalar())
    }

    #[test]
    fn entropy_and_mass_equal_mpmath() {
        let row = [2.0, -1.0, 0.5, 3.0, 0.0, -2.0];
        let cases = [
            (1, 0.655_821_523_617_324, 0.399_149_272_573_781_4, 0.0),
            (2, 0.897_084_779_233_869, 0.894_057_386_338_927_6, 0.839_941_537_983_169_2),
            (3, 0.950_917_888_097_520_2, 1.120_983_451_811_940_1, 1.106_236_259_187_341),
            (6, 1.0, 1.393_367_176_290_912_5, 1.393_367_176_290_912_5),
        ];
        for (k, mass, raw, renormalized) in cases {
            let found = top(k, TopKNormalization::Raw, &row);
            assert!((found.0 - raw).abs() < 2e-15 && (found.1 - mass).abs() < 1e-15, "k = {k}: {found:?}");
            let found = top(k, TopKNormalization::Renormalized, &row);
            assert!((found.0 - renormalized).abs() < 2e-15 && (found.1 - mass).abs() < 1e-15, "k = {k}: {found:?}");
            let single = TopK { k, ..TopK::default() }.each(&aview1(&row.map(|x| x as f32))).unwrap();
            assert!((single.entropy.into_scalar().as_f64() - raw).abs() < 4e-7, "k = {k} in f32");
            assert!((single.mass.into_scalar().as_f64() - mass).abs() < 2e-7, "k = {k} in f32");
        }
    }

    #[test]
    fn a_million_classes_keep_the_precision_of_f32() {
        let n = 1 << 20;
        for below in [-0.1, -0.3] {
            let x = Array1::from_shape_fn(n, |i| if i == 0 { 0.0_f32 } else { below });
            let top = |x: &Array1<f64>| TopK { k: n, ..TopK::default() }.each(x).unwrap().entropy.into_scalar();
            let got = TopK { k: n, ..TopK::default() }.each(&x).unwrap();
            let (exact, entropy) = (top(&x.mapv(f64::from)), f64::from(got.entropy.into_scalar()));
            assert!((entropy / exact - 1.0).abs() < 2.0 * f64::from(f32::EPSILON), "{entropy} against {exact}");
            assert_eq!(got.mass.into_scalar(), 1.0);
        }
    }

    #[test]
    fn a_certain_class_has_no_entropy_and_all_the_mass() {
        for normalization in [TopKNormalization::Raw, TopKNormalization::Renormalized] {
            assert_eq!(top(2, normalization, &[-INF, 5.0, -INF]), (0.0, 1.0));
            assert_eq!(top(2, normalization, &[-1e4, 1e4, -1e4]), (0.0, 1.0));
            assert_eq!(top(1, normalization, &[7.0]), (0.0, 1.0));
        }
    }

    #[test]
    fn equal_logits_give_log2_k_among_the_top_and_their_share_of_the_mass() {
        let row = vec![1e4; 40];
        let (entropy, mass) = top(10, TopKNormalization::Renormalized, &row);
        assert!((entropy - 10.0_f64.log2()).abs() < 1e-14 && (mass - 0.25).abs() < 1e-15);
        let (entropy, _) = top(10, TopKNormalization::Raw, &row);
        assert!((entropy - 0.25 * 40.0_f64.log2()).abs() < 1e-14);
    }

    #[test]
    fn the_default_is_that_of_the_paper() {
        assert_eq!(TopK::default(), TopK { k: 10, normalization: TopKNormalization::Raw });
    }

    #[test]
    fn a_bad_k_is_refused() {
        for k in [0, 4] {
            let error = TopK { k, ..TopK::default() }.each(&array![[0.0, 1.0, 2.0]]).unwrap_err();
            assert_eq!(error.to_string(), format!("`k` is {k}, allowed is 1 to the number of classes"));
        }
        let error = TopK::default().each(&Array2::<f64>::zeros((3, 0))).unwrap_err();
        assert_eq!(error, Error::Empty { argument: "logits" });
        let error = TopK::default().each(&arr0(1.0_f32).into_dyn()).unwrap_err();
        assert_eq!(error, Error::no_axis("logits"));
    }

    #[test]
    fn a_row_that_is_no_distribution_is_named() {
        let of = |bad: [f64; 3]| {
            let mut logits = Array3::zeros((2, 2, 3));
            logits.slice_mut(s![1, 0, ..]).assign(&aview1(&bad));
            TopK { k: 2, ..TopK::default() }.each(&logits).unwrap_err().to_string()
        };
        assert_eq!(of([0.0, f64::NAN, 0.0]), "`logits`[1, 0, 1] is NaN, allowed is finite or -inf");
        assert_eq!(of([0.0, -INF, INF]), "`logits`[1, 0, 2] is inf, allowed is finite or -inf");
        assert_eq!(of([-INF, -INF, f64::NAN]), "`logits`[1, 0, 2] is NaN, allowed is finite or -inf");
        assert_eq!(of([-INF; 3]), "`logits`[1, 0] is -inf, allowed is a row with at least one finite logit");
    }

    #[test]
    fn every_layout_and_number_of_threads_gives_the_same_bits() {
        let logits =
            Array3::from_shape_fn((5, 7, 9001), |(i, j, k)| ((i * 31 + j * 977 + k * 7919) % 4001) as f32 / 400.0);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| TopK::default().each(&logits)).unwrap()
        };
        let expected = with(1);
        assert_eq!(with(2), expected);
        let mut transposed = Array3::zeros(logits.raw_dim().f());
        transposed.assign(&logits);
        assert_eq!(TopK::default().each(&transposed).unwrap(), expected);
        let mut reversed = Array3::zeros(logits.raw_dim());
        reversed.invert_axis(ndarray::Axis(2));
        reversed.assign(&logits);
        assert_eq!(TopK::default().each(&reversed).unwrap(), expected);
    }

    #[test]
    fn means_are_over_rows_and_need_one() {
        let stats = TopK { k: 1, ..TopK::default() }.each(&array![[0.0, 0.0], [0.0, -INF]]).unwrap();
        assert_eq!(stats.means(), Ok(TopKStats { entropy: 0.25, mass: 0.75 }));
        let none = TopK { k: 1, ..TopK::default() }.each(&ArrayD::<f32>::zeros(vec![0, 4])).unwrap();
        assert_eq!(none.mass.shape(), [0]);
        assert_eq!(none.means(), Err(Error::NothingToAverage { argument: "entropy" }));
    }

    proptest! {
        #[test]
        fn mass_grows_with_k_to_one_and_entropy_stays_below_log2_k(row in prop::collection::vec(-40.0..40.0_f64, 1..60)) {
            let mut last = 0.0;
            for k in 1..=row.len() {
                let (entropy, mass) = top(k, TopKNormalization::Renormalized, &row);
                prop_assert!(mass >= last - 1e-15 && mass <= 1.0);
                prop_assert!(entropy >= 0.0 && entropy <= (k as f64).log2() + 1e-14);
                last = mass;
            }
            prop_assert!(last > 1.0 - 1e-14);
        }

        #[test]
        fn statistics_are_those_of_the_sorted_softmax_and_ignore_a_shift(
            row in prop::collection::vec(-9.0..9.0_f64, 12..80),
            shift in -1e3..1e3_f64,
        ) {
            let total: f64 = row.iter().map(|x| x.exp()).sum();
            let mut probs: Vec<f64> = row.iter().map(|x| x.exp() / total).collect();
            probs.sort_by(|a, b| b.total_cmp(a));
            let mass: f64 = probs[..10].iter().sum();
            let entropy: f64 = probs[..10].iter().map(|p| -p * p.log2()).sum();
            let found = top(10, TopKNormalization::Raw, &row);
            prop_assert!((found.0 - entropy).abs() < 1e-13 && (found.1 - mass).abs() < 1e-13);
            let shifted = Array1::from(row).mapv(|x| x + shift);
            let moved = top(10, TopKNormalization::Raw, shifted.as_slice().unwrap());
            prop_assert!((found.0 - moved.0).abs() < 1e-11 && (found.1 - moved.1).abs() < 1e-11);
        }
    }
}
