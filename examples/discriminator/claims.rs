//! What theory says beside what was measured.

use loglik::ndarray::{ArrayRef1, Zip};

/// One claim, and whether it held.
#[derive(Debug)]
pub(crate) struct Claim {
    what: String,
    claimed: String,
    measured: String,
    holds: bool,
}

impl Claim {
    /// A number is another one, up to a tolerance.
    pub(crate) fn equal(what: impl Into<String>, claimed: f64, measured: f64, tolerance: f64) -> Self {
        Self {
            what: what.into(),
            claimed: format!("{claimed:.5} ± {tolerance:.0e}"),
            measured: format!("{measured:.5}"),
            holds: (claimed - measured).abs() <= tolerance,
        }
    }

    /// Several numbers are others, each up to a tolerance.
    pub(crate) fn all_equal(
        what: impl Into<String>,
        claimed: &ArrayRef1<f64>,
        measured: &ArrayRef1<f64>,
        tolerance: f64,
    ) -> Self {
        let digits = |numbers: &ArrayRef1<f64>| {
            let digits: Vec<String> = numbers.iter().map(|x| format!("{x:.4}")).collect();
            format!("({})", digits.join(", "))
        };
        Self {
            what: what.into(),
            claimed: format!("{} ± {tolerance:.0e}", digits(claimed)),
            measured: digits(measured),
            holds: Zip::from(claimed).and(measured).all(|claimed, measured| (claimed - measured).abs() <= tolerance),
        }
    }

    /// A number is below another one.
    pub(crate) fn below(what: impl Into<String>, bound: f64, measured: f64) -> Self {
        Self {
            what: what.into(),
            claimed: format!("below {bound:.5}"),
            measured: format!("{measured:.5}"),
            holds: measured < bound,
        }
    }

    pub(crate) fn holds(&self) -> bool {
        self.holds
    }

    /// One line of the table.
    pub(crate) fn line(&self) -> String {
        let Self { what, claimed, measured, holds } = self;
        let verdict = if *holds { "holds" } else { "FAILS" };
        format!("{verdict}  {what:<66} {claimed:>34}   {measured}")
    }
}
