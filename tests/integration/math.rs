//! Error bounds of the scalar functions: against exact values, against the standard library, and at special values.

use std::collections::HashMap;
use std::sync::LazyLock;

use loglik::{Real, math};

/// One function in one type, without and with fused multiply-add.
struct Function<T> {
    name: &'static str,
    run: [fn(T, T) -> T; 2],
    /// The bound that the docs state, in ulp of `unit`.
    bound: f64,
    /// What the ulp is taken of, from the arguments and the result.
    unit: fn(f64, f64, f64) -> f64,
    /// The function by the standard library's means, in `f64`.
    std: fn(f64, f64) -> f64,
}

macro_rules! functions {
    ($type:ident: $($name:ident $bound:literal, $std:expr, $unit:expr;)*) => {
        vec![$(Function {
            name: stringify!($name),
            run: [|x: $type, _| math::$name::<$type, false>(x), |x: $type, _| math::$name::<$type, true>(x)],
            bound: $bound,
            unit: $unit,
            std: $std,
        }),*]
    };
}

fn std_softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn std_log1mexp(x: f64) -> f64 {
    if x > -0.6 { (-x.exp_m1()).ln() } else { (-x.exp()).ln_1p() }
}

fn std_log_add_exp(a: f64, b: f64) -> f64 {
    a.max(b) + (-(a - b).abs()).exp().ln_1p()
}

macro_rules! all {
    ($type:ident) => {{
        let own = |_: f64, _: f64, y: f64| y;
        let mut functions = functions! { $type:
            exp 1.0, |x, _| x.exp(), own;
            exp_m1 2.0, |x, _| x.exp_m1(), own;
            ln 1.0, |x, _| x.ln(), own;
            ln_1p 1.0, |x, _| x.ln_1p(), own;
            tanh 1.0, |x, _| x.tanh(), own;
            tanh_slope 2.5, |x, _| x.cosh().powi(-2), own;
            softplus 2.5, |x, _| std_softplus(x), own;
            sigmoid 2.5, |x, _| 1.0 / (1.0 + (-x).exp()), own;
            log_sigmoid 2.5, |x, _| -std_softplus(-x), own;
            log1mexp 2.5, |x, _| std_log1mexp(x), own;
            log1mexp_slope 3.0, |x, _| -1.0 / (-x).exp_m1(), own;
            log_odds 2.0, |x, _| x - std_log1mexp(x), |_, _, y| y.abs().max(1.0);
            log_odds_slope 2.5, |x, _| -1.0 / x.exp_m1(), own;
        };
        functions.push(Function {
            name: "log_add_exp",
            run: [math::log_add_exp::<$type, false>, math::log_add_exp::<$type, true>],
            bound: 3.0,
            unit: |a, b, y| y.abs().max(a.max(b).abs()),
            std: std_log_add_exp,
        });
        functions
    }};
}

/// Distance of neighbors at this size in a type of so many digits and this least exponent.
fn ulp<T: Real>(size: f64) -> f64 {
    let least = T::min_positive_value().as_f64().log2() as i32;
    let digits = -T::epsilon().as_f64().log2() as i32;
    let exponent = (size.abs().to_bits() >> 52) as i32 - 1023;
    libm::ldexp(1.0, exponent.max(least) - digits)
}

/// How far a result is from `hi + lo`, in ulp of `unit`; an overflow is right where the exact value rounds to it.
fn error<T: Real>(got: T, hi: f64, lo: f64, unit: f64) -> f64 {
    if got == T::from_f64(hi) && got.is_infinite() { 0.0 } else { (((got.as_f64() - hi) - lo) / ulp::<T>(unit)).abs() }
}

fn worst<T: Real>(function: &Function<T>, rows: &[Vec<f64>]) -> [(f64, f64); 2] {
    function.run.map(|run| {
        let mut worst = (0.0, f64::NAN);
        for row in rows {
            let (a, b, hi, lo) = (row[0], row[row.len() - 3], row[row.len() - 2], row[row.len() - 1]);
            if T::from_f64(a).as_f64() != a || T::from_f64(b).as_f64() != b {
                continue;
            }
            let error = error(run(T::from_f64(a), T::from_f64(b)), hi, lo, (function.unit)(a, b, hi));
            if error > worst.0 || error.is_nan() {
                worst = (error, a);
            }
        }
        worst
    })
}

fn check<T: Real>(functions: &[Function<T>], rows: impl Fn(&Function<T>) -> Vec<Vec<f64>>) {
    for function in functions {
        let [plain, fused] = worst(function, &rows(function));
        let (name, of) = (function.name, T::NAME);
        println!("{of} {name:15} {:.3} ulp at {:e}, fused {:.3} at {:e}", plain.0, plain.1, fused.0, fused.1);
        assert!(plain.0.max(fused.0) <= function.bound, "{name} in {of}: the docs promise {} ulp", function.bound);
    }
}

fn exact<T: Real>(function: &Function<T>) -> Vec<Vec<f64>> {
    type Rows = HashMap<String, Vec<Vec<f64>>>;
    static DATA: LazyLock<Rows> = LazyLock::new(|| {
        let packed = format!("{}/../data/math.json", env!("CARGO_MANIFEST_DIR"));
        let path = std::env::var("LOGLIK_MATH_REFERENCE").unwrap_or(packed);
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    });
    let rows = DATA[function.name].clone();
    assert!(rows.len() > 400, "{} of {} values", rows.len(), function.name);
    rows
}

#[test]
fn exact_values_are_met_within_the_bounds_in_f32() {
    check(&all!(f32), exact);
}

#[test]
fn exact_values_are_met_within_the_bounds_in_f64() {
    check(&all!(f64), exact);
}

