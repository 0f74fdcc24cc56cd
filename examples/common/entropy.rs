//! What a text would cost per byte if one knew only how often its bytes, or its pairs of bytes, occur.

use super::text::Part;

/// Byte frequencies of a text and of its bytes by predecessor, as entropies in bits per byte.
#[derive(Clone, Copy, Debug)]
pub struct Entropy {
    /// `Σ p(b) log2 1/p(b)`: bytes drawn independently.
    pub order_0: f64,
    /// `Σ p(a, b) log2 1/p(b | a)`: each byte drawn given the one before it.
    pub order_1: f64,
}

impl Entropy {
    /// Plug-in estimates: relative frequencies in the text itself stand for the probabilities.
    ///
    /// They are a little low for that reason, order 1 more so (65,536 cells): a model that is measured on other text and
    /// still beats them has learnt something.
    pub fn of(text: &Part) -> Self {
        let mut single = vec![0_u32; 256];
        let mut first = vec![0_u32; 256];
        let mut pair = vec![0_u32; 256 * 256];
        for stretch in &text.stretches {
            stretch.iter().for_each(|&byte| single[usize::from(byte)] += 1);
            for window in stretch.windows(2) {
                first[usize::from(window[0])] += 1;
                pair[usize::from(window[0]) * 256 + usize::from(window[1])] += 1;
            }
        }
        Self { order_0: bits(&single), order_1: bits(&pair) - bits(&first) }
    }
}

/// Entropy of the relative frequencies, in bits.
fn bits(counts: &[u32]) -> f64 {
    let total: f64 = counts.iter().map(|&n| f64::from(n)).sum();
    counts.iter().filter(|&&n| n > 0).map(|&n| f64::from(n) / total).map(|p| p * p.recip().log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternating_bytes_cost_one_bit_alone_and_nothing_in_pairs() {
        let bytes = b"ab".repeat(500);
        let entropy = Entropy::of(&Part { stretches: vec![&bytes] });
        assert_eq!(entropy.order_0, 1.0);
        assert!(entropy.order_1.abs() < 1e-12, "{entropy:?}");
    }
}
