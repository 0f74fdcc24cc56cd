//! Pair objectives against a plain loop over the standard library's functions, from one small batch to far beyond caches.

use std::hint::black_box;

use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use loglik::ndarray::Array1;
use loglik::preference::{AlphaLink, Aot, DrDpo, JensenShannonLink, Nll};
use loglik::prelude::*;
use loglik_catalogue::objectives as catalogue;

const SIZES: [usize; 4] = [64, 4096, 65_536, 1 << 20];

/// Owned columns of a batch: log-probabilities from -50 to 0, lengths from 1 to 40.
struct Columns {
    policy: Pairs<Array1<f32>>,
    reference: Pairs<Array1<f32>>,
    lengths: Pairs<Array1<f32>>,
    /// Probabilities to win, of which the chosen one is larger.
    rewards: Pairs<Array1<f32>>,
    /// Probabilities.
    target: Array1<f32>,
}

impl Columns {
    fn new(n: usize) -> Self {
        let mixed = |seed: usize| move |i: usize| ((i * 2_654_435_761 + seed * 977) % 5003) as f32;
        let log_probs = |seed| Array1::from_shape_fn(n, mixed(seed)).mapv(|x| -0.01 * (x + 1.0));
        let lengths = |seed| Array1::from_shape_fn(n, mixed(seed)).mapv(|x| 1.0 + (x % 40.0).floor());
        Self {
            policy: Pairs { chosen: log_probs(1), rejected: log_probs(2) },
            reference: Pairs { chosen: log_probs(3), rejected: log_probs(4) },
            lengths: Pairs { chosen: lengths(5), rejected: lengths(6) },
            rewards: Pairs { chosen: log_probs(7) / -120.0 + 0.55, rejected: log_probs(8) / -120.0 },
            target: log_probs(9) / -60.0,
        }
    }

    fn batch(&self) -> PairBatch<'_, f32> {
        PairBatch::new(self.policy.view()).reference(self.reference.view()).lengths(self.lengths.view())
    }

    /// With everything that any objective looks at.
    fn judged(&self) -> PairBatch<'_, f32> {
        self.batch()
            .rewards(self.rewards.view())
            .offset(self.target.view())
            .soft_label(self.target.view())
            .tie_probability(self.target.view())
            .rating_gap(self.target.view())
            .gold(self.reference.chosen.view())
    }

    /// What one would write by hand: mean of `softplus(-z)`, and its gradient pushed to two vectors.
    fn plain_loop(&self, beta: f32) -> (f32, Vec<f32>, Vec<f32>) {
        let n = self.policy.chosen.len();
        let (mut sum, mut chosen, mut rejected) = (0.0, Vec::with_capacity(n), Vec::with_capacity(n));
        for i in 0..n {
            let ratio =
                |side: fn(&Pairs<Array1<f32>>) -> &Array1<f32>| side(&self.policy)[i] - side(&self.reference)[i];
            let z = beta * (ratio(|pairs| &pairs.chosen) - ratio(|pairs| &pairs.rejected));
            sum += (-z).max(0.0) + (-z.abs()).exp().ln_1p();
            let slope = -beta / (1.0 + z.exp()) / n as f32;
            chosen.push(slope);
            rejected.push(-slope);
        }
        (sum / n as f32, chosen, rejected)
    }
}

fn run(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, objective: &dyn PairObjective<f32>) {
    for n in SIZES {
        let columns = Columns::new(n);
        let mut out = Pairs { chosen: Array1::zeros(n), rejected: Array1::zeros(n) };
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new(format!("{name}/value"), n), |bencher| {
            bencher.iter(|| objective.value(black_box(columns.batch()), Reduction::Mean))
        });
        group.bench_function(BenchmarkId::new(format!("{name}/grad"), n), |bencher| {
            bencher.iter(|| objective.grad(black_box(columns.batch()), Reduction::Mean))
        });
        group.bench_function(BenchmarkId::new(format!("{name}/grad_into"), n), |bencher| {
            bencher.iter(|| objective.grad_into(black_box(columns.batch()), Reduction::Mean, out.view_mut()))
        });
    }
}

/// Every row of the catalogue at a batch of training, one that fits a cache, and one that does not.
fn objectives(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("objective");
    for n in [8, 4096, 1 << 20] {
        let columns = Columns::new(n);
        let mut out = Pairs { chosen: Array1::zeros(n), rejected: Array1::zeros(n) };
        group.throughput(Throughput::Elements(n as u64));
        for row in catalogue::objectives() {
            let config = row.usual();
            group.bench_function(BenchmarkId::new(format!("{}/grad_into", row.entry), n), |bencher| {
                bencher.iter(|| config.grad_into(black_box(columns.judged()), Reduction::Mean, out.view_mut()))
            });
        }
    }
}

fn pairs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("preference");
    for n in SIZES {
        let columns = Columns::new(n);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("plain_loop", n), |bencher| {
            bencher.iter(|| black_box(&columns).plain_loop(0.1))
        });
        group.bench_function(BenchmarkId::new("pair_metrics", n), |bencher| {
            bencher.iter(|| pair_metrics(black_box(columns.batch()), 0.1))
        });
    }
    let nll = Nll { length: Length::Mean };
    let rpo = WeightedSum {
        terms: vec![
            Term { weight: 1.0, objective: PairConfig::Sigmoid(Dpo::default()) },
            Term { weight: 0.5, objective: PairConfig::Nll(nll) },
        ],
    };
    run(&mut group, "dpo", &Dpo::default());
    run(&mut group, "dpo_jensen_shannon", &Linked { loss: Dpo::default(), link: JensenShannonLink });
    run(&mut group, "ipo", &Ipo { beta: 0.1, length: Length::Mean });
    run(&mut group, "aot", &Aot::default());
    run(&mut group, "dr_dpo", &DrDpo::default());
    run(&mut group, "dpo_alpha_divergence", &Linked { loss: Dpo::default(), link: AlphaLink::default() });
    let named = Link::AlphaDivergence { f_alpha_divergence_coef: 0.5 };
    run(&mut group, "dpo_alpha_divergence_by_name", &Linked { loss: Dpo::default(), link: named });
    run(&mut group, "orpo", &Orpo::default());
    run(&mut group, "dpo_nll", &rpo);
}

criterion_group!(benches, pairs, objectives);
criterion_main!(benches);
