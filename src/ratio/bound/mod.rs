//! Lower bounds of divergences and of mutual information from the scores of a critic, to be **maximized**: value and
//! gradient.
//!
//! | item | at most | tight where the critic is |
//! |---|---|---|
//! | [`donsker_varadhan`], [`Mine`] | `KL(p ‖ q)` | `ln p/q + c`, any `c` |
//! | [`nwj_bound`] | `KL(p ‖ q)` | `1 + ln p/q` |
//! | [`chi_square_bound`] | `χ²(p ‖ q)` | `2 (p/q - 1)` |
//! | [`jensen_shannon_bound`] | `JSD(p, q) <= ln 2` | `ln p/q`, the logit of a discriminator |
//! | [`info_nce_bound`] | the mutual information, and `ln N` | `ln p(y \| x) / p(y) + c(x)` |
//!
//! `real` are the scores of samples of `p`, `fake` those of `q`. For mutual information `p` is the joint distribution,
//! `q` the product of its marginals (pairs shuffled), and the KL is the information in nats. With
//! `Samples::both(Reduction::Mean)` both expectations are means; with `Weighted` by probabilities they are exact sums.
//! Bounds hold for exact expectations: the estimate of a bound from few samples scatters around it,
//! [`donsker_varadhan`] from above in the mean.
//!
//! Other f-divergences: [`VariationalBound`], of which the bounds of NWJ and of χ² are
//! two cases; it is minus the bound, to be minimized.

mod donsker_varadhan;
mod f_bounds;
mod info_nce;
mod mine;
mod scores;
mod variational_bound;

pub use donsker_varadhan::{donsker_varadhan, donsker_varadhan_grad};
pub use f_bounds::{
    chi_square_bound, chi_square_bound_grad, jensen_shannon_bound, jensen_shannon_bound_grad, nwj_bound, nwj_bound_grad,
};
pub use info_nce::{info_nce_bound, info_nce_bound_grad};
pub use mine::{Mine, MineGradient, MineStep};
pub use variational_bound::VariationalBound;

pub(super) use donsker_varadhan::{gradient as donsker_varadhan_gradient, value as donsker_varadhan_value};
