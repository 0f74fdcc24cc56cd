//! Discriminators with their generators, contrasts with noise, and candidates: means over the batch.

use loglik::ratio::{
    CandidateNll, Contrast, Ddo, GeneratorLoss, HingeGan, LeastSquaresGan, Nce, NceBatch, RatioLoss, RatioObjective,
    Relativistic, Samples, ranking_nce as ranking, ranking_nce_grad,
};
use loglik::{Real, Reduction};
use ndarray::{Array0, Array1, Ix0, Ix1, Ix2};

use super::{Case, Failure};

pub fn logistic<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    game(case, Ddo::default(), Ddo::default().generator())
}

pub fn hinge<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    game(case, HingeGan, HingeGan.generator())
}

pub fn least_squares<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let target = |name: &str, usual: f64| Ok::<_, Failure>(case.number(name)?.unwrap_or(usual));
    let gan = LeastSquaresGan {
        real_target: target("real_target", 1.0)?,
        fake_target: target("fake_target", 0.0)?,
        generator_target: target("generator_target", 1.0)?,
    };
    game(case, gan, gan.generator())
}

/// The generator's loss is that of the exchanged sides.
pub fn relativistic<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let loss = Relativistic { loss: Ddo::default() };
    let (real, fake) = (case.input::<Ix1>("real")?, case.input::<Ix1>("fake")?);
    let outputs = Samples { real: real.view(), fake: fake.view() };
    critic(case, &loss, outputs)?;
    let (value, slopes) = loss.grad(outputs.swapped(), Samples::both(Reduction::Mean))?;
    case.give_scalar("generator", value);
    case.give("generator.grad.fake", &slopes.real);
    Ok(())
}

/// Both players.
fn game<T: Real, L: RatioLoss>(
    case: &Case<T>,
    loss: impl RatioObjective<T>,
    generator: GeneratorLoss<L>,
) -> Result<(), Failure> {
    let (real, fake) = (case.input::<Ix1>("real")?, case.input::<Ix1>("fake")?);
    critic(case, &loss, Samples { real: real.view(), fake: fake.view() })?;
    let (value, slopes) = generator.grad(&fake, Reduction::Mean)?;
    case.give_scalar("generator", value);
    case.give("generator.grad.fake", &slopes);
    Ok(())
}

fn critic<T: Real>(
    case: &Case<T>,
    loss: &dyn RatioObjective<T>,
    outputs: Samples<ndarray::ArrayView1<'_, T>>,
) -> Result<(), Failure> {
    let means = Samples::both(Reduction::Mean);
    case.give_scalar("loss", loss.value(outputs, means)?);
    let (value, slopes) = loss.grad(outputs, means)?;
    case.give_scalar("loss", value);
    case.give("grad.real", &slopes.real);
    case.give("grad.fake", &slopes.fake);
    Ok(())
}

/// Without a normalizer.
pub fn nce<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (scores, log_noise) = contrasts(case)?;
    let batch = NceBatch { scores: scores.view(), log_noise: log_noise.view(), log_normalizer: T::zero() };
    case.give_scalar("loss", Nce::default().value(&batch, Reduction::Mean)?);
    let (_, gradient) = Nce::default().grad(&batch, Reduction::Mean)?;
    case.give("grad.positive", &gradient.scores.positive);
    case.give("grad.negatives", &gradient.scores.negatives);
    Ok(())
}

pub fn ranking_nce<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (scores, log_noise) = contrasts(case)?;
    case.give_scalar("loss", ranking(scores.view(), log_noise.view(), Reduction::Mean)?);
    let (_, gradient) = ranking_nce_grad(scores.view(), log_noise.view(), Reduction::Mean)?;
    case.give("grad.positive", &gradient.positive);
    case.give("grad.negatives", &gradient.negatives);
    Ok(())
}

type Owned<T> = Contrast<Array1<T>, ndarray::Array2<T>>;

fn contrasts<T: Real>(case: &Case<T>) -> Result<(Owned<T>, Owned<T>), Failure> {
    let of = |positive: &str, negatives: &str| {
        Ok::<_, Failure>(Contrast { positive: case.input::<Ix1>(positive)?, negatives: case.input::<Ix2>(negatives)? })
    };
    Ok((of("positive", "negatives")?, of("positive_noise", "negative_noise")?))
}

pub fn candidate_nll<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (embeddings, candidates) = (case.input::<Ix2>("embeddings")?, case.input::<Ix2>("candidates")?);
    let targets = case.classes("targets")?.into_dimensionality::<Ix1>()?;
    let tau: Array0<T> = case.input::<Ix0>("tau")?;
    let nll = CandidateNll { tau: tau[()].as_f64() };
    case.give_scalar("loss", nll.value(&embeddings, &candidates, &targets, Reduction::Mean)?);
    let (_, gradient) = nll.grad(&embeddings, &candidates, &targets, Reduction::Mean)?;
    case.give("grad.embeddings", &gradient.embeddings);
    case.give("grad.candidates", &gradient.candidates);
    case.give_scalar("grad.tau", gradient.tau);
    Ok(())
}
