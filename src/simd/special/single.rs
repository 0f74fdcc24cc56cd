//! The functions in `f32`: constants from `scripts/minimax.py`.

use super::Lanes;

lanes! {
    f32, u32,
    mantissa_bits: 23,
    exponent_bias: 127,
    ln2: (0.693_359_4, -2.121_944_4e-4),
    exp_range: (-104.0, 89.0),
    scale_bits: 64,
    parts_low: -125.0,
    exp_m1_low: -25.0,
    exp: [1.982_412e-4, 1.393_325_3e-3, 8.333_419e-3, 4.166_648e-2, 1.666_666_6e-1],
    exp_short: [1.386_378_2e-3, 8.367_483e-3, 4.166_723_8e-2, 1.666_653_4e-1],
    ln_wide: [2.428_955_1e-1, 2.143_074_3e-1, 2.861_659_5e-1, 3.999_889e-1, 6.666_667_5e-1],
}

/// `ln(1 + f) - f + f²/2` for `f` in `[√½ - 1, √2 - 1)`: a division costs more than four fused steps, and less than four
/// steps of two.
#[inline(always)]
fn log_rest<const FMA: bool>(f: f32, square: f32) -> f32 {
    if FMA {
        let p = horner!(f32, f;
            -1.526_908_4e-1, 2.552_397_3e-1, -2.632_070_8e-1, 2.840_343e-1, -3.324_667_2e-1, 4.000_245_6e-1,
            -5.000_164_5e-1, 6.666_666e-1);
        square * f * p
    } else {
        let s = f / (2.0 + f);
        let z = s * s;
        s * (square + z * horner!(f32, z; 2.358_161_2e-1, 2.853_734e-1, 4.000_033_4e-1, 6.666_666e-1))
    }
}
