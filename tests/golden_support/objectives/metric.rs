//! Metric learning over embeddings.

use loglik::metric::{
    Angle, ArcFace, BatchAllTriplet, BatchHardTriplet, Circle, ClassMargin, Contrastive, CosFace, Cosent,
    CosineEmbedding, Distance, EmbeddingObjective, GeneralizedLifted, GlobalOrthogonal, LabeledPairs, LiftedStructure,
    Matryoshka, MultiSimilarity, OnlineContrastive, PairScore, ProxyAnchor, SemiHardTriplet, SphereFace, Triplet,
    TripletShape, TripletSwap, Triplets, VicReg, flops, flops_grad, margin_mse, margin_mse_grad, n_pairs, n_pairs_grad,
    paired_scores, paired_scores_backward, score_matrix, score_matrix_backward,
};
use loglik::{Real, Reduction};
use ndarray::{Array1, Array2, ArrayView2, Ix1, Ix2};
use serde_json::Value;

use super::{Case, Failure};

/// Calls the objective of this name, where it is one of this room.
pub fn run<T: Real>(objective: &str, case: &Case<T>) -> Option<Result<(), Failure>> {
    Some(match objective {
        "triplet" => triplet(case),
        "cosine_embedding" => cosine_embedding(case),
        "paired_scores" => paired(case),
        "score_matrix" => matrix(case),
        "n_pairs" => pairs_of_a_class(case),
        "proxy_anchor" => proxy_anchor(case),
        "vic_reg" => vic_reg(case),
        "cosent" => cosent(case),
        "angle" => angle(case),
        "matryoshka" => matryoshka(case),
        "margin_mse" => of_margins(case),
        "global_orthogonal" => global_orthogonal(case),
        "flops" => sparse(case),
        "multi_similarity" | "circle" | "lifted_structure" | "generalized_lifted" | "batch_hard_triplet"
        | "batch_all_triplet" | "semi_hard_triplet" => of_batch(objective, case),
        "arc_face" | "cos_face" | "sphere_face" => of_centers(objective, case),
        "contrastive" | "online_contrastive" => of_pairs(objective, case),
        _ => return None,
    })
}

fn number<T: Real>(case: &Case<T>, name: &str, default: f64) -> Result<f64, Failure> {
    Ok(case.number(name)?.unwrap_or(default))
}

fn labels<T: Real>(case: &Case<T>) -> Result<Array1<i64>, Failure> {
    Ok(case.list("labels", Value::as_i64)?.into())
}

fn alike<T: Real>(case: &Case<T>) -> Result<Array1<bool>, Failure> {
    Ok(case.list("alike", Value::as_i64)?.into_iter().map(|alike| alike == 1).collect())
}

fn distance<T: Real>(case: &Case<T>, default: Distance) -> Result<Distance, Failure> {
    Ok(match case.word("distance")? {
        None => default,
        Some("cosine") => Distance::Cosine,
        Some("euclidean") => Distance::Euclidean,
        Some(other) => return Err(format!("unknown distance {other:?}").into()),
    })
}

fn sides<T: Real>(case: &Case<T>) -> Result<(Array2<T>, Array2<T>), Failure> {
    Ok((case.input::<Ix2>("x")?, case.input::<Ix2>("y")?))
}

/// A loss, and the gradients in `x` and `y`.
fn give_sides<T: Real>(case: &Case<T>, loss: T, by: &(Array2<T>, Array2<T>)) {
    case.give_scalar("loss", loss);
    case.give("grad.x", &by.0);
    case.give("grad.y", &by.1);
}

fn triplet<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let swap = match case.word("swap")? {
        Some("nearer") => TripletSwap::Nearer,
        _ => TripletSwap::Anchor,
    };
    let loss = Triplet { margin: number(case, "margin", 1.0)?, swap, ..Triplet::default() };
    let (anchors, positives) = (case.input::<Ix2>("anchors")?, case.input::<Ix2>("positives")?);
    let negatives = case.input::<Ix2>("negatives")?;
    let triplets = Triplets { anchors: &*anchors, positives: &*positives, negatives: &*negatives };
    let reduction = match case.word("reduction")? {
        None | Some("mean") => Reduction::Mean,
        _ => Reduction::Sum,
    };
    let (value, by) = loss.grad(triplets, reduction)?;
    match case.word("reduction")? {
        Some("none") => case.give("loss", &loss.each(triplets)?),
        _ => case.give_scalar("loss", value),
    }
    case.give("grad.anchors", &by.anchors);
    case.give("grad.positives", &by.positives);
    case.give("grad.negatives", &by.negatives);
    Ok(())
}

fn cosine_embedding<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let loss = CosineEmbedding { margin: number(case, "margin", 0.0)? };
    let ((x, y), alike) = (sides(case)?, alike(case)?);
    let word = case.word("reduction")?;
    let reduction = if word.is_none_or(|word| word == "mean") { Reduction::Mean } else { Reduction::Sum };
    let (value, by) = loss.grad(&x, &y, &alike, reduction)?;
    case.give("grad.x", &by.0);
    case.give("grad.y", &by.1);
    match word {
        Some("none") => case.give("loss", &loss.each(&x, &y, &alike)?),
        _ => case.give_scalar("loss", value),
    }
    Ok(())
}

