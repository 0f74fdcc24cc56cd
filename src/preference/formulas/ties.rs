//! Models of a comparison that may end in a tie: the loss at a difference `d` of strengths, and its slope.
//!
//! Both take the probability `tie` that the comparison is a tie: the loss is `-(1-tie) ln P_win - tie ln P_tie`.

use crate::error::Error;
use crate::math::mul_or_zero;
use crate::preference::logistic::logistic;
use crate::preference::{Row, bernoulli, probability};
use crate::{Real, Result, check, math};

/// Model of ties in comparisons: Rao-Kupper or Davidson.
#[doc(alias = "Rao-Kupper")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum TieModel {
    /// Rao-Kupper: a judge sees no difference below a threshold.
    RaoKupper,
    /// Davidson: the weight of a tie is proportional to the geometric mean of the weights of both responses.
    Davidson,
}

impl TieModel {
    /// Checks how much likelier a tie is.
    pub(crate) fn check(self, nu: f64) -> Result<()> {
        match self {
            Self::RaoKupper => check::parameter("nu", nu, "finite and >= 1", nu >= 1.0 && nu.is_finite()),
            Self::Davidson => check::non_negative("nu", nu),
        }
    }

    /// Loss and slope.
    #[inline(always)]
    pub(crate) fn at<T: Real, const FMA: bool>(self, d: T, nu: f64, tie: T) -> (T, T) {
        match self {
            Self::RaoKupper => rao_kupper::<T, FMA>(d, nu, tie),
            Self::Davidson => davidson::<T, FMA>(d, nu, tie),
        }
    }

    /// The error of a target that is not a probability, or above 0 where there are no ties.
    pub(crate) fn explain(self, row: Row<f64>, position: usize, nu: f64) -> Option<Error> {
        let (has_none, words) = match self {
            Self::RaoKupper => (nu == 1.0, "0 where `nu` is 1"),
            Self::Davidson => (nu == 0.0, "0 where `nu` is 0"),
        };
        probability::explain_tie(row, position, has_none, words)
    }
}

/// Rao and Kupper: `P_win = σ(d - ln ν)`, `P_tie = (ν²-1) σ(d - ln ν) σ(-d - ln ν)`.
#[inline(always)]
fn rao_kupper<T: Real, const FMA: bool>(d: T, nu: f64, tie: T) -> (T, T) {
    let (lead, far) = (T::from_f64(math::ln::<f64, FMA>(nu)), d.abs());
    let win = logistic::<T, FMA>(d - lead);
    // -ln P_tie = ln(1 + 2 (1 + ν cosh d) / (ν² - 1)), and cosh d = e^(|d| - ln 2) (1 + e^(-2|d|))
    let cosh = (far - T::LN_2()) + math::ln_1p::<T, FMA>(math::exp::<T, FMA>(-(far + far)));
    let scale = T::from_f64(math::ln::<f64, FMA>(2.0 / ((nu - 1.0) * (nu + 1.0))));
    let even = math::softplus::<T, FMA>(scale + math::softplus::<T, FMA>(lead + cosh));
    let apart = bernoulli::difference::<T, FMA>(lead + far, lead - far, far + far);
    blended(tie, win, (even, if d < T::zero() { -apart } else { apart }))
}

/// Davidson: `P_win = 1 / Z`, `P_tie = 2ν e^(-d/2) / Z`, `Z = 1 + e^-d + 2ν e^(-d/2)`.
#[inline(always)]
fn davidson<T: Real, const FMA: bool>(d: T, nu: f64, tie: T) -> (T, T) {
    let (far, behind) = (d.abs(), d < T::zero());
    // Powers of the loser, e^(-|d|/2) and e^(-|d|): Z over that of the winner is 1 + rest.
    let half = math::exp::<T, FMA>(T::from_f64(-0.5) * far);
    let whole = math::exp::<T, FMA>(-far);
    let between = T::from_f64(nu) * half;
    let rest = whole + (between + between);
    let inverse = (T::one() + rest).recip();
    let win = (if behind { far } else { T::zero() }) + math::ln_1p::<T, FMA>(rest);
    let lost = (if behind { T::one() } else { whole }) + between;
    // -ln P_tie = ln(1 + cosh(d/2) / ν), and cosh(d/2) = e^(|d|/2 - ln 2) (1 + e^(-|d|))
    let scale = T::from_f64(math::ln::<f64, FMA>(2.0 * nu));
    let even = math::softplus::<T, FMA>((T::from_f64(0.5) * far - scale) + math::ln_1p::<T, FMA>(whole));
    let apart = T::from_f64(-0.5) * math::exp_m1::<T, FMA>(-far) * inverse;
    blended(tie, (win, -(lost * inverse)), (even, if behind { -apart } else { apart }))
}

/// Both losses by their probabilities, of which one of 0 selects its loss away.
#[inline(always)]
fn blended<T: Real>(tie: T, win: (T, T), even: (T, T)) -> (T, T) {
    let rest = T::one() - tie;
    (mul_or_zero(rest, win.0) + mul_or_zero(tie, even.0), rest * win.1 + tie * even.1)
}
