//! A density: what its author writes, and what its caller can ask.

use ndarray::{Array, ArrayRef, Dimension};

use super::loops::Loops;
use super::pass::{Out, Request};
use super::{Bundle, Domain};
use crate::{Real, Reduction, Result, SumCount};

/// A density (or mass) whose negative log-likelihood is a sum over elements: `N` numbers for each, derivatives by the first
/// `G` of them.
///
/// Callers use its verbs. The arrays of a call travel in a bundle with their names and have one shape, any number of axes and
/// any layout; nothing is broadcast. An author writes the loss at one element; arrays, reductions, weights, threads and
/// vector instructions come from the pass that all densities share.
///
/// Any other loss that is a sum over elements may implement the trait too, and then has the same methods:
/// [`SelfConsistency`](crate::energy::SelfConsistency) and [`RecoveryContrast`](crate::energy::RecoveryContrast) are
/// losses that are not negative log-likelihoods of a density.
///
/// # Errors
///
/// Of every verb:
///
/// - [`Error::Parameter`](crate::Error::Parameter): a hyper-parameter is out of its range.
/// - [`Error::Shape`](crate::Error::Shape): an array of another shape than the first argument.
/// - [`Error::Value`](crate::Error::Value): an element outside the domain of its argument, or a weight that is not finite or
///   below zero.
/// - [`Error::Overflow`](crate::Error::Overflow): finite arguments whose loss, or derivative where it is asked for, does not
///   fit the type. It names the first argument.
/// - [`Error::NothingToAverage`](crate::Error::NothingToAverage): a mean over nothing. A sum over nothing is 0.
///
/// # Examples
///
/// The Laplace density of a given scale, in a crate of its own:
///
/// ```
/// use loglik::likelihood::Domain;
/// use loglik::{Error, Real, Result, ndarray::array, prelude::*};
///
/// struct Laplace {
///     scale: f64,
/// }
///
/// struct LaplaceArguments<A> {
///     location: A,
///     x: A,
/// }
/// loglik::bundle!(LaplaceArguments { location, x });
///
/// impl Density<2, 2> for Laplace {
///     type Arguments<A> = LaplaceArguments<A>;
///     type Gradient<A> = LaplaceArguments<A>;
///     const ARGUMENTS: [(&'static str, Domain); 2] = [("location", Domain::Finite), ("x", Domain::Finite)];
///     loglik::compile_loops!(Density);
///
///     fn check(&self) -> Result<()> {
///         if self.scale > 0.0 && self.scale.is_finite() {
///             return Ok(());
///         }
///         Err(Error::Parameter { argument: "scale", value: self.scale, allowed: "finite and > 0" })
///     }
///
///     fn at<T: Real, const FMA: bool>(&self, [location, x]: [T; 2]) -> (T, [T; 2]) {
///         let (scale, distance) = (T::from_f64(self.scale), x - location);
///         let slope = if distance == T::zero() { T::zero() } else { distance.signum() / scale };
///         ((scale + scale).ln() + distance.abs() / scale, [-slope, slope])
///     }
/// }
///
/// let (location, x) = (array![0.0, 1.0], array![1.0, 1.0]);
/// let laplace = Laplace { scale: 0.5 };
/// let (loss, gradient) = laplace.grad(LaplaceArguments { location: &location, x: &x }, Reduction::Sum)?;
/// assert_eq!((loss, gradient.location), (2.0, array![-2.0, 0.0]));
/// # Ok::<(), loglik::Error>(())
/// ```
pub trait Density<const N: usize, const G: usize>: Sync + Sized {
    /// The arguments: a struct with a name for each, or `[A; N]`.
    type Arguments<A>: Bundle<A, N>;

    /// Their derivatives: such a struct, `[A; G]`, or `A` where there is one.
    type Gradient<A>: Bundle<A, G>;

