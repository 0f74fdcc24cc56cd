//! One row of a sparse teacher against the student's logits.

use std::ops::Range;

use super::class_loops::{HasLoops, Loops};
use super::row_divergence::origin;
use super::sparse_teacher::{Tail, TeacherRow};
use super::{ClassPair, ClassTerm};
use crate::Real;
use crate::rowwise::BLOCK;
use crate::rowwise::RowReader;
use crate::simd::{self, RowSum};

/// A divergence over some of the classes.
pub(crate) struct SparseSum<'a> {
    pub(super) loops: &'a dyn Loops,
    pub(super) mass_coefficient: f64,
    pub(super) tail: Tail,
}

/// The student's logits of a row: as they are stored, or the images of a transform.
#[derive(Clone, Copy)]
pub(super) enum Logits<'a, T> {
    Stored(&'a dyn RowReader<T>, usize),
    Images(&'a [T]),
}

impl<T: Real> Logits<'_, T> {
    fn len(self) -> usize {
        match self {
            Self::Stored(rows, _) => rows.width(),
            Self::Images(images) => images.len(),
        }
    }

    fn at(self, class: usize) -> T {
        match self {
            Self::Stored(rows, row) => rows.at(row, class),
            Self::Images(images) => images[class],
        }
    }

    fn copy(self, at: Range<usize>, to: &mut [T]) {
        match self {
            Self::Stored(rows, row) => rows.copy(row, at, to),
            Self::Images(images) => to.copy_from_slice(&images[at]),
        }
    }

    fn sum(self) -> RowSum<T> {
        match self {
            Self::Stored(rows, row) => rows.sum(row),
            Self::Images(images) => {
                let mut sum = RowSum::new();
                sum.push(images);
                sum
            }
        }
    }
}

/// Sums over the student's side of a row.
struct StudentSums<T> {
    whole: RowSum<T>,
    /// Over the teacher's classes.
    inside: RowSum<T>,
    /// Over all others, where they are needed by themselves.
    outside: RowSum<T>,
}

impl<T: Real> StudentSums<T> {
    /// Logarithm of the probability of a part.
    fn log_share(&self, part: &RowSum<T>) -> f64 {
        if part.max == T::neg_infinity() {
            return f64::NEG_INFINITY;
        }
        (part.max.as_f64() - self.whole.max.as_f64()) + (part.others.ln_1p() - self.whole.others.ln_1p())
    }
}

/// A class that the teacher gives, or all others as one.
struct Slope {
    class: usize,
    pair: ClassPair<f64>,
    term: ClassTerm<f64>,
    /// The student's probability, and what is left of 1.
    prob: f64,
    rest: f64,
}

/// Memory that a thread uses again for each of its rows.
pub(super) struct Scratch<T> {
    pub(super) teacher: TeacherRow,
    /// The transformed logits of a row and the slopes of the transform, where there is one.
    pub(super) images: [Vec<T>; 2],
    block: Vec<T>,
    slopes: Vec<Slope>,
}

impl<T: Real> Scratch<T> {
    pub(super) fn new(classes: usize) -> Self {
        let block = vec![T::zero(); BLOCK.min(classes)];
        Self { teacher: TeacherRow::default(), images: [Vec::new(), Vec::new()], block, slopes: Vec::new() }
    }
}

/// What there is to say of a row.
pub(super) enum Outcome {
    Value(f64),
    /// The logits are no distribution.
    Improper,
    /// The student has none of the classes that the teacher gives, and nothing else counts.
    Empty,
    /// The gradient is infinite at this class, which one side alone has.
    OneSided(usize),
    /// The value or the gradient does not fit the type.
    Overflow,
}

