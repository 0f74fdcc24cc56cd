//! One pass of a loss of log-ratios over both sides.

use ndarray::ArrayView1;

use crate::pointwise::{self, Block, Call, Column, Domain, Mode, Output, Words};
use crate::ratio::{Pull, RatioLoss, RatioOut, Samples};
use crate::{Error, Real, Reduction, Result, check};

/// How the arguments of a side are called in errors.
struct Names {
    ratios: &'static str,
    weights: &'static str,
    out: [&'static str; 1],
}

const REAL: Names = Names { ratios: "real", weights: "weights.real", out: ["out.real"] };
const FAKE: Names = Names { ratios: "fake", weights: "weights.fake", out: ["out.fake"] };
const GENERATED: Names = Names { ratios: "fake", weights: "weights", out: ["out"] };

/// [`RatioObjective::run`](crate::ratio::RatioObjective::run).
pub(super) fn run<T: Real>(
    loss: &dyn RatioLoss,
    ratios: Samples<ArrayView1<'_, T>>,
    reductions: Samples<Reduction<'_, T>>,
    out: Samples<RatioOut<'_, T>>,
) -> Result<Samples<f64>> {
    loss.check()?;
    check_side(&REAL, ratios.real, reductions.real, &out.real)?;
    check_side(&FAKE, ratios.fake, reductions.fake, &out.fake)?;
    let blocks = loss.ratio_loops().get::<T>();
    Ok(Samples {
        real: side(&REAL, (&blocks.real, 1.0), ratios.real, reductions.real, out.real)?,
        fake: side(&FAKE, (&blocks.fake, 1.0), ratios.fake, reductions.fake, out.fake)?,
    })
}

/// The loss of one side on generated samples: that of the real side, or minus that of the fake one.
pub(super) fn run_generator<T: Real>(
    loss: &dyn RatioLoss,
    pull: Pull,
    fake: ArrayView1<'_, T>,
    reduction: Reduction<'_, T>,
    out: RatioOut<'_, T>,
) -> Result<f64> {
    loss.check()?;
    check_side(&GENERATED, fake, reduction, &out)?;
    let blocks = loss.ratio_loops().get::<T>();
    let side_of = match pull {
        Pull::NonSaturating => (&blocks.real, 1.0),
        Pull::Saturating => (&blocks.fake, -1.0),
    };
    side(&GENERATED, (side_of.0, side_of.1), fake, reduction, out)
}

/// Everything that can be wrong before a ratio is looked at.
fn check_side<T: Real>(
    names: &Names,
    ratios: ArrayView1<'_, T>,
    reduction: Reduction<'_, T>,
    out: &RatioOut<'_, T>,
) -> Result<()> {
    reduction.check_as(names.weights, ratios.shape())?;
    if let RatioOut::Each(out) | RatioOut::Grad(out) = out {
        check::shape(names.out[0], out.shape(), ratios.shape())?;
    }
    match reduction {
        Reduction::Mean if ratios.is_empty() => Err(Error::NothingToAverage { argument: names.ratios }),
        _ => Ok(()),
    }
}

/// The reduced loss of one side with a sign, and `out` filled.
fn side<T: Real>(
    names: &Names,
    (block, sign): (&dyn Block<T>, f64),
    ratios: ArrayView1<'_, T>,
    reduction: Reduction<'_, T>,
    out: RatioOut<'_, T>,
) -> Result<f64> {
    let n = ratios.len();
    let (weights, factor) = match reduction {
        Reduction::Sum => (None, sign),
        Reduction::Mean => (None, sign / n as f64),
        Reduction::Weighted(weights) => (Some(weights.view()), sign),
    };
    let output = match out {
        RatioOut::Nothing => Output::Nothing,
        RatioOut::Each(each) => Output::Each(each),
        RatioOut::Grad(out) => Output::slopes([out], Mode::Set),
    };
    let words = Words {
        total: names.ratios,
        outputs: &[names.ratios],
        names_shares: false,
        undefined: "",
        steepest: |_| 0,
        explain: &|_, _| None,
    };
    let columns = [Column::array(names.ratios, Domain::LogRatio, ratios)];
    let call = Call { block, columns: &columns, slopes: 1, shape: &[n], weights, factor: T::from_f64(factor), words };
    pointwise::run(&call, output)?.scaled(factor, names.ratios)
}
