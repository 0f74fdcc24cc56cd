//! One row of a sparse teacher against the student's logits.

use std::ops::Range;

use super::class_loops::{HasLoops, Loops};
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
    let log_rest = teacher.log_rest_beside(student.log_share(&student.outside));
    let given = if teacher.log_hidden.is_some() { (-log_rest.exp()).ln_1p() } else { 0.0 }; // what it leaves to the others
    slopes.clear();
    slopes.extend(teacher.classes.iter().map(|&(class, log_p)| {
        let logit = logits.at(class);
        let term = loops.term(pair(log_p + given, -among.nll(logit)));
        Slope { class, term, prob: among.prob(logit), rest: among.complement(logit) }
    }));
    let has_others = matches!(tail, Tail::Bucket | Tail::Cut) && teacher.classes.len() < logits.len();
    let others = has_others.then(|| {
        let (log, rest) = (student.log_share(&student.outside), student.log_share(&student.inside));
        let term = loops.term(pair(log_rest, log));
        Slope { class: usize::MAX, term, prob: log.exp(), rest: rest.exp() }
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
    let is_conditional = tail == Tail::Conditional;
    let gradient = Gradient { slopes, others: others.as_ref(), among, is_conditional, scale };
    if gradient.write(logits, block, out) {
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
        (None, Some(others)) if !others.term.q.is_finite() => {
            among_others().map_or(Outcome::Overflow, Outcome::OneSided)
        }
        _ => Outcome::Overflow,
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
    others: Option<&'a Slope>,
    /// The sum over all classes that the probabilities are of.
    among: &'a RowSum<T>,
    /// Whether those are the teacher's alone.
    is_conditional: bool,
    scale: f64,
}

impl<T: Real> Gradient<'_, T> {
    /// `A_k - q_k ΣA` for the teacher's classes, and for all others their share of one bucket's; whether all is finite.
    fn write(&self, logits: Logits<'_, T>, scratch: &mut [T], out: &mut [T]) -> bool {
        let factor = self.factor();
        if self.is_conditional {
            out.fill(T::zero());
        } else {
            for first in (0..logits.len()).step_by(BLOCK) {
                let at = first..logits.len().min(first + BLOCK);
                let block = &mut scratch[..at.len()];
                logits.copy(at.clone(), block);
                simd::scale_exp(block, self.among.max, T::from_f64(factor));
                out[at].copy_from_slice(block);
            }
        }
        let mut is_finite = T::from_f64(factor).is_finite();
        let bucket = self.others.map_or(0.0, |others| others.term.q);
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

    /// What `e^(y - max)` of a class that the teacher does not give is multiplied by.
    fn factor(&self) -> f64 {
        let given: f64 = self.slopes.iter().map(|slope| slope.term.q).sum();
        // `A/q - ΣA` of the bucket, in which its own A is not to cancel.
        let per_prob = match self.others {
            Some(others) if others.term.q != 0.0 => others.term.q * (others.rest / others.prob) - given,
            _ => -given,
        };
        per_prob * (self.scale / (1.0 + self.among.others))
    }

    /// `ΣA` over all of the teacher's classes but one.
    fn sum_without(&self, slope: &Slope) -> f64 {
        self.slopes.iter().filter(|other| other.class != slope.class).map(|other| other.term.q).sum()
    }
}