fn score<T: Real>(case: &Case<T>) -> Result<PairScore, Failure> {
    Ok(match case.word("score")? {
        Some("cosine") => PairScore::CosineSimilarity,
        _ => PairScore::Euclidean,
    })
}

fn paired<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let ((x, y), score) = (sides(case)?, score(case)?);
    case.give("out", &paired_scores(&x, &y, score)?);
    let (by_x, by_y) = paired_scores_backward(&x, &y, score, &Array1::ones(x.nrows()))?;
    case.give("grad.x", &by_x);
    case.give("grad.y", &by_y);
    Ok(())
}

fn matrix<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let ((x, y), score) = (sides(case)?, score(case)?);
    case.give("out", &score_matrix(&x, &y, score)?);
    let (by_x, by_y) = score_matrix_backward(&x, &y, score, &Array2::ones((x.nrows(), y.nrows())))?;
    case.give("grad.x", &by_x);
    case.give("grad.y", &by_y);
    Ok(())
}

fn of_batch<T: Real>(objective: &str, case: &Case<T>) -> Result<(), Failure> {
    let margin = |default| number(case, "margin", default);
    let shape = match case.word("shape")? {
        Some("soft") => TripletShape::Soft,
        _ => TripletShape::Hinge,
    };
    match objective {
        "multi_similarity" => {
            let (alpha, beta) = (number(case, "alpha", 2.0)?, number(case, "beta", 50.0)?);
            give_batch(case, &MultiSimilarity { alpha, beta, base: number(case, "base", 0.5)? })
        }
        "circle" => {
            let (m, gamma) = (number(case, "m", 0.4)?, number(case, "gamma", 80.0)?);
            give_batch(case, &Circle { m, gamma, ..Circle::default() })
        }
        "lifted_structure" | "generalized_lifted" => {
            let (negative_margin, positive_margin) =
                (number(case, "neg_margin", 1.0)?, number(case, "pos_margin", 0.0)?);
            let distance = Distance::Euclidean;
            match objective {
                "lifted_structure" => give_batch(case, &LiftedStructure { negative_margin, positive_margin, distance }),
                _ => give_batch(case, &GeneralizedLifted { negative_margin, positive_margin, distance }),
            }
        }
        "batch_hard_triplet" => {
            let margin = margin(if shape == TripletShape::Soft { 0.0 } else { 5.0 })?;
            give_batch(case, &BatchHardTriplet { margin, distance: distance(case, Distance::Euclidean)?, shape })
        }
        "batch_all_triplet" => give_batch(
            case,
            &BatchAllTriplet { margin: margin(5.0)?, distance: distance(case, Distance::Euclidean)?, shape },
        ),
        _ => {
            give_batch(case, &SemiHardTriplet { margin: margin(5.0)?, distance: distance(case, Distance::Euclidean)? })
        }
    }
}

fn give_batch<T: Real>(case: &Case<T>, loss: &impl EmbeddingObjective) -> Result<(), Failure> {
    let (x, labels) = (case.input::<Ix2>("embeddings")?, labels(case)?);
    let (value, gradient) = loss.grad(&x, &labels, Reduction::Mean)?;
    case.give_scalar("loss", value);
    case.give_scalar("loss", loss.value(&x, &labels, Reduction::Mean)?);
    case.give("grad.embeddings", &gradient);
    Ok(())
}

fn of_centers<T: Real>(objective: &str, case: &Case<T>) -> Result<(), Failure> {
    let scale = |default| number(case, "scale", default);
    match objective {
        "arc_face" => {
            let margin = number(case, "margin", 28.6)?.to_radians();
            give_centers(case, &ArcFace { scale: scale(64.0)?, margin })
        }
        "cos_face" => give_centers(case, &CosFace { scale: scale(64.0)?, margin: number(case, "margin", 0.35)? }),
        _ => give_centers(case, &SphereFace { scale: scale(1.0)?, margin: number(case, "margin", 4.0)? as u32 }),
    }
}

fn give_centers<T: Real>(case: &Case<T>, loss: &impl ClassMargin) -> Result<(), Failure> {
    let (x, centers) = (case.input::<Ix2>("embeddings")?, case.input::<Ix2>("centers")?);
    let (value, by) = loss.grad(&x, &centers, &labels(case)?, Reduction::Mean)?;
    case.give_scalar("loss", value);
    case.give("grad.embeddings", &by.0);
    case.give("grad.centers", &by.1);
    Ok(())
}

