//! Caps and temperatures of any size, at random: one value whichever way it is asked for, and no infinite gradient.

use super::*;
use crate::testing::cases;

/// Numbers that look random, the same each time.
struct Draw(u64);

impl Draw {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn pick<A: Copy>(&mut self, from: &[A]) -> A {
        from[(self.unit() * from.len() as f64) as usize]
    }

    /// A cap or a temperature anywhere in the range of `f64`.
    fn scale(&mut self) -> f64 {
        let anywhere = (1400.0 * self.unit() - 700.0).exp();
        let near = (10.0 * self.unit() - 5.0).exp();
        self.pick(&[anywhere, near, near, 2.9, 2.5, 1e-255, 4e-255, 1e123, 1e218])
    }

    /// A row whose first logit is a number; some of the others rule their class out, and some are huge.
    fn logits<E: Element>(&mut self, (rows, classes): (usize, usize), of: fn(f64) -> E) -> Array2<E> {
        let (forbidden, huge) = (self.pick(&[0.0, 0.1, 0.8]), self.pick(&[0.0, 0.0, 0.2]));
        let (spread, far) = (self.pick(&[0.1, 1.0, 30.0]), self.pick(&[1e3, 6e4, 1e38, 1e300]));
        Array2::from_shape_fn((rows, classes), |(_, class)| {
            let n = self.unit() + self.unit() - 1.0;
            let x = if self.unit() < huge { far * n } else { spread * n };
            let (finite, out) = (of(x).real().is_finite(), class > 0 && self.unit() < forbidden);
            of(if out {
                f64::NEG_INFINITY
            } else if finite {
                x
            } else {
                n
            })
        })
    }
}

/// The value is that of the gradient's call, to the bit; nothing infinite comes with `Ok`; layouts leave no trace.
fn agrees_with_itself<E: Element>(of: fn(f64) -> E, calls: usize) {
    let mut draw = Draw(17);
    for call in 0..calls {
        let shape =
            if call % 100 == 99 { (2, draw.pick(&[65, 2_047, 2_048, 2_049, 6_145])) } else { (3, 1 + call % 6) };
        let (x, cap, tau) = (draw.logits(shape, of), draw.scale(), draw.scale());
        let targets = Array1::from_shape_fn(shape.0, |_| (draw.unit() * shape.1 as f64) as usize);
        let (temperature, soft_cap) = draw.pick(&[(tau, None), (1.0, Some(cap)), (tau, Some(cap))]);
        if temperature == 1.0 && soft_cap.is_none_or(|cap| E::Real::from_f64(cap).is_infinite()) {
            continue; // a cap beyond the type is none
        }
        let class_weights = (call % 5 == 0).then(|| (0..shape.1).map(|_| draw.pick(&[0.0, 0.5, 2.0])).collect());
        let (label_smoothing, z_loss) = (draw.pick(&[0.0, 0.0, 0.1, 1.0]), draw.pick(&[0.0, 0.0, 1e-4, 1e300]));
        let loss = CrossEntropy { temperature, soft_cap, label_smoothing, z_loss, class_weights, ignore_index: None };
        let (value, graded) = (loss.value(&x, &targets, Reduction::Sum), loss.grad(&x, &targets, Reduction::Sum));
        match (&value, &graded) {
            (Ok(value), Ok((same, gradient))) => {
                assert_eq!(value.as_f64().to_bits(), same.as_f64().to_bits(), "{loss:?} of {x:?}, {targets}");
                assert!(gradient.iter().all(|slope| slope.is_finite()), "{loss:?} of {x:?}, {targets}");
            }
            (Err(error), Ok(_)) => panic!("{error}: {loss:?} of {x:?}, {targets}"),
            (_, Err(error)) => assert!(matches!(error, Error::Overflow { .. }), "{error}: {loss:?} of {x:?}"),
        }
        let mut other = Array2::from_elem(shape.f(), x[[0, 0]]);
        other.assign(&x);
        assert_eq!(loss.value(&other, &targets, Reduction::Sum), value, "{loss:?} of {x:?}");
        assert_eq!(loss.grad(&other, &targets, Reduction::Sum), graded, "{loss:?} of {x:?}");
        let transform = LogitTransform { temperature, soft_cap };
        let cotangent = Array1::from_shape_fn(shape.0, |_| E::Real::from_f64(draw.pick(&[0.0, -1.0, 3.0, 1e30])));
        if let Ok(gradient) = transform.token_log_probs_backward(&x, &targets, &cotangent) {
            assert!(gradient.iter().all(|slope| slope.is_finite()), "{transform:?} of {x:?}, {targets}, {cotangent}");
        }
        match (transform.log_sum_exp(&x), transform.log_sum_exp_grad(&x)) {
            (Ok(each), Ok((same, softmax))) => {
                assert_eq!(each, same, "{transform:?} of {x:?}");
                assert!(softmax.iter().all(|slope| slope.is_finite()), "{transform:?} of {x:?}");
            }
            (each, Ok(_)) => panic!("{each:?}: {transform:?} of {x:?}"),
            (_, Err(error)) => assert!(matches!(error, Error::Overflow { .. }), "{error}: {transform:?} of {x:?}"),
        }
    }
}

#[test]
fn caps_and_temperatures_of_any_size_give_one_value_and_finite_gradients() {
    agrees_with_itself::<f32>(|x| x as f32, cases(6_000));
    agrees_with_itself::<f64>(|x| x, cases(6_000));
    #[cfg(feature = "half")]
    agrees_with_itself::<half::bf16>(half::bf16::from_f64, cases(3_000));
    #[cfg(feature = "half")]
    agrees_with_itself::<half::f16>(half::f16::from_f64, cases(3_000));
}

/// All images are zeros of both signs.
#[test]
fn a_cap_or_temperature_that_leaves_only_zeros_is_that_of_equal_logits() {
    for (temperature, soft_cap) in [(1.0, Some(1e-255)), (1.0, Some(4e-255)), (1e123, None), (1e218, None)] {
        for classes in [4, 70, 4_096] {
            let x = Array2::from_shape_fn((1, classes), |(_, class)| if class % 2 == 0 { -0.5_f32 } else { 3.0 });
            let loss = CrossEntropy { temperature, soft_cap, ..CrossEntropy::default() };
            let (value, gradient) = loss.grad(&x, &array![1], Reduction::Sum).unwrap();
            assert_eq!(loss.value(&x, &array![1], Reduction::Sum).unwrap(), value);
            assert!((value - (classes as f32).ln()).abs() <= 1e-6, "{loss:?} over {classes}: {value}");
            assert!(gradient.iter().all(|slope| slope.abs() <= f32::MIN_POSITIVE), "{loss:?} over {classes}");
        }
    }
}
