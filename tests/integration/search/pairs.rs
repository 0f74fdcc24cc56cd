//! Every objective over pairs and over log-ratios: no panic, nothing that is not finite but exact limits, one value from all
//! methods, errors that name what stands in the input, and no trace of pairs of weight zero.

use loglik::preference::{Out, PairBatch, PairConfig, PairObjective, Pairs, Term, WeightedSum};
use loglik::ratio::{Ddo, RatioObjective, Samples};
use loglik::{Error, Real, Reduction, Result};
use loglik_catalogue::hyper::Picks;
use loglik_catalogue::objectives::every;
use loglik_catalogue::random::Random;
use ndarray::{Array1, Array2, ArrayView1};

const NAMES: [&str; 10] = [
    "policy.chosen",
    "policy.rejected",
    "reference.chosen",
    "reference.rejected",
    "lengths.chosen",
    "lengths.rejected",
    "rewards.chosen",
    "rewards.rejected",
    "label",
    "gold",
];

/// What messages call the column of labels, by what they mean.
const LABELS: [&str; 4] = ["offset", "soft_label", "tie_probability", "rating_gap"];

/// The column that a message names.
fn column_of(argument: &str) -> Option<usize> {
    let name = if LABELS.contains(&argument) { "label" } else { argument };
    NAMES.iter().position(|known| *known == name)
}

/// Numbers of pairs: one, around groups of lanes, around a block, several blocks.
const SIZES: [usize; 10] = [1, 2, 31, 32, 33, 1, 1023, 1024, 1025, 2600];

const EXTREMES: [f64; 22] = [
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    1e-45,
    -1e-310,
    1e-300,
    -1e-300,
    1e300,
    -1e300,
    3.4e38,
    -3.4e38,
    f64::MAX,
    f64::MIN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    -1e4,
    -1e4,
    -745.0,
    -1.0,
];

/// A batch of any content, and weights of which some are zero.
#[derive(Clone)]
struct Batch<T> {
    columns: Vec<Array1<T>>,
    weights: Array1<T>,
}

impl<T: Real> Batch<T> {
    fn random(random: &mut Random, pairs: usize) -> Self {
        let columns = (0..10).map(|column| {
            // Most batches have a few extremes, some nothing else.
            let share = [0.0, 0.002, 0.05, 0.6][random.below(4)];
            Array1::from_shape_simple_fn(pairs, || {
                let x = match column {
                    _ if random.unit() < share => EXTREMES[random.below(EXTREMES.len())],
                    4 | 5 => 1.0 + random.below(40) as f64,
                    6 => 0.5 + 0.5 * random.unit(),
                    7 => 0.5 * random.unit(),
                    8 => random.unit(),
                    _ => -0.01 - 60.0 * random.unit(),
                };
                T::from_f64(x)
            })
        });
        let columns = columns.collect();
        let share = [0.1, 0.5, 0.9][random.below(3)];
        let weight = || T::from_f64(if random.unit() < share { 0.0 } else { random.unit() });
        Self { columns, weights: Array1::from_shape_simple_fn(pairs, weight) }
    }

    fn views(&self) -> Vec<ArrayView1<'_, T>> {
        self.columns.iter().map(|column| column.view()).collect()
    }

    /// The same with something else in all pairs of weight zero.
    fn masked_by(&self, value: f64) -> Self {
        let mut other = self.clone();
        for column in &mut other.columns {
            column
                .iter_mut()
                .zip(&self.weights)
                .filter(|(_, w)| **w == T::zero())
                .for_each(|(x, _)| *x = T::from_f64(value));
        }
        other
    }
}

/// Value and gradient, or losses; in bits.
type Found = Result<(u64, Vec<u64>)>;

fn found<T: Real>(result: Result<(T, impl IntoIterator<Item = T>)>) -> Found {
    result.map(|(value, each)| (value.as_f64().to_bits(), each.into_iter().map(|x| x.as_f64().to_bits()).collect()))
}

/// What can be compared: NaN in an error is no number like itself.
fn told(found: &[Found]) -> Vec<std::result::Result<&(u64, Vec<u64>), String>> {
    found.iter().map(|found| found.as_ref().map_err(ToString::to_string)).collect()
}

fn is_finite(bits: &u64) -> bool {
    f64::from_bits(*bits).is_finite()
}