fn of_pairs<T: Real>(objective: &str, case: &Case<T>) -> Result<(), Failure> {
    let ((x, y), alike) = (sides(case)?, alike(case)?);
    let (margin, distance) = (number(case, "margin", 0.5)?, distance(case, Distance::Cosine)?);
    let (value, by) = match objective {
        "contrastive" => Contrastive { margin, distance }.grad(&x, &y, &alike, Reduction::Mean)?,
        _ => OnlineContrastive { margin, distance }.grad(&x, &y, &alike, Reduction::Sum)?,
    };
    give_sides(case, value, &by);
    Ok(())
}

fn pairs_of_a_class<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (anchors, positives) = (case.input::<Ix2>("anchors")?, case.input::<Ix2>("positives")?);
    let (value, by) = n_pairs_grad(&anchors, &positives, Reduction::Mean)?;
    case.give_scalar("loss", value);
    case.give_scalar("loss", n_pairs(&anchors, &positives, Reduction::Mean)?);
    case.give("grad.anchors", &by.0);
    case.give("grad.positives", &by.1);
    Ok(())
}

fn proxy_anchor<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let loss = ProxyAnchor { alpha: number(case, "alpha", 32.0)?, margin: number(case, "margin", 0.1)? };
    let (x, proxies) = (case.input::<Ix2>("embeddings")?, case.input::<Ix2>("proxies")?);
    let (value, by) = loss.grad(&x, &proxies, &labels(case)?)?;
    case.give_scalar("loss", value);
    case.give("grad.embeddings", &by.0);
    case.give("grad.proxies", &by.1);
    Ok(())
}

fn vic_reg<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let loss = VicReg {
        invariance: number(case, "invariance_lambda", 25.0)?,
        variance: number(case, "variance_mu", 25.0)?,
        covariance: number(case, "covariance_v", 1.0)?,
        epsilon: number(case, "eps", 1e-4)?,
        ..VicReg::default()
    };
    let (x, y) = sides(case)?;
    let (value, by) = loss.grad(&x, &y)?;
    give_sides(case, value, &by);
    Ok(())
}

type OfPairs<T> = Result<(T, [Array2<T>; 2]), loglik::Error>;

/// The loss of cosines.
fn cosent_of<T: Real>(loss: Cosent, x: ArrayView2<'_, T>, y: ArrayView2<'_, T>, gold: &Array1<T>) -> OfPairs<T> {
    let scores = paired_scores(&x, &y, PairScore::CosineSimilarity)?;
    let (value, slopes) = loss.grad(&scores, gold)?;
    let (by_x, by_y) = paired_scores_backward(&x, &y, PairScore::CosineSimilarity, &slopes)?;
    Ok((value, [by_x, by_y]))
}

fn cosent<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let ((x, y), gold) = (sides(case)?, case.input::<Ix1>("gold")?);
    let loss = Cosent { scale: number(case, "scale", 20.0)? };
    let (value, [by_x, by_y]) = cosent_of(loss, x.view(), y.view(), &gold)?;
    give_sides(case, value, &(by_x, by_y));
    Ok(())
}

fn angle<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let ((x, y), gold) = (sides(case)?, case.input::<Ix1>("gold")?);
    let (value, by) = Angle { scale: number(case, "scale", 20.0)? }.grad(&x, &y, &gold)?;
    give_sides(case, value, &by);
    Ok(())
}

/// Of the same loss, which sees no lengths.
fn matryoshka<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let ((x, y), gold) = (sides(case)?, case.input::<Ix1>("gold")?);
    let dims = case.list("dims", |dims| usize::try_from(dims.as_u64()?).ok())?;
    let nested = Matryoshka { dims, weights: case.list("weights", Value::as_f64)? };
    let (value, [by_x, by_y]) = nested.grad([&*x, &*y], |[x, y]| cosent_of(Cosent::default(), x, y, &gold))?;
    give_sides(case, value, &(by_x, by_y));
    Ok(())
}

fn of_margins<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (positive, negative) = (case.input::<Ix1>("positive")?, case.input::<Ix1>("negative")?);
    let gold = case.input::<Ix1>("gold")?;
    let (value, by) = margin_mse_grad(&positive, &negative, &gold, Reduction::Mean)?;
    case.give_scalar("loss", value);
    case.give_scalar("loss", margin_mse(&positive, &negative, &gold, Reduction::Mean)?);
    case.give("grad.positive", &by.0);
    case.give("grad.negative", &by.1);
    Ok(())
}

fn global_orthogonal<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (mean_weight, second) = (number(case, "mean_weight", 1.0)?, number(case, "second_moment_weight", 1.0)?);
    let loss = GlobalOrthogonal { mean_weight, second_moment_weight: second };
    let (value, gradient) = loss.grad(&case.input::<Ix2>("embeddings")?)?;
    case.give_scalar("loss", value);
    case.give("grad.embeddings", &gradient);
    Ok(())
}

fn sparse<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let activations = case.input::<Ix2>("activations")?;
    let (value, gradient) = flops_grad(&activations)?;
    case.give_scalar("loss", value);
    case.give_scalar("loss", flops(&activations)?);
    case.give("grad.activations", &gradient);
    Ok(())
}