/// The value of a row, and its gradient times `scale` where there is an output.
pub(super) fn row<T: Real>(
    divergence: &SparseSum<'_>,
    logits: Logits<'_, T>,
    scratch: &mut Scratch<T>,
    out: Option<&mut [T]>,
    scale: f64,
) -> Outcome {
    let Scratch { teacher, block, slopes, .. } = scratch;
    let (loops, tail) = (f64::of(divergence.loops), divergence.tail);
    let student = sum(&teacher.classes, matches!(tail, Tail::Bucket | Tail::Cut), logits, block);
    if !student.whole.is_proper() {
        return Outcome::Improper;
    }
    let among = if tail == Tail::Conditional { &student.inside } else { &student.whole };
    if !among.is_proper() {
        return Outcome::Empty;
    }
    let log_share = student.log_share(&student.outside);
    let log_rest = teacher.log_rest_beside(log_share);
    let given = if teacher.log_hidden.is_some() { (-log_rest.exp()).ln_1p() } else { 0.0 }; // what it leaves to the others
    slopes.clear();
    slopes.extend(teacher.classes.iter().map(|&(class, log_p)| {
        let logit = logits.at(class);
        let pair = pair(log_p + given, -among.nll(logit));
        Slope { class, pair, term: loops.term(pair), prob: among.prob(logit), rest: among.complement(logit) }
    }));
    let has_others = matches!(tail, Tail::Bucket | Tail::Cut) && teacher.classes.len() < logits.len();
    let mut others = has_others.then(|| {
        let (pair, rest) = (pair(log_rest, log_share), student.log_share(&student.inside));
        Slope { class: usize::MAX, pair, term: loops.term(pair), prob: log_share.exp(), rest: rest.exp() }
    });
    if tail == Tail::Ignored {
        let coefficient = divergence.mass_coefficient;
        for (slope, (_, log_p)) in slopes.iter_mut().zip(&teacher.classes) {
            slope.term.value += coefficient * (log_p.exp() - slope.prob);
            slope.term.q -= coefficient * slope.prob;
        }
    }
    let value: f64 = slopes.iter().chain(&others).map(|slope| slope.term.value).sum();
    // Infinite it may be by a class that one side alone has, and not by finite numbers.
    let lacks = |class: usize| logits.at(class) == T::neg_infinity();
    let is_exact = || {
        let is_infinite = |slope: &Slope| slope.term.value == f64::INFINITY;
        let mut given = slopes.iter().zip(&teacher.classes);
        let one_sided = given.any(|(slope, (class, log))| is_infinite(slope) && log.is_infinite() != lacks(*class));
        let is_bucket = log_rest.is_infinite() != (student.outside.max == T::neg_infinity());
        value == f64::INFINITY && (one_sided || is_bucket && others.as_ref().is_some_and(is_infinite))
    };
    if !T::from_f64(value).is_finite() && !is_exact() {
        return Outcome::Overflow;
    }
    let Some(out) = out else { return Outcome::Value(value) };
    if tail != Tail::Ignored {
        measure(divergence.loops, slopes, &mut others);
    }
    let outside = others.as_ref().map(|others| (others, &student.outside));
    let is_alone = teacher.classes.len() + 1 == logits.len();
    let is_conditional = tail == Tail::Conditional;
    let gradient = Gradient { slopes, outside, is_alone, among, is_conditional, scale };
    if gradient.write(logits, out) {
        return Outcome::Value(value);
    }
    let given = slopes
        .iter()
        .zip(&teacher.classes)
        .find(|(slope, (class, log_p))| !slope.term.q.is_finite() && log_p.is_infinite() != lacks(*class));
    // Of the others the first that the student has where the teacher has none, or the first at all where it is the student.
    let is_given = |class: &usize| teacher.classes.binary_search_by_key(class, |(given, _)| *given).is_ok();
    let among_others = || (0..logits.len()).find(|class| !is_given(class) && lacks(*class) != log_rest.is_infinite());
    match (given, &others) {
        (Some((slope, _)), _) => Outcome::OneSided(slope.class),
        // Nothing says how the others share a pull on all of them where the student has none.
        (None, Some(others)) if !others.term.q.is_finite() || student.outside.max == T::neg_infinity() => {
            among_others().map_or(Outcome::Overflow, Outcome::OneSided)
        }
        _ => Outcome::Overflow,
    }
}

