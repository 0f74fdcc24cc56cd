//! Losses of the margin whose log-ratios go through a link or are divided by lengths first: stages over a block, so that no
//! pair of a loss and a link is compiled together.

use crate::Real;
use crate::math::mul_or_zero;
use crate::pointwise::{Block, Choose};
use crate::preference::Length;
use crate::preference::loops::{LinkLoops, Margins, ROW};
use crate::simd::{Kernel, dispatch};

/// Pairs that all stages go through before the next: what a stage leaves to another stays in the first-level cache.
const PART: usize = 256;

/// A loss of the margin as a function of both sides.
pub(super) struct Margined<'a, T> {
    pub(super) loss: &'a dyn Block<T, Margins>,
    pub(super) link: Option<LinkLoops<'a>>,
    pub(super) length: Length,
}

impl<T: Real + Choose> Block<T> for Margined<'_, T> {
    fn run(&self, columns: &[&[T]], loss: &mut [T], slopes: &mut [&mut [T]], is_steep: bool) {
        if let (None, Length::Sum) = (self.link, self.length) {
            return self.loss.run(columns, loss, slopes, is_steep); // which forms the margin itself, in one loop
        }
        let [chosen, rejected, ..] = slopes else { return };
        let mut memory = [[T::zero(); PART]; 5];
        for start in (0..loss.len()).step_by(PART) {
            let at = start..loss.len().min(start + PART);
            let mut part: [&[T]; ROW] = [&[]; ROW];
            part.iter_mut().zip(columns).for_each(|(part, column)| *part = &column[at.clone()]);
            let memory = memory.each_mut().map(|column| &mut column[..at.len()]);
            let slopes = [&mut chosen[at.clone()], &mut rejected[at.clone()]];
            self.part(part, &mut loss[at], slopes, memory, is_steep);
        }
    }
}

impl<T: Real + Choose> Margined<'_, T> {
    /// All stages of a part. The memory for the slopes takes the log-ratios first.
    fn part(
        &self,
        columns: [&[T]; ROW],
        loss: &mut [T],
        [chosen, rejected]: [&mut [T]; 2],
        [margin, value_w, value_l, link_w, link_l]: [&mut [T]; 5],
        is_steep: bool,
    ) {
        let [w, l, r, q, n, k, ..] = columns;
        dispatch(Ratios { policy: [w, l], reference: [r, q], ratios: [&mut *chosen, &mut *rejected] });
        match (self.link, self.length) {
            (Some(link), Length::Sum) => {
                let slopes = &mut [&mut *link_w, &mut *link_l];
                link.differences.get::<T>().run(&[chosen, rejected], margin, slopes, is_steep);
            }
            (Some(link), Length::Mean) => {
                let link = link.ratios.get::<T>();
                link.run(&[chosen], value_w, &mut [&mut *link_w], is_steep);
                link.run(&[rejected], value_l, &mut [&mut *link_l], is_steep);
                dispatch(Means { values: [value_w, value_l], lengths: [n, k], margin: &mut *margin });
            }
            (None, _) => dispatch(Means { values: [chosen, rejected], lengths: [n, k], margin: &mut *margin }),
        }
        let zeros = [T::zero(); PART];
        let zeros = &zeros[..margin.len()];
        let mut plain: [&[T]; ROW] = columns; // pairs of plain log-ratios with these margins
        plain[..4].copy_from_slice(&[margin, zeros, zeros, zeros]);
        self.loss.run(&plain, loss, &mut [&mut *chosen, &mut *rejected], is_steep);
        if is_steep {
            let links = self.link.map(|_| [&*link_w, &*link_l]);
            let lengths = (self.length == Length::Mean).then_some([n, k]);
            dispatch(HandBack { links, lengths, slopes: [chosen, rejected] });
        }
    }
}

/// The log-ratios of both sides.
struct Ratios<'a, T> {
    policy: [&'a [T]; 2],
    reference: [&'a [T]; 2],
    ratios: [&'a mut [T]; 2],
}

impl<T: Real> Kernel for Ratios<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (side, ratios) in self.ratios.into_iter().enumerate() {
            let columns = self.policy[side].iter().zip(self.reference[side]);
            ratios.iter_mut().zip(columns).for_each(|(ratio, (&policy, &reference))| *ratio = policy - reference);
        }
    }
}

/// The margin of values that are divided by the lengths.
struct Means<'a, T> {
    values: [&'a [T]; 2],
    lengths: [&'a [T]; 2],
    margin: &'a mut [T],
}

impl<T: Real> Kernel for Means<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let count = self.margin.len();
        let ([w, l], [n, k]) = (self.values.map(|x| &x[..count]), self.lengths.map(|x| &x[..count]));
        for (i, margin) in self.margin.iter_mut().enumerate() {
            *margin = w[i] / n[i] - l[i] / k[i];
        }
    }
}

/// From the slopes in the margin to those in both sides.
struct HandBack<'a, T> {
    /// The slopes of the link.
    links: Option<[&'a [T]; 2]>,
    /// What each side was divided by.
    lengths: Option<[&'a [T]; 2]>,
    /// That in the margin, and its negative.
    slopes: [&'a mut [T]; 2],
}

impl<T: Real> Kernel for HandBack<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (side, slopes) in self.slopes.into_iter().enumerate() {
            if let Some(links) = self.links {
                slopes.iter_mut().zip(links[side]).for_each(|(slope, &link)| *slope = mul_or_zero(*slope, link));
            }
            if let Some(lengths) = self.lengths {
                slopes.iter_mut().zip(lengths[side]).for_each(|(slope, &length)| *slope /= length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::aview1;

    use super::*;
    use crate::preference::{JensenShannonLink, LabeledLoss, Linked, Needs, PairBatch, PairObjective, Pairs, Row};
    use crate::{Reduction, Result};

    /// The sum of all log-probabilities that a loss of the margin is shown.
    struct Shown(Length);

    impl LabeledLoss for Shown {
        crate::compile_loops!(LabeledLoss);

        fn needs(&self) -> Result<Needs> {
            Ok(Needs { reference: true, lengths: true, ..Needs::default() })
        }
        fn length(&self) -> Length {
            self.0
        }
        fn at<T: Real, const FMA: bool>(&self, margin: T, pair: Row<T>) -> (T, T) {
            let Pairs { chosen, rejected } =
                pair.policy.zip(pair.reference).map(|(policy, reference)| policy + reference);
            (chosen + rejected, margin)
        }
    }

    #[test]
    fn the_margin_stands_for_the_log_probabilities_with_links_and_lengths_too() {
        let (policy, reference, lengths) = ([-3.0, -5.0], [-4.0, -7.0], [2.0, 4.0]);
        let pair = |[chosen, rejected]: &'static [f64; 2]| Pairs {
            chosen: aview1(std::slice::from_ref(chosen)),
            rejected: aview1(std::slice::from_ref(rejected)),
        };
        let [policy, reference, lengths] = [policy, reference, lengths].map(|both| pair(Box::leak(Box::new(both))));
        let batch = PairBatch::new(policy).reference(reference).lengths(lengths);
        for (length, slopes) in [(Length::Sum, [-1.0, 1.0]), (Length::Mean, [0.0, 0.0])] {
            let (value, gradient) = Shown(length).grad(batch, Reduction::Sum).unwrap();
            assert_eq!((value, [gradient.chosen[0], gradient.rejected[0]]), (0.0, slopes));
            let linked = Linked { loss: Shown(length), link: JensenShannonLink };
            assert_eq!(linked.value(batch, Reduction::Sum).unwrap(), 0.0);
        }
    }
}