/// The value alone, with the gradient and with the losses.
fn run<T: Real>(objective: &dyn PairObjective<T>, columns: &[ArrayView1<'_, T>], by: Reduction<'_, T>) -> [Found; 3] {
    let both = |i: usize| Pairs { chosen: columns[i].view(), rejected: columns[i + 1].view() };
    let batch = PairBatch::new(both(0)).reference(both(2)).lengths(both(4)).rewards(both(6));
    let batch = batch
        .offset(columns[8].view())
        .soft_label(columns[8].view())
        .tie_probability(columns[8].view())
        .rating_gap(columns[8].view())
        .gold(columns[9].view());
    let value = objective.value(batch, by).map(|value| (value, []));
    let grad = objective.grad(batch, by).map(|(value, grad)| (value, grad.chosen.into_iter().chain(grad.rejected)));
    let mut each = Array1::zeros(batch.len());
    let sum = objective.run(&batch, by, T::one(), Out::Each(each.view_mut())).map(|sum| (sum, each));
    [found(value), found(grad), found(sum)]
}

/// The error must be one of the input: a number that stands there, in a pair that counts.
fn is_of_the_input<T: Real>(error: &Error, batch: &Batch<T>, counts: impl Fn(usize) -> bool) -> bool {
    match error {
        Error::Value { argument, position, value, .. } => {
            let column = column_of(argument);
            let place = column.zip(position.0.first());
            place.is_some_and(|(column, &pair)| {
                let x = batch.columns[column][pair].as_f64();
                counts(pair) && (x.to_bits() == value.to_bits() || (x.is_nan() && value.is_nan()))
            })
        }
        Error::Overflow { argument, position, .. } => {
            let known = ["loss", "out", "out.chosen", "out.rejected", "beta"];
            (known.contains(argument) || column_of(argument).is_some())
                && position.0.first().is_none_or(|&pair| counts(pair))
        }
        Error::Parameter { argument: name, .. } => *name != "scale",
        _ => true,
    }
}

fn holds<T: Real>(config: &PairConfig, random: &mut Random, pairs: usize) {
    let (objective, batch): (&dyn PairObjective<T>, _) = (config, Batch::<T>::random(random, pairs));
    let weighted = random.below(3) > 0;
    let by = if weighted { Reduction::Weighted(&*batch.weights) } else { Reduction::Mean };
    let counts = |pair: usize| !weighted || batch.weights[pair] > T::zero();
    let case = format!("{config:?}, {pairs} pairs of {}, weighted: {weighted}", std::any::type_name::<T>());
    let results = run(objective, &batch.views(), by);
    let endless = (0..pairs).any(|pair| counts(pair) && batch.columns.iter().any(|column| column[pair].is_infinite()));
    for result in &results {
        match result {
            Ok((value, each)) => {
                let value = f64::from_bits(*value);
                assert!(!value.is_nan() && (value.is_finite() || endless), "{case}: {value}");
                assert!(each.iter().all(|x| !f64::from_bits(*x).is_nan()), "{case}");
                assert!(endless || each.iter().all(is_finite), "{case}");
            }
            Err(error) => assert!(is_of_the_input(error, &batch, counts), "{case}: {error}"),
        }
    }
    let [value, grad, each] = &results;
    assert!(grad.as_ref().is_ok_and(|(_, grad)| grad.iter().all(is_finite)) || grad.is_err(), "{case}");
    for other in [grad, each].into_iter().flatten() {
        assert_eq!(value.as_ref().map(|(value, _)| *value), Ok(other.0), "{case}");
    }
    if weighted {
        for masked in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            let other = run(objective, &batch.masked_by(masked).views(), by);
            assert_eq!(told(&other), told(&results), "{case}, masked {masked}");
        }
    }
    let spread = |column: &Array1<T>| {
        let mut table = Array2::from_elem((pairs, 2), T::nan());
        table.column_mut(1).assign(column);
        table
    };
    let tables: Vec<_> = batch.columns.iter().map(spread).collect();
    let views: Vec<_> = tables.iter().map(|table| table.column(1)).collect();
    assert_eq!(told(&run(objective, &views, by)), told(&results), "{case}, in another layout");
}

#[test]
fn objectives_of_pairs_keep_their_promises_at_the_ends_of_the_type() {
    for (seed, pairs) in (0..3).flat_map(|_| SIZES).enumerate() {
        let mut picks = Picks { random: Random(seed as u64), wild: true };
        let mut objectives = every(&mut picks);
        let terms = (0..3).map(|_| {
            let objective = objectives[picks.random.below(objectives.len())].clone();
            Term { weight: picks.weight(), objective }
        });
        objectives.push(PairConfig::WeightedSum(WeightedSum { terms: terms.collect() }));
        for config in &objectives {
            holds::<f32>(config, &mut picks.random, pairs);
            holds::<f64>(config, &mut picks.random, pairs);
        }
    }
}

fn ratios_hold<T: Real>(ddo: Ddo, random: &mut Random, sizes: [usize; 2]) {
    let [real, fake] = sizes.map(|n| Batch::<T>::random(random, n));
    let by = Samples { real: Reduction::Weighted(&*real.weights), fake: Reduction::Weighted(&*fake.weights) };
    let run = |real: &Array1<T>, fake: &Array1<T>| {
        let samples = Samples { real: real.view(), fake: fake.view() };
        let grad = ddo.grad(samples, by).map(|(value, grad)| (value, grad.real.into_iter().chain(grad.fake)));
        [found(ddo.value(samples, by).map(|value| (value, []))), found(grad)]
    };
    let [value, grad] = run(&real.columns[0], &fake.columns[0]);
    let case = format!("{ddo:?}, {sizes:?} of {}", std::any::type_name::<T>());
    if let Ok((bits, slopes)) = &grad {
        assert_eq!(value.as_ref().map(|(value, _)| value), Ok(bits), "{case}");
        assert!(!f64::from_bits(*bits).is_nan() && slopes.iter().all(is_finite), "{case}");
    }
    if let Err(Error::Value { argument, position, value, .. }) = &value {
        let side = if argument == &"real" { &real } else { &fake };
        let x = side.columns[0][position.0[0]].as_f64();
        assert!(x.is_nan() && value.is_nan() && side.weights[position.0[0]] > T::zero(), "{case}");
    }
    for masked in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let (real, fake) = (real.masked_by(masked), fake.masked_by(masked));
        let other = run(&real.columns[0], &fake.columns[0]);
        assert_eq!(told(&other), told(&[value.clone(), grad.clone()]), "{case}, {masked}");
    }
}

#[test]
fn objectives_of_ratios_keep_their_promises_at_the_ends_of_the_type() {
    for seed in 0..120 {
        let mut picks = Picks { random: Random(1000 + seed), wild: true };
        let ddo = Ddo { alpha: picks.weight(), beta: picks.weight() };
        let sizes = [picks.one_of(&SIZES), picks.one_of(&SIZES)];
        ratios_hold::<f32>(ddo, &mut picks.random, sizes);
        ratios_hold::<f64>(ddo, &mut picks.random, sizes);
    }
}