/// Forms the slopes anew from their [limit](super::ClassDivergence::limits) where they are near it on the whole, as those of
/// sides are that share next to nothing: differences of slopes then have digits that the slopes have not.
fn measure(loops: &dyn Loops, slopes: &mut [Slope], others: &mut Option<Slope>) {
    let center = slopes.iter().chain(&*others).map(|slope| slope.term.q).sum();
    let origin = origin(center, loops.slope_limits().q);
    if origin != 0.0 {
        for slope in slopes.iter_mut().chain(others) {
            slope.term = f64::of(loops).term(slope.pair.measured_from([0.0, origin]));
        }
    }
}

/// A class by the logarithms of both probabilities.
fn pair(log_p: f64, log_q: f64) -> ClassPair<f64> {
    let ratio = if log_p == log_q { 0.0 } else { log_p - log_q };
    ClassPair::new::<false>(log_p, log_q, ratio)
}

/// The pass over the logits.
fn sum<T: Real>(classes: &[(usize, f64)], is_split: bool, logits: Logits<'_, T>, scratch: &mut [T]) -> StudentSums<T> {
    let [mut inside, mut outside] = [RowSum::new(); 2];
    classes.iter().for_each(|(class, _)| inside.push::<T>(&[logits.at(*class)]));
    if !is_split {
        return StudentSums { whole: logits.sum(), inside, outside };
    }
    let mut next = classes.iter().map(|(class, _)| *class).peekable();
    for first in (0..logits.len()).step_by(BLOCK) {
        let at = first..logits.len().min(first + BLOCK);
        let block = &mut scratch[..at.len()];
        logits.copy(at.clone(), block);
        while let Some(class) = next.next_if(|class| *class < at.end) {
            block[class - first] = T::neg_infinity();
        }
        outside.push::<T>(block);
    }
    StudentSums { whole: inside.merge(outside), inside, outside }
}

/// What the gradient of a row is made of.
struct Gradient<'a, T> {
    slopes: &'a [Slope],
    /// All classes that the teacher does not give, as one, and the student's sum over them.
    outside: Option<(&'a Slope, &'a RowSum<T>)>,
    /// Whether that is a single class.
    is_alone: bool,
    /// The sum over all classes that the probabilities are of.
    among: &'a RowSum<T>,
    /// Whether those are the teacher's alone.
    is_conditional: bool,
    scale: f64,
}

