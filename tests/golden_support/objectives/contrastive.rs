//! Losses over embeddings.

use loglik::contrastive::{
    Directions, EmbeddingBatch, Hardness, InfoNce, Partition, Similarity, SupervisedContrastive,
};
use loglik::{Real, Reduction};
use ndarray::{Array1, Ix1, Ix2, arr0};

use super::{Case, Failure};

/// OpenAI's loss: cosines, both ways, the mean of both.
pub fn clip<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let temperature = case.number("temperature")?.unwrap_or(0.07);
    let loss = InfoNce { temperature, directions: Directions::Symmetric, ..InfoNce::default() };
    pairs(case, &loss)
}

/// The multiple-negatives ranking loss of sentence-transformers.
pub fn info_nce<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let strength = case.number("hardness_strength")?.unwrap_or(0.0);
    let loss = InfoNce {
        temperature: case.number("scale")?.unwrap_or(20.0).recip(),
        directions: match case.word("directions")?.unwrap_or("forward") {
            "forward" => Directions::Forward,
            "symmetric" => Directions::Symmetric,
            "all" => Directions::All,
            other => return Err(format!("unknown directions {other:?}").into()),
        },
        partition: match case.word("partition")?.unwrap_or("joint") {
            "joint" => Partition::Joint,
            "per_direction" => Partition::Separate,
            other => return Err(format!("unknown partition {other:?}").into()),
        },
        hardness: match case.word("hardness")? {
            None => Hardness::None,
            Some("in_batch_negatives") => Hardness::InBatch(strength),
            Some("hard_negatives") => Hardness::Own(strength),
            Some("all_negatives") => Hardness::All(strength),
            Some(other) => return Err(format!("unknown hardness {other:?}").into()),
        },
        ..InfoNce::default()
    };
    pairs(case, &loss)
}

fn pairs<T: Real>(case: &Case<T>, loss: &InfoNce) -> Result<(), Failure> {
    let (a, b) = (case.input::<Ix2>("a")?, case.input::<Ix2>("b")?);
    let (value, slopes) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Mean)?;
    case.give("loss", &arr0(value));
    case.give("grad.a", &slopes.first);
    case.give("grad.b", &slopes.second);
    Ok(())
}

/// pytorch-metric-learning's, with its mean over anchors that have a positive.
pub fn supervised<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let temperature = case.number("temperature")?.unwrap_or(0.1);
    let (x, labels) = (case.input::<Ix2>("embeddings")?, case.input::<Ix1>("labels")?);
    let labels: Array1<i64> = labels.mapv(|label| label.as_f64() as i64);
    let loss = SupervisedContrastive { temperature, similarity: Similarity::Cosine };
    let (value, slopes, _) = loss.grad(&*x, &labels, Reduction::Mean)?;
    case.give("loss", &arr0(value));
    case.give("grad.embeddings", &slopes);
    Ok(())
}
