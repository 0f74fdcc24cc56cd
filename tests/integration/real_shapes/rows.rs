//! Rows of logits as language models have them.

/// Numbers of classes: around a block of the kernels, and vocabularies in use.
pub const CLASSES: [usize; 6] = [2_047, 2_048, 2_049, 4_096, 32_000, 128_256];

/// What a row looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Logits of one size.
    Flat,
    /// One class holds all mass but about 1e-6.
    Confident(usize),
    /// Two classes share nearly all of the mass.
    TwoPeaks(usize, usize),
    /// One class in a hundred is possible.
    MostlyForbidden,
}

/// Every kind of row over so many classes: peaks at both ends, in the middle and at both sides of a border of blocks.
pub fn shapes(classes: usize) -> Vec<Shape> {
    let places = [0, classes / 2, classes - 1, 2_047, 2_048];
    let confident = places.into_iter().filter(|&place| place < classes).map(Shape::Confident);
    let others = [Shape::Flat, Shape::TwoPeaks(1, classes - 2), Shape::MostlyForbidden];
    confident.chain(others).collect()
}

impl Shape {
    /// A row of such logits, other ones for other seeds. Every number is one of `f32`.
    pub fn logits(self, classes: usize, seed: usize) -> Vec<f64> {
        let noise = |i: usize| ((i * 7_919 + seed * 104_729) % 8_191) as f64 / 8_192.0 - 0.5;
        let peak = (classes as f64 * 1e6).ln().round();
        let mut row: Vec<f64> = (0..classes).map(noise).collect();
        match self {
            Self::Flat => {}
            Self::Confident(place) => row[place] = peak,
            Self::TwoPeaks(first, second) => (row[first], row[second]) = (peak, peak - 0.75),
            Self::MostlyForbidden => {
                row.iter_mut().enumerate().filter(|(i, _)| i % 100 != 7).for_each(|(_, x)| *x = f64::NEG_INFINITY);
            }
        }
        row
    }
}

/// A sum of numbers of any sizes, of which a hundred thousand small ones must not be lost beside a large one (Neumaier).
pub fn total(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for x in numbers {
        let next = sum + x;
        let (large, small) = if sum.abs() < x.abs() { (x, sum) } else { (sum, x) };
        lost += if next.is_finite() { (large - next) + small } else { 0.0 };
        sum = next;
    }
    sum + lost
}

/// A sum that carries what its additions round off (Neumaier), for exact numbers beside long rows.
pub fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for term in terms {
        let next = sum + term;
        let rounded = if sum.abs() >= term.abs() { (sum - next) + term } else { (term - next) + sum };
        (sum, lost) = (next, if rounded.is_finite() { lost + rounded } else { lost });
    }
    sum + lost
}

/// Logarithms of the probabilities of a row, by a plain loop.
pub fn log_softmax(row: &[f64]) -> Vec<f64> {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = (total(row.iter().map(|x| (x - max).exp()).chain([-1.0]))).ln_1p();
    row.iter().map(|x| (x - max) - log_sum).collect()
}