impl<T: Real> Gradient<'_, T> {
    /// `A_k - q_k ΣA` for the teacher's classes, and for all others their share of one bucket's; whether all is finite.
    fn write(&self, logits: Logits<'_, T>, out: &mut [T]) -> bool {
        let (max, factor) = self.others();
        if self.is_conditional || max == T::neg_infinity() {
            out.fill(if self.is_conditional { T::zero() } else { T::from_f64(factor) });
        } else {
            for first in (0..logits.len()).step_by(BLOCK) {
                let at = first..logits.len().min(first + BLOCK);
                let block = &mut out[at.clone()];
                logits.copy(at, block);
                simd::scale_exp(block, max, T::from_f64(factor));
            }
        }
        let mut is_finite = T::from_f64(factor).is_finite();
        let bucket = self.outside.map_or(0.0, |(others, _)| others.term.q);
        let all = bucket + self.slopes.iter().map(|slope| slope.term.q).sum::<f64>();
        for slope in self.slopes {
            // Where a class has most of the mass, the sum over all others is formed without it.
            let rest = if slope.prob > 0.5 { bucket + self.sum_without(slope) } else { all - slope.term.q };
            let entry = T::from_f64(self.scale * (slope.term.q * slope.rest - slope.prob * rest));
            is_finite &= entry.is_finite();
            out[slope.class] = entry;
        }
        is_finite
    }

    /// The logit and the number that `e^(y - logit)` of a class that the teacher does not give is multiplied by.
    ///
    /// The bucket's own entry `A (1 - ς) - ς ΣA_k` is shared as the student shares its mass among these classes, however
    /// little that is of the whole. Where it has none of it, a logit of -inf comes with the entry itself.
    fn others(&self) -> (T, f64) {
        let given: f64 = self.slopes.iter().map(|slope| slope.term.q).sum();
        let Some((others, sum)) = self.outside else {
            return (self.among.max, -given * (self.scale / (1.0 + self.among.others)));
        };
        let entry = self.scale * (others.term.q * others.rest - others.prob * given);
        if sum.max > T::neg_infinity() {
            return (sum.max, entry / (1.0 + sum.others));
        }
        (sum.max, if self.is_alone || entry == 0.0 { entry } else { f64::NAN })
    }

    /// `ΣA` over all of the teacher's classes but one.
    fn sum_without(&self, slope: &Slope) -> f64 {
        self.slopes.iter().filter(|other| other.class != slope.class).map(|other| other.term.q).sum()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use crate::divergence::{
        AmariDivergence, ClassDivergence, GeneralizedJsd, JensenShannonDivergence, KlDivergence, MixtureChiSquare,
        ReverseKlDivergence, SparseDivergence, SparseTeacher, SquaredHellinger, Tail, TotalVariation,
    };
    use crate::logits::LogitTransform;
    use crate::{Reduction, Result};

    const NONE: f64 = f64::NEG_INFINITY;

    /// From a teacher of the first two classes.
    fn grad<K: ClassDivergence>(divergence: K, log_probs: [f64; 2], logits: &[f64]) -> Result<(f64, Vec<f64>)> {
        let (indices, log_probs): (_, Array2<f64>) = (array![[0_i64, 1]], array![log_probs]);
        let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
        let logits = Array2::from_shape_vec((1, logits.len()), logits.to_vec()).unwrap();
        let distil = SparseDivergence { divergence, tail: Tail::Bucket, transform: LogitTransform::default() };
        let (value, gradient) = distil.grad(teacher, &logits, Reduction::Sum)?;
        Ok((value, gradient.into_raw_vec_and_offset().0))
    }

    fn check<K: ClassDivergence>(divergence: K, log_probs: [f64; 2], logits: &[f64], value: f64, exact: &[f64]) {
        let (got, gradient) = grad(divergence, log_probs, logits).unwrap();
        assert!((got - value).abs() <= 1e-13 * value, "{got}, {value}");
        for (entry, exact) in gradient.iter().zip(exact) {
            assert!((entry - exact).abs() <= 1e-12 * exact.abs(), "{entry}, {exact} of {}", std::any::type_name::<K>());
        }
    }

    /// The student's mass outside, or inside, is `e^-10000`. Exact: by 400 digits.
    #[test]
    fn a_bucket_is_shared_however_little_the_student_has_of_it() {
        let log_probs = [-1.0, -2.0];
        let exact = [0.632_120_558_828_557_7, -0.135_335_283_236_612_7, -0.496_785_275_591_945];
        check(KlDivergence, log_probs, &[1e4, 0.0, 0.0], 6_320.219_488_597_077, &exact);
        let exact =
            [-0.367_879_441_171_442_3, -0.135_335_283_236_612_7, 0.367_879_441_171_442_3, 0.135_335_283_236_612_7];
        check(KlDivergence, log_probs, &[0.0, 0.5, 1e4, 9999.0], 5_031.251_114_644_184, &exact);
        // Several share by their logits.
        let (_, gradient) = grad(KlDivergence, log_probs, &[1e4, 0.0, 0.0, 1.0]).unwrap();
        let sum = 1.0 + 1.0_f64.exp();
        assert!((gradient[2] + 0.496_785_275_591_945 / sum).abs() < 1e-15, "{gradient:?}");
        assert!((gradient[3] + 0.496_785_275_591_945 / sum * 1.0_f64.exp()).abs() < 1e-15, "{gradient:?}");
        let (value, gradient) = grad(ReverseKlDivergence, log_probs, &[1e4, 0.0, 0.0]).unwrap();
        assert_eq!((value, gradient), (1.0, vec![0.0; 3]));
    }

    /// Of one class it is the limit. How several share it nothing says.
    #[test]
    fn a_bucket_that_the_student_has_not_is_pulled_where_it_is_one_class() {
        let (value, gradient) = grad(KlDivergence, [-1.0, -2.0], &[0.0, 0.0, NONE]).unwrap();
        assert_eq!(value, f64::INFINITY);
        for (entry, exact) in
            gradient.iter().zip([0.132_120_558_828_557_7, 0.364_664_716_763_387_3, -0.496_785_275_591_945])
        {
            assert!((entry - exact).abs() < 1e-15, "{entry}, {exact}");
        }
        let error = grad(KlDivergence, [-1.0, -2.0], &[0.0, 0.0, NONE, NONE]).unwrap_err();
        let message = "`logits`[0, 2] is -inf, allowed is a class of both sides, or the gradient is infinite";
        assert_eq!(error.to_string(), message);
        let (_, gradient) = grad(SquaredHellinger, [-1.0, -2.0], &[0.0, 0.0, NONE, NONE]).unwrap();
        assert_eq!(gradient[2..], [0.0, 0.0]);
    }

    /// The teacher has `e^-60`, next to all and `2^-40` outside; the student nearly all where the teacher has `e^-60`.
    /// Exact: by 400 digits.
    #[test]
    fn slopes_near_their_limit_leave_the_gradient_its_digits() {
        let (log_probs, logits) = ([-60.0, -(0.5_f64.powi(40))], [80.0, 0.0, -3.0, -5.0]);
        let exact = [
            7.500_709_279_565_082e-34,
            -7.219_405_551_381_579e-34,
            -2.477_715_018_083_142e-35,
            -3.353_222_637_518_91e-36,
        ];
        check(JensenShannonDivergence, log_probs, &logits, std::f64::consts::LN_2, &exact);
        let exact = [
            1.038_789_487_244_31e-33,
            -1.000_012_050_158_753e-33,
            -3.415_505_327_642_965e-35,
            -4.622_383_809_127_203e-36,
        ];
        check(GeneralizedJsd { beta: 0.3 }, log_probs, &logits, 0.610_864_302_054_893_5, &exact);
        let exact = [
            1.593_683_032_339_670_5e-24,
            -1.593_630_961_294_720_2e-24,
            -4.586_402_423_953_624e-29,
            -6.207_020_710_828_507e-30,
        ];
        check(AmariDivergence { alpha: 0.3 }, log_probs, &logits, 4.761_904_689_381_049, &exact);
        let exact = [
            3.813_741_280_556_874e-35,
            -3.609_702_775_690_83e-35,
            -1.797_165_188_809_876e-36,
            -2.432_198_598_505_651e-37,
        ];
        check(MixtureChiSquare, log_probs, &logits, 1.0, &exact);
        let exact = [
            2.124_177_609_272_199e-18,
            -2.124_177_127_644_828_5e-18,
            -4.242_159_805_207_948e-25,
            -5.741_138_987_727_913e-26,
        ];
        check(SquaredHellinger, log_probs, &logits, 0.999_999_999_999_906_4, &exact);
        let exact = [
            1.906_870_640_278_437e-35,
            -1.804_851_387_845_415e-35,
            -8.985_825_944_049_38e-37,
            -1.216_099_299_252_826e-37,
        ];
        check(TotalVariation, log_probs, &logits, 1.0, &exact);
    }
}