    /// Name and domain of each argument, those with derivatives first. At most 12.
    const ARGUMENTS: [(&'static str, Domain); N];

    #[doc(hidden)]
    fn with_loops(&self, pass: &mut dyn FnMut(Loops<'_, ()>) -> Result<f64>) -> Result<f64>;

    /// Whether the hyper-parameters are in range. A density without any need not say.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter) where one is not.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The loss at one element, and its derivatives by the first `G` (at most 4) arguments.
    ///
    /// Outside the domain anything may come out: it is thrown away. An infinite loss is right where an argument is infinite
    /// and counts as overflow where all are finite. Mark it `#[inline(always)]` and keep it free of branches, so that the
    /// loop over it becomes vectors; `mul_add` is for where `FMA` is true, and [`crate::math`] has the special functions.
    fn at<T: Real, const FMA: bool>(&self, element: [T; N]) -> (T, [T; G]);

    /// The reduced loss.
    fn value<T: Real, D: Dimension>(
        &self,
        arguments: Self::Arguments<&ArrayRef<T, D>>,
        reduction: Reduction<'_, T, D>,
    ) -> Result<T> {
        run(self, arguments.into_array(), reduction, &mut Out::Nothing)
    }

    /// The loss of each element.
    fn each<T: Real, D: Dimension>(&self, arguments: Self::Arguments<&ArrayRef<T, D>>) -> Result<Array<T, D>> {
        let arrays = arguments.into_array();
        let mut losses = Array::zeros(arrays[0].raw_dim());
        run(self, arrays, Reduction::Sum, &mut Out::Each(losses.view_mut().into_dyn()))?;
        Ok(losses)
    }

    /// Sum of the losses and number of the elements, by which micro-batches combine exactly; `(0, 0)` over nothing.
    fn sum_count<T: Real, D: Dimension>(&self, arguments: Self::Arguments<&ArrayRef<T, D>>) -> Result<SumCount> {
        let arrays = arguments.into_array().map(|array| array.view().into_dyn());
        let request = Request { arguments: &Self::ARGUMENTS, arrays: &arrays, slopes: G, reduction: Reduction::Sum };
        let sum = self.with_loops(&mut |loops| T::sum_of_density(loops, &request))?;
        Ok(SumCount { sum, count: arrays[0].len() as f64 })
    }

    /// The reduced loss and its exact gradient, in one pass.
    #[allow(clippy::type_complexity)] // a value and its gradient
    fn grad<T: Real, D: Dimension>(
        &self,
        arguments: Self::Arguments<&ArrayRef<T, D>>,
        reduction: Reduction<'_, T, D>,
    ) -> Result<(T, Self::Gradient<Array<T, D>>)> {
        let arrays = arguments.into_array();
        let mut gradient = [(); G].map(|()| Array::zeros(arrays[0].raw_dim()));
        let mut out = gradient.each_mut().map(|array| array.view_mut().into_dyn());
        let value = run(self, arrays, reduction, &mut Out::Grad(&["out"; G], &mut out))?;
        Ok((value, Bundle::from_array(gradient)))
    }

    /// [`Density::grad`] with the gradient written to the caller's arrays, of the same shape and any layout.
    ///
    /// Returns the value. Nothing of the length of the data is allocated where all arrays are contiguous. After an error in
    /// the data what `out` holds is unspecified.
    fn grad_into<T: Real, D: Dimension>(
        &self,
        arguments: Self::Arguments<&ArrayRef<T, D>>,
        reduction: Reduction<'_, T, D>,
        out: Self::Gradient<&mut ArrayRef<T, D>>,
    ) -> Result<T> {
        let mut out = out.into_array().map(|array| array.view_mut().into_dyn());
        let names = <Self::Gradient<&mut ArrayRef<T, D>> as Bundle<_, G>>::OUT;
        run(self, arguments.into_array(), reduction, &mut Out::Grad(&names, &mut out))
    }
}

/// The reduced loss, and `out` filled: the caller's dimension goes, and what is left is compiled already.
fn run<L: Density<N, G>, T: Real, D: Dimension, const N: usize, const G: usize>(
    density: &L,
    arrays: [&ArrayRef<T, D>; N],
    reduction: Reduction<'_, T, D>,
    out: &mut Out<'_, '_, T>,
) -> Result<T> {
    let arrays = arrays.map(|array| array.view().into_dyn());
    let any = reduction.into_any();
    let reduction = any.get();
    let request = Request { arguments: &L::ARGUMENTS, arrays: &arrays, slopes: G, reduction };
    density.with_loops(&mut |loops| T::run_density(loops, &request, out)).map(T::from_f64)
}
