//! How two embeddings are compared: one number, and its slopes.

/// One number for two embeddings `x` and `y`.
///
/// | score | value | slope in `x` |
/// |---|---|---|
/// | `CosineSimilarity` | `c = x·y / (‖x‖ ‖y‖)`, in `[-1, 1]` | `(v - c u) / ‖x‖` with `u = x/‖x‖`, `v = y/‖y‖` |
/// | `DotProduct` | `x·y` | `y` |
/// | `CosineDistance` | `1 - c = ½ ‖u - v‖²`, in `[0, 2]` | the opposite of that of `c` |
/// | `Euclidean` | `‖x - y‖` | `(x - y) / ‖x - y‖`, and 0 where `x = y` |
/// | `SquaredEuclidean` | `‖x - y‖²` | `2 (x - y)` |
///
/// Both cosines divide by the lengths themselves, without a floor under them: a row of zeros has no direction, and is an
/// [`Error::Value`](crate::Error::Value) that names it. Distances of embeddings that lie close together are those of their
/// differences, not differences of large numbers, so that equal embeddings have distance 0 exactly.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{PairScore, score_matrix};
/// let (x, y) = (array![[3.0_f64, 4.0], [0.0, 2.0]], array![[0.0, 1.0]]);
/// assert_eq!(score_matrix(&x, &y, PairScore::CosineSimilarity)?, array![[0.8], [1.0]]);
/// assert_eq!(score_matrix(&x, &y, PairScore::SquaredEuclidean)?, array![[18.0], [1.0]]);
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "cosine similarity")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum PairScore {
    /// Cosine of the angle between them.
    CosineSimilarity,
    /// `Σ x y`.
    DotProduct,
    /// 1 minus the cosine.
    CosineDistance,
    /// Length of the difference.
    Euclidean,
    /// Square of that.
    SquaredEuclidean,
}

/// A distance between embeddings: the scores of [`PairScore`] that are 0 where both are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Distance {
    /// `1 - cos`, in `[0, 2]`.
    Cosine,
    /// `‖x - y‖`; its slope is 0 where both are alike.
    #[default]
    Euclidean,
    /// `‖x - y‖²`.
    SquaredEuclidean,
}

impl Distance {
    /// The same as a score.
    #[must_use]
    pub fn score(self) -> PairScore {
        match self {
            Self::Cosine => PairScore::CosineDistance,
            Self::Euclidean => PairScore::Euclidean,
            Self::SquaredEuclidean => PairScore::SquaredEuclidean,
        }
    }
}

impl PairScore {
    /// Whether it is of directions, so that lengths do not count.
    pub(super) fn is_of_directions(self) -> bool {
        matches!(self, Self::CosineSimilarity | Self::CosineDistance)
    }

    /// Whether its slope in one point has a part along that point itself, which the other one does not show.
    pub(super) fn is_of_differences(self) -> bool {
        matches!(self, Self::Euclidean | Self::SquaredEuclidean)
    }

    /// From the dot product of points, directions where it is of these, and the square of their distance.
    pub(super) fn of_product(self, dot: f64, square: f64) -> f64 {
        match self {
            Self::CosineSimilarity => dot.clamp(-1.0, 1.0),
            Self::DotProduct => dot,
            Self::CosineDistance => (1.0 - dot).clamp(0.0, 2.0),
            Self::Euclidean => square.sqrt(),
            Self::SquaredEuclidean => square,
        }
    }

    /// From the distance of points that lie close together.
    pub(super) fn of_length(self, length: f64) -> f64 {
        match self {
            Self::CosineSimilarity => 1.0 - 0.5 * length * length,
            Self::CosineDistance => 0.5 * length * length,
            Self::Euclidean => length,
            Self::SquaredEuclidean => length * length,
            Self::DotProduct => f64::NAN, // it is not one of distances
        }
    }

    /// What the other point is multiplied by in the gradient of a score with this slope.
    pub(super) fn pull(self, slope: f64, score: f64) -> f64 {
        match self {
            Self::CosineSimilarity | Self::DotProduct => slope,
            Self::CosineDistance => -slope,
            Self::Euclidean if score == 0.0 => 0.0,
            Self::Euclidean => -slope / score,
            Self::SquaredEuclidean => -2.0 * slope,
        }
    }

    /// The part of a gradient that one coordinate of the difference `y - x` of near points has.
    pub(super) fn pull_by(self, slope: f64, score: f64, difference: f64) -> f64 {
        match self {
            Self::Euclidean if score == 0.0 => 0.0,
            Self::Euclidean => -slope * (difference / score),
            _ => self.pull(slope, score) * difference,
        }
    }
}
