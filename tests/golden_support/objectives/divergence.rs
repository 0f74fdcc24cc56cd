//! Divergences between distributions over classes.

use loglik::divergence::{
    AmariDivergence, Categorical::Logits, Categorical::Transformed, CategoricalDivergence, FDivergence, GeneralizedJsd,
    InterpolatedJsd, JensenShannonDivergence, KlDivergence, MixtureChiSquare, NeymanChiSquare, PearsonChiSquare,
    RenyiDivergence, ReverseKlDivergence, SquaredHellinger, TotalVariation,
};
use loglik::logits::LogitTransform;
use loglik::{Real, Reduction};
use ndarray::Ix2;

use super::{Case, Failure};

type Divergence<T> = Box<dyn CategoricalDivergence<T, Ix2>>;

/// The divergence that the case names.
pub fn named<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    of(case, case.word("kind")?.unwrap_or_default())
}

/// One number for each row, and the gradients of their sum.
pub fn of<T: Real>(case: &Case<T>, kind: &str) -> Result<(), Failure> {
    let divergence = divergence(case, kind)?;
    let (x, y) = (case.input::<Ix2>("p_logits")?, case.input::<Ix2>("q_logits")?);
    let (p, q) = (Logits(&*x), Logits(&*y));
    case.give("out", &divergence.each(p, q)?);
    // A side whose gradient is not finite has none in the file, and here.
    if let Ok((_, grad)) = divergence.grad_p(p, q, Reduction::Sum) {
        case.give("grad.p_logits", &grad);
    }
    if let Ok((_, grad)) = divergence.grad_q(p, q, Reduction::Sum) {
        case.give("grad.q_logits", &grad);
    }
    Ok(())
}

fn divergence<T: Real>(case: &Case<T>, kind: &str) -> Result<Divergence<T>, Failure> {
    let missing = |name: &str| format!("parameter `{name}` is missing");
    let alpha = || case.number("alpha")?.ok_or_else(|| Failure::from(missing("alpha")));
    let beta = || case.number("beta")?.ok_or_else(|| Failure::from(missing("beta")));
    Ok(match kind {
        "kl" => Box::new(KlDivergence),
        "reverse_kl" => Box::new(ReverseKlDivergence),
        "jensen_shannon" => Box::new(JensenShannonDivergence),
        "generalised_jsd" => Box::new(GeneralizedJsd { beta: beta()? }),
        "interpolated_jsd" => Box::new(InterpolatedJsd { beta: beta()? }),
        "amari" => Box::new(AmariDivergence { alpha: alpha()? }),
        "renyi" => Box::new(RenyiDivergence { alpha: alpha()? }),
        "pearson" => Box::new(PearsonChiSquare),
        "neyman" => Box::new(NeymanChiSquare),
        "mixture_chi_square" => Box::new(MixtureChiSquare),
        "hellinger" => Box::new(SquaredHellinger),
        "total_variation" => Box::new(TotalVariation),
        "f_kl" => Box::new(FDivergence { generator: KlDivergence }),
        "f_reverse_kl" => Box::new(FDivergence { generator: ReverseKlDivergence }),
        "f_jensen_shannon" => Box::new(FDivergence { generator: JensenShannonDivergence }),
        "f_pearson" => Box::new(FDivergence { generator: PearsonChiSquare }),
        "f_neyman" => Box::new(FDivergence { generator: NeymanChiSquare }),
        "f_hellinger" => Box::new(FDivergence { generator: SquaredHellinger }),
        "f_total_variation" => Box::new(FDivergence { generator: TotalVariation }),
        _ => return Err(format!("unknown divergence {kind:?}").into()),
    })
}

/// TRL's distillation loss: of logits over a temperature, the sum over rows, in the student's logits.
pub fn generalized_jsd<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let beta = case.number("beta")?.unwrap_or(0.5);
    let temperature = case.number("temperature")?.unwrap_or(1.0);
    let transform = LogitTransform { temperature, soft_cap: None };
    let (teacher, student) = (case.input::<Ix2>("teacher_logits")?, case.input::<Ix2>("student_logits")?);
    let (teacher, student) = (Transformed(&*teacher, transform), Transformed(&*student, transform));
    let (loss, grad) = GeneralizedJsd { beta }.grad_q(teacher, student, Reduction::Sum)?;
    case.give_scalar("loss", loss);
    case.give("grad.student_logits", &grad);
    if beta == 0.5 {
        case.give_scalar("loss", JensenShannonDivergence.value(teacher, student, Reduction::Sum)?);
    }
    Ok(())
}