#[test]
fn a_sweep_over_f32_agrees_with_the_standard_library_in_f64() {
    let step = if cfg!(debug_assertions) { 40_013 } else { 4_001 }; // prime: no pattern of mantissas
    let sweep: Vec<f32> = (0..u32::MAX).step_by(step).map(f32::from_bits).filter(|x| !x.is_nan()).collect();
    check(&all!(f32), |function| {
        let inside = |x: &f32| match function.name {
            "ln" => *x > 0.0,
            "ln_1p" => *x > -1.0,
            "log1mexp" | "log1mexp_slope" | "log_odds" | "log_odds_slope" => *x < 0.0 && *x > f32::NEG_INFINITY,
            "log_add_exp" => x.is_finite(),
            _ => true,
        };
        let row = |x: &f32| {
            let a = f64::from(*x);
            let b = f64::from(1.0 - x.abs());
            if function.name == "log_add_exp" {
                vec![a, b, (function.std)(a, b), 0.0]
            } else {
                vec![a, (function.std)(a, a), 0.0]
            }
        };
        sweep.iter().filter(|x| inside(x)).map(row).collect()
    });
}

/// Same bits, any NaN being as good as another.
fn same<T: Real>(a: T, b: T) -> bool {
    (a.is_nan() && b.is_nan()) || (a == b && a.is_sign_negative() == b.is_sign_negative())
}

fn check_special<T: Real>(functions: &[Function<T>]) {
    let (zero, one, inf, nan) = (T::zero(), T::one(), T::infinity(), T::nan());
    let (tiny, max) = (T::min_positive_value() * T::epsilon(), T::max_value());
    type Library<T> = [(&'static str, fn(T) -> T); 5];
    let library: Library<T> =
        [("exp", T::exp), ("exp_m1", T::exp_m1), ("ln", T::ln), ("ln_1p", T::ln_1p), ("tanh", T::tanh)];
    for (name, std) in library {
        let function = functions.iter().find(|f| f.name == name).unwrap();
        for x in [nan, inf, -inf, zero, -zero, tiny, -tiny, max, -max, one, -one, one + one, -one - one] {
            for run in function.run {
                let (got, expected) = (run(x, x), std(x));
                let ordinary = expected.is_finite() && expected != zero;
                let close = error(got, expected.as_f64(), 0.0, expected.as_f64()) <= function.bound + 0.5;
                assert!(if ordinary { close } else { same(got, expected) }, "{name}({x}) = {got}, std {expected}");
            }
        }
    }
}

#[test]
fn special_values_are_those_of_the_standard_library() {
    check_special(&all!(f32));
    check_special(&all!(f64));
}

fn check_limits<T: Real, const FMA: bool>() {
    let (zero, one, inf, nan, ln_2) = (T::zero(), T::one(), T::infinity(), T::nan(), T::LN_2());
    let tiny = -T::min_positive_value() * T::epsilon();
    type Limits<'a, T> = [(&'static str, fn(T) -> T, &'a [(T, T)]); 9];
    let limits: Limits<T> = [
        (
            "tanh",
            math::tanh::<T, FMA>,
            &[
                (nan, nan),
                (inf, one),
                (-inf, -one),
                (zero, zero),
                (-zero, -zero),
                (T::from_f64(20.0), one),
                (tiny, tiny),
            ],
        ),
        ("tanh_slope", math::tanh_slope::<T, FMA>, &[(nan, nan), (inf, zero), (-inf, zero), (zero, one), (-zero, one)]),
        ("softplus", math::softplus::<T, FMA>, &[(nan, nan), (inf, inf), (-inf, zero), (zero, ln_2), (-zero, ln_2)]),
        ("sigmoid", math::sigmoid::<T, FMA>, &[(nan, nan), (inf, one), (-inf, zero), (zero, T::from_f64(0.5))]),
        ("log_sigmoid", math::log_sigmoid::<T, FMA>, &[(nan, nan), (inf, -zero), (-inf, -inf), (zero, -ln_2)]),
        (
            "log1mexp",
            math::log1mexp::<T, FMA>,
            &[(nan, nan), (zero, -inf), (-zero, -inf), (-inf, -zero), (one, nan), (inf, nan)],
        ),
        ("log1mexp_slope", math::log1mexp_slope::<T, FMA>, &[(nan, nan), (zero, -inf), (-zero, -inf), (-inf, -zero)]),
        ("log_odds", math::log_odds::<T, FMA>, &[(nan, nan), (zero, inf), (-zero, inf), (-inf, -inf), (one, nan)]),
        ("log_odds_slope", math::log_odds_slope::<T, FMA>, &[(nan, nan), (zero, inf), (-zero, inf), (-inf, one)]),
    ];
    for (name, function, rows) in limits {
        for &(x, expected) in rows {
            assert!(same(function(x), expected), "{name}({x}) = {}, not {expected}", function(x));
        }
    }
    let sums = [
        (-inf, -inf, -inf),
        (inf, inf, inf),
        (-inf, inf, inf),
        (inf, -inf, inf),
        (-inf, one, one),
        (one, -inf, one),
        (zero, zero, ln_2),
    ];
    for (a, b, expected) in sums {
        assert!(same(math::log_add_exp::<T, FMA>(a, b), expected), "log_add_exp({a}, {b})");
    }
    for (a, b) in [(nan, one), (one, nan), (nan, inf), (inf, nan), (nan, -inf), (-inf, nan), (nan, nan)] {
        assert!(math::log_add_exp::<T, FMA>(a, b).is_nan(), "log_add_exp({a}, {b})");
    }
}

#[test]
fn limits_are_exact_at_the_ends_of_each_domain() {
    check_limits::<f32, false>();
    check_limits::<f32, true>();
    check_limits::<f64, false>();
    check_limits::<f64, true>();
}
