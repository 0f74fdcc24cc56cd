//! Pairs of responses.

use loglik::math;
use loglik::preference::{
    AlphaPo, DiscoPop, Dpo, ExoPair, ForwardKlLink, Length, Linked, Nll, Orpo, PairBatch, PairObjective, Pairs,
    RobustDpo,
};
use loglik::{Real, Reduction, Result};
use ndarray::aview1;

use super::{Exact, Row};

/// Of one pair against a reference at zero, in responses of so many tokens: loss and both slopes.
fn pair<T: Real>(objective: &dyn PairObjective<T>, [chosen, rejected]: [f64; 2], tokens: f64) -> Result<Vec<f64>> {
    let (chosen, rejected, zero, tokens) =
        ([T::from_f64(chosen)], [T::from_f64(rejected)], [T::zero()], [T::from_f64(tokens)]);
    let batch = PairBatch::new(Pairs { chosen: aview1(&chosen), rejected: aview1(&rejected) })
        .reference(Pairs { chosen: aview1(&zero), rejected: aview1(&zero) })
        .lengths(Pairs { chosen: aview1(&tokens), rejected: aview1(&tokens) });
    let (loss, slope) = objective.grad(batch, Reduction::Mean)?;
    Ok([loss, slope.chosen[0], slope.rejected[0]].map(|x| x.as_f64()).to_vec())
}

/// One pair that counts and one that is not there: loss and both slopes of the chosen.
fn masked() -> Result<Vec<f64>> {
    let (chosen, zeros, weights) = ([10.0, f64::NAN], [0.0; 2], aview1(&[1.0, 0.0]));
    let batch = PairBatch::new(Pairs { chosen: aview1(&chosen), rejected: aview1(&zeros) })
        .reference(Pairs { chosen: aview1(&zeros), rejected: aview1(&zeros) });
    let (loss, slope) = Dpo::default().grad(batch, Reduction::Weighted(&weights))?;
    Ok(vec![loss, slope.chosen[0], slope.chosen[1]])
}

const NAMES: &[&str] = &["loss", "slope of the chosen", "of the rejected"];

