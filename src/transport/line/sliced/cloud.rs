//! Points in several dimensions that hold mass, ready to be projected.

use ndarray::{Array2, ArrayRef2, ArrayView1, ArrayView2, Ix2};

use crate::error::Position;
use crate::transport::line::measure::{Atoms, Names};
use crate::transport::{Measure, mass};
use crate::{Error, Real, Result, gemm, reduction};

/// The points that hold mass, in `f64`.
pub(super) struct Cloud {
    /// `[held, d]`.
    points: Array2<f64>,
    masses: Option<Vec<f64>>,
    /// Where they stand among all points, if not all are held.
    places: Option<Vec<usize>>,
}

impl Cloud {
    /// Both measures, which must hold the same mass.
    pub(super) fn both<T: Real>(x: Measure<'_, T, Ix2>, y: Measure<'_, T, Ix2>) -> Result<[Self; 2]> {
        let (x, y) = (Self::new(x, &Names::X)?, Self::new(y, &Names::Y)?);
        let names = mass::Names { left: Names::X.weights, right: Names::Y.weights };
        mass::balanced(names, x.total(), y.total(), x.len() + y.len())?;
        Ok([x, y])
    }

    fn new<T: Real>(measure: Measure<'_, T, Ix2>, names: &Names) -> Result<Self> {
        measure.check_masses(names)?;
        let places = measure.places();
        let place = |row: usize| places.as_ref().map_or(row, |places| places[row]);
        let held = places.as_ref().map_or(measure.points.nrows(), Vec::len);
        let points =
            Array2::from_shape_fn((held, measure.points.ncols()), |(i, j)| measure.points[[place(i), j]].as_f64());
        if let Some(((i, j), &value)) = points.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let position = Position(vec![place(i), j]);
            return Err(Error::Value { argument: names.points, position, value, allowed: "finite" });
        }
        let masses = measure.weights.map(|weights| (0..held).map(|i| weights[place(i)].as_f64()).collect());
        Ok(Self { points, masses, places })
    }

    /// Number of points that hold mass.
    pub(super) fn len(&self) -> usize {
        self.points.nrows()
    }

    fn total(&self) -> f64 {
        self.masses.as_deref().map_or(1.0, reduction::sum)
    }

    /// How far along each of these unit vectors each point lies, `[k, held]`.
    pub(super) fn projections(&self, directions: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut projections = Array2::zeros((directions.nrows(), self.len()));
        gemm::product(1.0, directions, self.points.t(), 0.0, projections.view_mut());
        projections
    }

    /// The measure of the projections.
    pub(super) fn atoms(&self, projections: ArrayView1<'_, f64>) -> Atoms {
        let points = projections.iter().map(|point| point + 0.0); // one zero for both
        match &self.masses {
            None => Atoms::Equal(points.collect()),
            Some(masses) => Atoms::Weighted(points.zip(masses.iter().copied()).collect()),
        }
    }

    /// `Σ_i slope_i x_i`, `[d]`.
    pub(super) fn weighted_sum(&self, slopes: &[f64]) -> Array2<f64> {
        let mut sum = Array2::zeros((1, self.points.ncols()));
        let slopes = ArrayView1::from(slopes).insert_axis(ndarray::Axis(0));
        gemm::product(1.0, slopes, self.points.view(), 0.0, sum.view_mut());
        sum
    }

    /// A gradient at its points; 0 where there is no mass.
    pub(super) fn lay_out<T: Real>(
        &self,
        gradient: &Array2<f64>,
        out: &mut ArrayRef2<T>,
        argument: &'static str,
    ) -> Result<()> {
        if self.places.is_some() {
            out.fill(T::zero());
        }
        for (i, gradient) in gradient.rows().into_iter().enumerate() {
            let place = self.places.as_ref().map_or(i, |places| places[i]);
            for (j, (to, &slope)) in out.row_mut(place).iter_mut().zip(gradient).enumerate() {
                *to = T::from_f64(slope) + T::zero(); // never -0
                if !to.is_finite() {
                    return Err(Error::overflow::<T>(argument, Position(vec![place, j])));
                }
            }
        }
        Ok(())
    }
}
