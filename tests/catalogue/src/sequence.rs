//! From tokens to sequences and back.

use loglik::Real;
use loglik::sequence::{TokenMask, causal_shift, sum_tokens, sum_tokens_backward};
use ndarray::{Ix1, Ix2};

use super::{By, Entry, Inputs, Random, Seen, Size, dot};

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("sum_tokens, padded", padded, |call, out| {
            let (x, mask) = (call.real::<Ix2>(0), call.mask::<Ix2>(0));
            let result = sum_tokens(&x, TokenMask::padded(mask.view()));
            out.array("sums", result.clone().map(|sequences| sequences.sums));
            out.array("lengths", result.clone().map(|sequences| sequences.lengths));
            out.array("means", result.and_then(|sequences| sequences.means()));
        })
        .forming(&["lengths", "offsets"])
        .without(By::Mask(0), &[0], Seen::All),
        Entry::of_cotangent("sum_tokens_backward, padded", padded, |call, out| {
            let (x, cotangent, mask) = (call.real::<Ix2>(0), call.real::<Ix1>(1), call.mask::<Ix2>(0));
            let mask = TokenMask::padded(mask.view());
            out.scalar("value", sum_tokens(&x, mask).map(|sequences| dot(&sequences.sums, cotangent)));
            out.array("grad 0", sum_tokens_backward(mask, &cotangent));
        })
        .without(By::Mask(0), &[0], Seen::All),
        Entry::of_cotangent("means_backward, packed", packed, |call, out| {
            let (x, cotangent, mask) = (call.real::<Ix1>(0), call.real::<Ix1>(1), call.mask::<Ix1>(0));
            let offsets = offsets(x.len(), cotangent.len());
            let mask = match TokenMask::packed(mask.view(), &offsets) {
                Ok(mask) => mask,
                Err(error) => return out.scalar("mask", Err(error)),
            };
            let sequences = sum_tokens(&x, mask);
            let means = sequences.clone().and_then(|sequences| sequences.means());
            out.scalar("value", means.map(|means| dot(&means, cotangent)));
            let slopes = sequences.and_then(|sequences| sequences.means_backward(&cotangent));
            out.array("grad 0", slopes.and_then(|slopes| sum_tokens_backward(mask, &slopes)));
        })
        .forming(&["lengths", "offsets"])
        .without(By::Mask(0), &[0], Seen::All),
        Entry::new("causal_shift", padded, |call, out| {
            let (tokens, mask) = (call.class::<Ix2>(0), call.mask::<Ix2>(0));
            let shifted = causal_shift(&tokens, TokenMask::padded(mask.view()));
            out.array(
                "targets",
                shifted.clone().map(|shifted| shifted.targets.mapv(|target| T::from_f64(target as f64))),
            );
            out.array("mask", shifted.map(|shifted| shifted.mask.mapv(|keep| T::from_f64(f64::from(u8::from(keep))))));
        }),
    ]
}

/// Boundaries of as many sequences as there are, of like lengths; the last takes the rest.
pub fn offsets(tokens: usize, sequences: usize) -> Vec<usize> {
    let each = tokens / sequences.max(1);
    (0..sequences).map(|i| i * each).chain([tokens]).collect()
}

/// Token log-probs, cotangent; tokens; mask.
fn padded(random: &mut Random, size: Size) -> Inputs {
    inputs(random, &[3, size.pick(4, 300_007)], 3)
}

fn packed(random: &mut Random, size: Size) -> Inputs {
    inputs(random, &[size.pick(11, 900_007)], 2)
}

fn inputs(random: &mut Random, shape: &[usize], sequences: usize) -> Inputs {
    let reals = [random.uniform(shape, -5.0, 0.0), random.uniform(&[sequences], -1.0, 1.0)];
    let mut mask = random.mask(shape);
    mask.iter_mut().step_by(4).for_each(|keep| *keep = true); // no sequence is empty
    Inputs::reals(reals).classes([random.classes(shape, 50)]).masks([mask])
}
