//! The Cholesky factor of a small positive definite matrix.

/// Lower triangular, row by row; the other half is not kept in order.
pub(crate) struct Factor {
    lower: Vec<f64>,
    size: usize,
}

impl Factor {
    /// That of a positive definite matrix, of which the lower half is read; else the pivot that is not positive.
    pub(crate) fn of(mut matrix: Vec<f64>, size: usize) -> Result<Self, f64> {
        for j in 0..size {
            let diagonal = matrix[j * size + j];
            let pivot = diagonal - square(&matrix[j * size..][..j]);
            // What is left of the diagonal by rounding alone is nothing.
            let is_positive = pivot > f64::EPSILON * size as f64 * diagonal;
            if !is_positive || pivot.is_infinite() {
                return Err(pivot);
            }
            let root = pivot.sqrt();
            matrix[j * size + j] = root;
            for i in j + 1..size {
                let (above, row) = matrix.split_at(i * size);
                let product: f64 = above[j * size..][..j].iter().zip(row).map(|(a, b)| a * b).sum();
                matrix[i * size + j] = (matrix[i * size + j] - product) / root;
            }
        }
        Ok(Self { lower: matrix, size })
    }

    /// `L⁻¹ x` in the place of `x`, whose square is the Mahalanobis distance squared.
    pub(crate) fn whiten(&self, x: &mut [f64]) {
        for i in 0..self.size {
            let row = &self.lower[i * self.size..][..=i];
            let known: f64 = row.iter().zip(&*x).take(i).map(|(a, b)| a * b).sum();
            x[i] = (x[i] - known) / row[i];
        }
    }

    /// `A⁻¹ x` in the place of `x`.
    pub(crate) fn solve(&self, x: &mut [f64]) {
        self.whiten(x);
        for i in (0..self.size).rev() {
            let (known, solved) = x.split_at_mut(i + 1);
            let below = solved.iter().enumerate().map(|(k, x)| self.lower[(i + 1 + k) * self.size + i] * x);
            known[i] = (known[i] - below.sum::<f64>()) / self.lower[i * self.size + i];
        }
    }

    /// `½ ln |Σ|`.
    pub(crate) fn log_root_determinant(&self) -> f64 {
        (0..self.size).map(|i| self.lower[i * self.size + i].ln()).sum()
    }
}

/// `Σ x²`.
pub(crate) fn square(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_whitens_and_knows_its_determinant() {
        // L = [[2, 0, 0], [1, 3, 0], [-1, 2, 0.5]]; above the diagonal nothing is read.
        let matrix = vec![4.0, f64::NAN, f64::NAN, 2.0, 10.0, f64::NAN, -2.0, 5.0, 5.25];
        let factor = Factor::of(matrix, 3).unwrap_or_else(|pivot| panic!("{pivot}"));
        let mut x = [2.0, 7.0, 4.0]; // L (1, 2, 2)
        factor.whiten(&mut x);
        assert_eq!(x, [1.0, 2.0, 2.0]);
        assert!((factor.log_root_determinant() - 3.0_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn a_solution_gives_back_the_right_side() {
        let factor = Factor::of(vec![4.0, 0.0, 0.0, 2.0, 10.0, 0.0, -2.0, 5.0, 5.25], 3)
            .unwrap_or_else(|pivot| panic!("{pivot}"));
        let mut x = [4.0, 2.0, -2.0]; // the first column
        factor.solve(&mut x);
        assert_eq!(x, [1.0, 0.0, 0.0]);
        let mut x = [4.0 + 4.0 - 6.0, 2.0 + 20.0 + 15.0, -2.0 + 10.0 + 15.75]; // A (1, 2, 3)
        factor.solve(&mut x);
        assert_eq!(x, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        assert_eq!(Factor::of(vec![1.0, 0.0, 2.0, 1.0], 2).err(), Some(-3.0));
        assert!(Factor::of(vec![1.0, 0.0, 1.0, 1.0], 2).is_err());
        assert!(Factor::of(vec![0.0], 1).is_err());
        assert!(Factor::of(vec![f64::NAN], 1).is_err());
    }
}