pub(crate) fn rows() -> Vec<Row> {
    let odds = Orpo { lambda: 0.1, length: Length::Sum };
    let orpo = |input, elsewhere, sides: [f64; 2], exact| Row {
        what: "ORPO's odds ratio, λ 0.1",
        input,
        elsewhere,
        names: NAMES,
        exact,
        here: pair::<f64>(&odds, sides, 1.0),
    };
    let mut rows = vec![
        orpo(
            "ln p of the chosen -1e-9, of the rejected -1",
            "TRL: loss 5.82e-11, gradient NaN; Liger: loss 0, gradient NaN",
            [-1e-9, -1.0],
            Exact::Values(vec![5.819_767_069_909_664e-11, -0.058_197_670_711_260_62, 9.206_735_941_323_186e-11]),
        ),
        orpo(
            "ln p of the chosen 0, of the rejected -1",
            "TRL, Liger: gradient NaN",
            [0.0, -1.0],
            Exact::Values(vec![0.0, -0.058_197_670_686_932_65, 0.0]),
        ),
        orpo("ln p of the chosen -1, of the rejected 0", "TRL, Liger: gradient NaN", [-1.0, 0.0], Exact::Undefined),
    ];
    let log_odds = [
        ("ln p = -20", "oxicuda: -16.118, slope 0", -20.0_f64, [-19.999_999_997_938_847, 1.000_000_002_061_153_7]),
        ("ln p = -200", "oxicuda: -16.118, slope 0; scirs2: -34.539", -200.0, [-200.0, 1.0]),
        ("ln p = -1e-8", "oxicuda: 13.708, slope 0; scirs2: 16.118", -1e-8, [18.420_680_738_952_367, 100_000_000.5]),
    ];
    rows.push(Row {
        what: "DPO, β 0.1, weights 1 and 0",
        input: "margin 10, and a masked pair of NaN",
        elsewhere: "torch, `(weights * losses).sum()`: NaN",
        names: &["loss", "slope of the chosen", "of the masked"],
        exact: Exact::Values(vec![0.313_261_687_518_222_86, -0.026_894_142_136_999_512, 0.0]),
        here: masked(),
    });
    rows.extend(log_odds.map(|(input, elsewhere, x, exact)| Row {
        what: "log-odds",
        input,
        elsewhere,
        names: &["value", "slope"],
        exact: Exact::Values(exact.to_vec()),
        here: Ok(vec![math::log_odds::<f64, false>(x), math::log_odds_slope::<f64, false>(x)]),
    }));
    rows.push(Row {
        what: "DPO, β 0.1, smoothing 0.1",
        input: "margin 1.25",
        elsewhere: "aprender-core: slope -0.046879, as without smoothing",
        names: NAMES,
        exact: Exact::Values(vec![0.645_099_035_317_169_1, -0.036_879_062_662_624_376, 0.036_879_062_662_624_376]),
        here: pair::<f64>(&Dpo { beta: 0.1, label_smoothing: 0.1 }, [-1.75, -3.0], 1.0),
    });
    rows.extend(margins());
    let forward = Linked { loss: Dpo::default(), link: ForwardKlLink };
    let unlikely = |what, here, exact| Row {
        what,
        input: "log-ratio of the chosen -400, of the rejected 0",
        elsewhere: "TRL: inf",
        names: NAMES,
        exact,
        here,
    };
    let power = 5.221_469_689_764_144e173; // e^400
    rows.push(unlikely(
        "DPO under forward KL, β 0.1",
        pair::<f64>(&forward, [-400.0, 0.0], 1.0),
        Exact::Values(vec![0.1 * power, -0.1 * power, 0.1]),
    ));
    rows.push(unlikely(
        "DPO under forward KL, β 0.1, `f32`",
        pair::<f32>(&forward, [-400.0, 0.0], 1.0),
        Exact::Overflow,
    ));
    rows.push(Row {
        what: "likelihood of the chosen, per token",
        input: "an empty response",
        elsewhere: "TRL: NaN",
        names: NAMES,
        exact: Exact::Undefined,
        here: pair::<f64>(&Nll { length: Length::Mean }, [0.0, -3.0], 0.0),
    });
    rows
}

/// Functions of the margin.
fn margins() -> [Row; 4] {
    let row = |what, input, elsewhere, exact, here| Row { what, input, elsewhere, names: NAMES, exact, here };
    let apart = [-1.75, -3.0];
    [
        row(
            "DiscoPOP, β 0.1, τ 0.05",
            "margin -2000",
            "TRL: loss NaN, gradient NaN",
            Exact::Values(vec![200.0, -0.1, 0.1]),
            pair::<f64>(&DiscoPop::default(), [-2003.0, -3.0], 1.0),
        ),
        row(
            "EXO over pairs, smoothing 0",
            "margin 1.25",
            "TRL: loss inf, gradient inf",
            Exact::Undefined,
            pair::<f64>(&ExoPair { beta: 0.1, label_smoothing: 0.0 }, apart, 1.0),
        ),
        row(
            "robust DPO, smoothing 0.5",
            "margin 1.25",
            "TRL: loss -inf, gradient inf",
            Exact::Undefined,
            pair::<f64>(&RobustDpo { beta: 0.1, label_smoothing: 0.5 }, apart, 1.0),
        ),
        row(
            "AlphaPO, α 0.25, β 0.1, γ 0.5",
            "mean ln p of the chosen -400, of the rejected -1",
            "TRL: NaN",
            Exact::Values(vec![1.075_246_856_726_452_4e43, -2.688_117_141_816_135_7e42, 0.128_402_541_668_774_16]),
            pair::<f64>(&AlphaPo { alpha: 0.25, beta: 0.1, gamma: 0.5, label_smoothing: 0.0 }, [-400.0, -1.0], 1.0),
        ),
    ]
}
