//! Every objective over pairs, by its own type.

use loglik::ndarray::Array1;
use loglik::preference::*;
use loglik::{Real, Reduction, Result};

/// Value, gradient, losses and parts of one objective, added up.
fn all_of<T: Real>(objective: &impl PairObjective<T>, batch: PairBatch<'_, T>) -> Result<f64> {
    let value = objective.value(batch, Reduction::Sum)?;
    let (mean, gradient) = objective.grad(batch, Reduction::Mean)?;
    let parts = objective.sum_count(batch).map_or(0.0, |parts| parts.sum);
    let each = objective.each(batch).map_or(0.0, |each| each.iter().map(|x| x.as_f64()).sum());
    Ok(value.as_f64() + mean.as_f64() + gradient.chosen[0].as_f64() + gradient.rejected[0].as_f64() + parts + each)
}

/// The total over all objectives.
pub fn run<T: Real>() -> Result<f64> {
    let column = |step: f64, low: f64| Array1::from_shape_fn(64, |i| T::from_f64(low - (step * i as f64) % 3.0));
    let (w, l, r, q) = (column(1.3, -0.5), column(2.1, -0.6), column(0.7, -0.4), column(3.3, -0.7));
    let (n, k) = (column(0.0, 7.0), column(0.0, 9.0));
    let (half, shares) = (column(0.0, 0.5), column(0.0, 0.75));
    let both =
        |chosen: &'_ Array1<T>, rejected: &'_ Array1<T>| Pairs { chosen: chosen.clone(), rejected: rejected.clone() };
    let (policy, reference, lengths, rewards) = (both(&w, &l), both(&r, &q), both(&n, &k), both(&shares, &half));
    let batch = PairBatch::new(policy.view())
        .reference(reference.view())
        .lengths(lengths.view())
        .rewards(rewards.view())
        .soft_label(half.view())
        .rating_gap(half.view())
        .gold(r.view());
    let (sum, mean) = (Length::Sum, Length::Mean);
    let mut total = 0.0;
    macro_rules! add {
        ($($objective:expr),* $(,)?) => {
            $(total += all_of::<T>(&$objective, batch)?;)*
        };
    }
    add!(
        Dpo::default(),
        RobustDpo::default(),
        Hinge::default(),
        Slic { delta: 1.0, length: sum },
        Ipo { beta: 0.1, length: sum },
        ExoPair::default(),
        DiscoPop::default(),
        SigmoidNorm { beta: 5.0, label_smoothing: 0.1 },
        Cpo { beta: 0.1, label_smoothing: 0.0, length: sum },
        CpoHinge { beta: 0.1, length: sum },
        CpoIpo { beta: 0.1, length: mean },
        SimPo::default(),
        AlphaPo::default(),
        RDpo { beta: 0.1, alpha: 0.01, label_smoothing: 0.0 },
        Odpo::default(),
        FlexDpo { beta_chosen: 0.1, beta_rejected: 0.02 },
        ChiPo { beta: 0.1, clip: 2.0 },
        Rebel::default(),
        SoftDpo::default(),
        RewardAwareRpo { beta: 0.1, eta: 1.0, distance: RewardDistance::Squared, length: sum },
        RaoKupper::default(),
        Davidson::default(),
        Poft { beta: 0.1, gamma: 0.5 },
        DiffusionDpo { beta: 0.5 },
        Pso { beta: 50.0, epsilon: 0.1, length: sum },
        NcaPair { beta: 0.1 },
        BcoPair { beta: 0.1, delta: 0.0 },
        SppoHard { beta: 0.1 },
        SppoSoft { beta: 0.1 },
        ApoZero { beta: 0.1 },
        ApoDown { beta: 0.1 },
        CalDpo { beta: 0.1 },
        Dpop { beta: 0.1, lambda: 5.0, placement: Placement::Inside },
        Asft { lambda: 0.1, beta: 1.0, length: mean },
        SimPer { length: mean },
        Tpo::default(),
        Orpo::default(),
        Nll { length: sum },
        BradleyTerry { gap: RatingGap::Margin, centering: 0.01 },
        RewardTies { model: TieModel::Davidson, nu: 2.0, centering: 0.01 },
        RewardRegression {},
        ProcessReward {},
        Aot::default(),
        AotUnpaired::default(),
        BetaDpo { beta: 0.1, alpha: 0.6, baseline: 0.0, floor: 1e-3, label_smoothing: 0.0 },
        DrDpo::default(),
        AlphaDpo {
            beta: 2.0,
            gamma: 0.6,
            alpha: 0.15,
            label_smoothing: 0.0,
            usual: MarginMoments { mean: 0.0, std: 1.0 }
        },
        KtoPair { beta: 0.1, baseline: Baseline::Detached },
        Sft,
        Linked { loss: Dpo::default(), link: ForwardKlLink },
        Linked { loss: Ipo { beta: 0.1, length: mean }, link: JensenShannonLink },
        Linked { loss: Hinge::default(), link: AlphaLink::default() },
        PairConfig::Sigmoid(Dpo::default()),
        WeightedSum { terms: vec![Term { weight: 0.5, objective: Dpo::default() }] },
    );
    let metrics = pair_metrics(batch, 0.1)?;
    Ok(total + metrics.margin)
}
