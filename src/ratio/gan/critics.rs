//! The raw outputs of critics for the divergences that have a struct of their own.

use super::f_gan::CriticOutput;
use crate::Real;
use crate::divergence::{
    JensenShannonDivergence, KlDivergence, NeymanChiSquare, PearsonChiSquare, ReverseKlDivergence, SquaredHellinger,
    TotalVariation,
};
use crate::math::{exp, exp_m1, sigmoid, softplus, tanh_with_slope};

impl CriticOutput for KlDivergence {
    #[inline(always)]
    fn critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        (T::one() + output, T::one())
    }

    #[inline(always)]
    fn conjugate_of_critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        let ratio = exp::<T, FMA>(output);
        (ratio, ratio)
    }
}

impl CriticOutput for ReverseKlDivergence {
    #[inline(always)]
    fn critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        let inverse = exp::<T, FMA>(-output);
        (-inverse, inverse)
    }

    #[inline(always)]
    fn conjugate_of_critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        (output - T::one(), T::one())
    }
}

/// Half of the logistic discriminator.
impl CriticOutput for JensenShannonDivergence {
    #[inline(always)]
    fn critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        let half = T::from_f64(0.5);
        (half * (T::LN_2() - softplus::<T, FMA>(-output)), half * sigmoid::<T, FMA>(-output))
    }

    #[inline(always)]
    fn conjugate_of_critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        let half = T::from_f64(0.5);
        (half * (softplus::<T, FMA>(output) - T::LN_2()), half * sigmoid::<T, FMA>(output))
    }
}

impl CriticOutput for PearsonChiSquare {
    #[inline(always)]
    fn critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        let two = T::from_f64(2.0);
        (two * exp_m1::<T, FMA>(output), two * exp::<T, FMA>(output))
    }

    #[inline(always)]
    fn conjugate_of_critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        let twice = output + output;
        (exp_m1::<T, FMA>(twice), T::from_f64(2.0) * exp::<T, FMA>(twice))
    }
}

impl CriticOutput for NeymanChiSquare {
    #[inline(always)]
    fn critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        let twice = -(output + output);
        (-exp_m1::<T, FMA>(twice), T::from_f64(2.0) * exp::<T, FMA>(twice))
    }

    #[inline(always)]
    fn conjugate_of_critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        let two = T::from_f64(2.0);
        (-two * exp_m1::<T, FMA>(-output), two * exp::<T, FMA>(-output))
    }
}

impl CriticOutput for SquaredHellinger {
    #[inline(always)]
    fn critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        let (half, quarter) = (T::from_f64(0.5), T::from_f64(0.25));
        (-half * exp_m1::<T, FMA>(-half * output), quarter * exp::<T, FMA>(-half * output))
    }

    #[inline(always)]
    fn conjugate_of_critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        let (half, quarter) = (T::from_f64(0.5), T::from_f64(0.25));
        (half * exp_m1::<T, FMA>(half * output), quarter * exp::<T, FMA>(half * output))
    }
}

/// `f*` is the identity up to ½.
impl CriticOutput for TotalVariation {
    #[inline(always)]
    fn critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        let (half, (value, slope)) = (T::from_f64(0.5), tanh_with_slope::<T, FMA>(output));
        (half * value, half * slope)
    }

    #[inline(always)]
    fn conjugate_of_critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        self.critic::<T, FMA>(output)
    }
}
