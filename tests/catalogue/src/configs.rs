//! Every objective that a configuration names, with hyper-parameters that are as in training or anything at all.

use loglik::preference::{
    AlphaDpo, AlphaPo, Aot, AotUnpaired, ApoDown, ApoZero, Asft, Baseline, BcoPair, BetaDpo, BradleyTerry, CalDpo,
    ChiPo, Cpo, CpoHinge, CpoIpo, Davidson, DiffusionDpo, DiscoPop, Dpo, Dpop, DrDpo, ExoPair, FlexDpo, Hinge, Ipo,
    KtoPair, Length, Link, LinkableConfig, Linked, MarginMoments, NcaPair, Nll, Odpo, Orpo, PairConfig, Placement,
    Poft, ProcessReward, Pso, RDpo, RaoKupper, RatingGap, Rebel, RewardAwareRpo, RewardDistance, RewardGap,
    RewardRegression, RewardTies, RobustDpo, Sft, SigmoidNorm, SimPer, SimPo, Slic, SoftDpo, SppoHard, SppoSoft,
    TieModel, Tpo,
};

use crate::random::Random;

/// Where hyper-parameters come from.
#[derive(Debug)]
pub struct Picks {
    pub random: Random,
    /// Whether they are taken from the whole range of the type and sometimes from beyond their own.
    pub wild: bool,
}

impl Picks {
    pub fn one_of<A: Copy>(&mut self, choices: &[A]) -> A {
        choices[self.random.below(choices.len())]
    }

    /// Above zero.
    fn positive(&mut self) -> f64 {
        if !self.wild {
            return 0.05 + self.random.unit();
        }
        match self.random.below(8) {
            0..=4 => 10_f64.powf(5.0 * self.random.unit() - 3.0),
            5 => 10_f64.powf(600.0 * self.random.unit() - 300.0),
            6 => self.one_of(&[5e-324, 1e-300, 1e-45, f64::MIN_POSITIVE, 3.4e38, 1e300, f64::MAX]),
            _ => self.one_of(&[1.0, 1.0, 1.0, 0.0, -1.0, f64::NAN, f64::INFINITY]),
        }
    }

    /// Zero or above.
    pub fn weight(&mut self) -> f64 {
        if self.random.below(4) == 0 { 0.0 } else { self.positive() }
    }

    fn finite(&mut self) -> f64 {
        let size = self.weight();
        if size == 0.0 || self.random.below(2) == 0 { size } else { -size }
    }

    /// In `[0, 0.5)`.
    fn smoothing(&mut self) -> f64 {
        if self.wild && self.random.below(4) == 0 {
            return self.one_of(&[5e-324, 1e-300, 0.499_999_999_999_999_9]);
        }
        if self.random.below(2) == 0 { 0.0 } else { 0.4 * self.random.unit() }
    }

    fn length(&mut self) -> Length {
        self.one_of(&[Length::Sum, Length::Mean])
    }

    fn dpo(&mut self) -> Dpo {
        Dpo { beta: self.positive(), label_smoothing: self.smoothing() }
    }
}

/// Each objective but the weighted sum.
pub fn every(p: &mut Picks) -> Vec<PairConfig> {
    [margins(p), labeled(p), sides(p), whole_batches(p)].concat()
}

fn margins(p: &mut Picks) -> Vec<PairConfig> {
    vec![
        PairConfig::Sigmoid(p.dpo()),
        PairConfig::Robust(RobustDpo { beta: p.positive(), label_smoothing: p.smoothing() }),
        PairConfig::Hinge(Hinge { beta: p.positive() }),
        PairConfig::Slic(Slic { delta: p.positive(), length: p.length() }),
        PairConfig::Ipo(Ipo { beta: p.positive(), length: p.length() }),
        PairConfig::ExoPair(ExoPair { beta: p.positive(), label_smoothing: p.smoothing() }),
        PairConfig::DiscoPop(DiscoPop { beta: p.positive(), tau: p.one_of(&[0.05, 0.5, 1.0]) }),
        PairConfig::SigmoidNorm(SigmoidNorm { beta: p.positive(), label_smoothing: p.smoothing() }),
        PairConfig::Cpo(Cpo { beta: p.positive(), label_smoothing: p.smoothing(), length: p.length() }),
        PairConfig::CpoHinge(CpoHinge { beta: p.positive(), length: p.length() }),
        PairConfig::CpoIpo(CpoIpo { beta: p.positive(), length: p.length() }),
        PairConfig::SimPo(SimPo { beta: p.positive(), gamma: p.weight(), label_smoothing: p.smoothing() }),
        PairConfig::AlphaPo(AlphaPo {
            alpha: 0.1 * p.finite(),
            beta: p.positive(),
            gamma: p.weight(),
            label_smoothing: p.smoothing(),
        }),
        PairConfig::RDpo(RDpo { beta: p.positive(), alpha: p.finite(), label_smoothing: p.smoothing() }),
        PairConfig::FlexDpo(FlexDpo { beta_chosen: p.positive(), beta_rejected: p.weight() }),
        PairConfig::ChiPo(ChiPo { beta: 0.01 * p.positive(), clip: p.positive() }),
        PairConfig::Poft(Poft { beta: p.positive(), gamma: p.finite() }),
        PairConfig::Pso(Pso { beta: p.positive(), epsilon: p.one_of(&[0.1, 0.5]), length: p.length() }),
        PairConfig::Linked(Linked { loss: scorable(p), link: divergence(p) }),
    ]
}

