//! The largest eigenvalue of a small symmetric matrix.

/// So many sweeps are far more than ever needed: each squares what is off the diagonal, once that is small.
const SWEEPS: usize = 64;

/// By Jacobi's rotations, which end for every symmetric matrix; one is enough in two dimensions. The matrix is destroyed.
pub(super) fn largest_eigenvalue(matrix: &mut [f64], size: usize) -> f64 {
    let scale = matrix.iter().fold(0.0, |max: f64, x| max.max(x.abs()));
    if scale == 0.0 || !scale.is_finite() {
        return scale;
    }
    matrix.iter_mut().for_each(|x| *x /= scale);
    for _ in 0..SWEEPS {
        let off =
            |m: &[f64]| (0..size).flat_map(|p| (0..p).map(move |q| (p, q))).map(|(p, q)| m[p * size + q].abs()).sum();
        let rest: f64 = off(matrix);
        if rest < f64::MIN_POSITIVE {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                rotate(matrix, size, p, q);
            }
        }
    }
    scale * (0..size).map(|i| matrix[i * size + i]).fold(f64::NEG_INFINITY, f64::max)
}

/// Makes the entry `(p, q)` zero.
fn rotate(m: &mut [f64], size: usize, p: usize, q: usize) {
    let off = m[p * size + q];
    if off == 0.0 {
        return;
    }
    // The smaller root of t² + 2 θ t = 1.
    let theta = (m[q * size + q] - m[p * size + p]) / (2.0 * off);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / t.hypot(1.0);
    let sine = t * cosine;
    m[p * size + p] -= t * off;
    m[q * size + q] += t * off;
    (m[p * size + q], m[q * size + p]) = (0.0, 0.0);
    for k in (0..size).filter(|&k| k != p && k != q) {
        let (a, b) = (m[k * size + p], m[k * size + q]);
        let (a, b) = (cosine * a - sine * b, sine * a + cosine * b);
        (m[k * size + p], m[p * size + k]) = (a, a);
        (m[k * size + q], m[q * size + k]) = (b, b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, generator};

    #[test]
    fn two_dimensions_have_their_closed_form() {
        for (a, b, c) in
            [(2.0_f64, 0.5, 1.0), (1.0, -3.0, 1.0), (0.0, 0.0, 7.0), (1e-200, 1e-201, 3e-200), (1e200, 1e200, 1e200)]
        {
            let expected = 0.5 * (a + c) + (0.5 * (a - c)).hypot(b);
            close(largest_eigenvalue(&mut [a, b, b, c], 2), expected, 1e-15);
        }
        assert_eq!(largest_eigenvalue(&mut [0.0; 9], 3), 0.0);
    }

    #[test]
    fn it_is_the_growth_of_the_power_iteration() {
        let mut next = generator(9);
        for size in [1, 3, 6] {
            let root: Vec<f64> = (0..size * size).map(|_| next() - 0.4).collect();
            let entry = |i: usize, j: usize| (0..size).map(|k| root[i * size + k] * root[j * size + k]).sum::<f64>();
            let matrix: Vec<f64> = (0..size * size).map(|at| entry(at / size, at % size)).collect();
            let (mut x, mut growth) = (vec![1.0; size], 0.0);
            for _ in 0..5_000 {
                let y: Vec<f64> = matrix.chunks(size).map(|row| row.iter().zip(&x).map(|(a, b)| a * b).sum()).collect();
                growth = y.iter().map(|y| y * y).sum::<f64>().sqrt();
                x = y.iter().map(|y| y / growth).collect();
            }
            close(largest_eigenvalue(&mut matrix.clone(), size), growth, 1e-12);
        }
    }
}
