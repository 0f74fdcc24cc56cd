//! Preference pairs from plain text: the real continuation of a prompt against one that the model made up.

use loglik::ndarray::{Array1, Array2};
use loglik::prelude::*;
use ndarray_rand::rand::Rng;

use super::failure::Outcome;
use super::model::Model;
use super::sampling::sample;
use super::score::score;
use super::text::{Builder, Part, Windows};

/// A response ends with the first newline from this length on,
const SHORTEST: usize = 8;
/// and at the latest here, in bytes.
const LONGEST: usize = 32;

/// Pairs of responses to real prompts, with their log-probabilities under the model that made the rejected ones.
#[derive(Debug)]
pub struct PairSet {
    context: usize,
    /// The last bytes of the prompt, then the response.
    texts: Pairs<Vec<Vec<u8>>>,
    reference: Pairs<Array1<f32>>,
}

/// Responses of some pairs, one after the other: first all chosen ones, then all rejected ones in the same order.
#[derive(Debug)]
pub struct PairWindows {
    /// The windows of all bytes of all responses.
    pub windows: Windows,
    /// Which of these bytes count: every one, for the prompts are in the contexts alone.
    pub scored: Array1<bool>,
    /// Where each response begins, and the end of the last.
    pub offsets: Vec<usize>,
    /// Log-probability of each response under the reference, in nats.
    pub reference: Pairs<Array1<f32>>,
}

impl PairSet {
    /// Draws `count` prompts from the text and lets the model, which becomes the reference, answer them.
    pub fn draw(text: &Part, model: &Model, count: usize, rng: &mut impl Rng) -> Outcome<Self> {
        let context = model.context();
        let mut chosen: Vec<Vec<u8>> = Vec::new();
        for _ in 0..count {
            let (stretch, at) = text.place(context, LONGEST, rng);
            chosen.push(stretch[at - context..at + LONGEST].to_vec());
        }
        let prompts = Array2::from_shape_fn((count, context), |(row, column)| chosen[row][column]);
        let answers = sample(model, prompts, LONGEST, rng)?;
        let mut rejected = chosen.clone();
        for (text, answer) in rejected.iter_mut().zip(answers.rows()) {
            text.truncate(context);
            text.extend(answer);
        }
        chosen.iter_mut().chain(&mut rejected).for_each(|text| end_at_newline(text, context));
        let none = Pairs { chosen: Array1::zeros(count), rejected: Array1::zeros(count) };
        let mut set = Self { context, texts: Pairs { chosen, rejected }, reference: none };
        set.reference = score(model, &set.all())?.policy;
        Ok(set)
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.texts.chosen.len()
    }

    /// Every pair.
    pub fn all(&self) -> PairWindows {
        self.first(self.len())
    }

    /// The first `count` pairs, or as many as there are.
    pub fn first(&self, count: usize) -> PairWindows {
        self.pick(&(0..count.min(self.len())).collect::<Vec<_>>())
    }

    /// `count` pairs at random, with replacement.
    pub fn sample(&self, count: usize, rng: &mut impl Rng) -> PairWindows {
        self.pick(&(0..count).map(|_| rng.random_range(0..self.len())).collect::<Vec<_>>())
    }

    fn pick(&self, pairs: &[usize]) -> PairWindows {
        let mut windows = Builder::new(self.context);
        let mut offsets = vec![0];
        for texts in [&self.texts.chosen, &self.texts.rejected] {
            for &pair in pairs {
                windows.push(&texts[pair], self.context..texts[pair].len());
                offsets.push(windows.len());
            }
        }
        let reference = |of: &Array1<f32>| pairs.iter().map(|&pair| of[pair]).collect();
        PairWindows {
            scored: Array1::from_elem(windows.len(), true),
            windows: windows.finish(),
            offsets,
            reference: Pairs {
                chosen: reference(&self.reference.chosen),
                rejected: reference(&self.reference.rejected),
            },
        }
    }
}

fn end_at_newline(text: &mut Vec<u8>, context: usize) {
    let earliest = context + SHORTEST - 1;
    if let Some(newline) = text.iter().skip(earliest).position(|&byte| byte == b'\n') {
        text.truncate(earliest + newline + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_ends_with_the_first_newline_that_is_late_enough() {
        let end = |text: &[u8]| {
            let mut text = text.to_vec();
            end_at_newline(&mut text, 2);
            text.len()
        };
        assert_eq!(end(b"..1234567\n9\n"), 10);
        assert_eq!(end(b"..12345\n7\n9"), 10);
        assert_eq!(end(b"..12345\n7890"), 12);
    }
}