fn scorable(p: &mut Picks) -> LinkableConfig {
    match p.random.below(4) {
        0 => LinkableConfig::Sigmoid(p.dpo()),
        1 => LinkableConfig::Hinge(Hinge { beta: p.positive() }),
        2 => LinkableConfig::Ipo(Ipo { beta: p.positive(), length: p.length() }),
        _ => LinkableConfig::SigmoidNorm(SigmoidNorm { beta: p.positive(), label_smoothing: p.smoothing() }),
    }
}

fn divergence(p: &mut Picks) -> Link {
    match p.random.below(4) {
        0 => Link::ReverseKl,
        1 => Link::ForwardKl,
        2 => Link::JsDivergence,
        _ => Link::AlphaDivergence { f_alpha_divergence_coef: p.finite() },
    }
}

/// Those that look at rewards, targets or ties.
fn labeled(p: &mut Picks) -> Vec<PairConfig> {
    let gap = p.one_of(&[RewardGap::Log, RewardGap::Difference]);
    let distance = p.one_of(&[RewardDistance::BackwardKl, RewardDistance::ForwardKl, RewardDistance::Squared]);
    let rating = p.one_of(&[RatingGap::Margin, RatingGap::Scale]);
    let model = p.one_of(&[TieModel::RaoKupper, TieModel::Davidson]);
    vec![
        PairConfig::Odpo(Odpo { beta: p.positive(), alpha: p.weight(), gap }),
        PairConfig::Rebel(Rebel { eta: p.positive() }),
        PairConfig::SoftDpo(SoftDpo { beta: p.positive() }),
        PairConfig::RewardAwareRpo(RewardAwareRpo {
            beta: p.positive(),
            eta: p.weight(),
            distance,
            length: p.length(),
        }),
        PairConfig::RaoKupper(RaoKupper { beta: p.positive(), nu: 1.0 + p.positive() }),
        PairConfig::Davidson(Davidson { beta: p.positive(), nu: p.positive() }),
        PairConfig::SppoSoft(SppoSoft { beta: p.positive() }),
        PairConfig::BradleyTerry(BradleyTerry { gap: rating, centering: p.weight() }),
        PairConfig::RewardTies(RewardTies { model, nu: 1.0 + p.positive(), centering: p.weight() }),
        PairConfig::RewardRegression(RewardRegression {}),
        PairConfig::ProcessReward(ProcessReward {}),
    ]
}

/// Those that look at each side by itself.
fn sides(p: &mut Picks) -> Vec<PairConfig> {
    let placement = p.one_of(&[Placement::Inside, Placement::Outside]);
    let (alpha, gamma) = (p.weight(), p.finite());
    let (tempered, length) = (p.positive(), p.length());
    vec![
        PairConfig::DiffusionDpo(DiffusionDpo { beta: p.positive() }),
        PairConfig::NcaPair(NcaPair { beta: p.positive() }),
        PairConfig::BcoPair(BcoPair { beta: p.positive(), delta: p.finite() }),
        PairConfig::SppoHard(SppoHard { beta: p.positive() }),
        PairConfig::ApoZero(ApoZero { beta: p.positive() }),
        PairConfig::ApoDown(ApoDown { beta: p.positive() }),
        PairConfig::CalDpo(CalDpo { beta: p.positive() }),
        PairConfig::Dpop(Dpop { beta: p.positive(), lambda: p.weight(), placement }),
        PairConfig::Asft(Asft { lambda: p.positive(), beta: p.one_of(&[1.0, tempered]), length }),
        PairConfig::SimPer(SimPer { length: Length::Mean }),
        PairConfig::Tpo(Tpo { beta: p.positive(), alpha, gamma, label_smoothing: p.smoothing(), length: p.length() }),
        PairConfig::Orpo(Orpo { lambda: p.positive(), length: p.length() }),
        PairConfig::Nll(Nll { length: p.length() }),
    ]
}

/// Functions of the whole batch.
pub fn whole_batches(p: &mut Picks) -> Vec<PairConfig> {
    let usual = MarginMoments { mean: 0.1 * p.finite(), std: p.positive() };
    let baseline = p.one_of(&[Baseline::Detached, Baseline::Differentiated]);
    vec![
        PairConfig::Aot(Aot { beta: p.positive(), label_smoothing: p.smoothing() }),
        PairConfig::AotUnpaired(AotUnpaired { beta: p.positive(), label_smoothing: p.smoothing() }),
        PairConfig::BetaDpo(BetaDpo {
            beta: p.positive(),
            alpha: p.weight(),
            baseline: p.finite(),
            floor: p.positive(),
            label_smoothing: p.smoothing(),
        }),
        PairConfig::DrDpo(DrDpo { loss: p.dpo(), beta_prime: p.positive() }),
        PairConfig::AlphaDpo(AlphaDpo {
            beta: p.positive(),
            gamma: p.finite(),
            alpha: p.weight(),
            label_smoothing: p.smoothing(),
            usual,
        }),
        PairConfig::KtoPair(KtoPair { beta: p.positive(), baseline }),
        PairConfig::Sft(Sft),
    ]
}
