//! A text, cut into stretches for training and stretches that are held out, and the windows that a model reads from it.

use std::ops::Range;

use loglik::ndarray::{Array1, Array2};
use ndarray_rand::rand::Rng;

use super::failure::{Failure, Outcome};

/// Bytes below which a text is too short to be split and learnt from.
const SHORTEST: usize = 10_000;
/// Stretches of equal length that a text is cut into: held-out text is then of every kind that the text has.
const STRETCHES: usize = 100;
/// Of so many stretches the last is held out.
const HELD_OUT_EVERY: usize = 10;

/// A text that is long enough.
#[derive(Debug)]
pub struct Text<'a> {
    bytes: &'a [u8],
}

impl<'a> Text<'a> {
    /// Takes the bytes as they are, in whatever encoding.
    pub fn new(bytes: &'a [u8], name: &str) -> Outcome<Self> {
        match bytes.len() {
            0 => Err(Failure::Input(format!("{name} is empty"))),
            n if n < SHORTEST => {
                Err(Failure::Input(format!("{name} is too short: {n} bytes, at least {SHORTEST} are needed")))
            }
            _ => Ok(Self { bytes }),
        }
    }

    /// Nine tenths of the text.
    pub fn training(&self) -> Part<'a> {
        self.part(|stretch| stretch % HELD_OUT_EVERY != HELD_OUT_EVERY - 1)
    }

    /// The tenth that no model is trained on.
    pub fn held_out(&self) -> Part<'a> {
        self.part(|stretch| stretch % HELD_OUT_EVERY == HELD_OUT_EVERY - 1)
    }

    fn part(&self, belongs: impl Fn(usize) -> bool) -> Part<'a> {
        let length = self.bytes.len() / STRETCHES;
        let stretches = (0..STRETCHES).filter(|&i| belongs(i)).map(|i| &self.bytes[i * length..(i + 1) * length]);
        Part { stretches: stretches.collect() }
    }
}

/// The training text or the held-out text. No window reaches beyond its stretch, so the two never share a byte.
#[derive(Debug)]
pub struct Part<'a> {
    /// All of one length.
    pub stretches: Vec<&'a [u8]>,
}

impl<'a> Part<'a> {
    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.stretches.iter().map(|stretch| stretch.len()).sum()
    }

    /// A stretch and a place in it, uniformly, with at least `before` bytes ahead of it and `after` behind.
    pub fn place(&self, before: usize, after: usize, rng: &mut impl Rng) -> (&'a [u8], usize) {
        let stretch = self.stretches[rng.random_range(0..self.stretches.len())];
        (stretch, rng.random_range(before..=stretch.len() - after))
    }

    /// `count` windows at random places.
    pub fn sample(&self, count: usize, context: usize, rng: &mut impl Rng) -> Windows {
        let mut windows = Builder::new(context);
        for _ in 0..count {
            let (stretch, at) = self.place(context, 1, rng);
            windows.push(stretch, at..at + 1);
        }
        windows.finish()
    }

    /// All windows, or evenly spread ones where there are more than `most`.
    pub fn spread(&self, most: usize, context: usize) -> Windows {
        let step = self.len().div_ceil(most.max(1));
        let mut windows = Builder::new(context);
        for stretch in &self.stretches {
            (context..stretch.len()).step_by(step).for_each(|at| windows.push(stretch, at..at + 1));
        }
        windows.finish()
    }
}

/// Bytes to predict, each with the bytes before it.
#[derive(Clone, Debug)]
pub struct Windows {
    /// `[N, context]`.
    pub contexts: Array2<u8>,
    /// `[N]`, the bytes that follow.
    pub targets: Array1<u32>,
}

/// Collects windows row by row.
#[derive(Debug)]
pub struct Builder {
    context: usize,
    contexts: Vec<u8>,
    targets: Vec<u32>,
}

impl Builder {
    /// No windows yet.
    pub fn new(context: usize) -> Self {
        Self { context, contexts: Vec::new(), targets: Vec::new() }
    }

    /// Adds the windows of all bytes in `places`, which begin no sooner than `context` bytes into the text.
    pub fn push(&mut self, bytes: &[u8], places: Range<usize>) {
        for at in places {
            self.contexts.extend_from_slice(&bytes[at - self.context..at]);
            self.targets.push(u32::from(bytes[at]));
        }
    }

    /// Number of windows so far.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// The windows as arrays.
    pub fn finish(self) -> Windows {
        let contexts = Array2::from_shape_fn((self.targets.len(), self.context), |(row, column)| {
            self.contexts[row * self.context + column]
        });
        Windows { contexts, targets: self.targets.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_of_the_training_text_holds_a_held_out_byte() {
        // Stretches of 200 bytes; every tenth is held out and marked.
        let bytes: Vec<u8> = (0..20_000).map(|at| u8::from(at / 200 % 10 == 9)).collect();
        let text = Text::new(&bytes, "text").unwrap();
        for (part, mark) in [(text.training(), 0), (text.held_out(), 1)] {
            let windows = part.spread(usize::MAX, 8);
            assert_eq!(windows.contexts.nrows(), part.stretches.len() * 192);
            assert!(windows.contexts.iter().all(|&byte| byte == mark));
            assert!(windows.targets.iter().all(|&byte| byte == u32::from(mark)));
        }
    }

    #[test]
    fn windows_are_followed_by_their_targets() {
        let mut windows = Builder::new(3);
        windows.push(b"abcdef", 3..5);
        let windows = windows.finish();
        assert_eq!(windows.contexts.row(1).to_vec(), b"bcd");
        assert_eq!(windows.targets.to_vec(), [u32::from(b'd'), u32::from(b'e')]);
    }

    #[test]
    fn a_short_text_is_refused() {
        assert!(Text::new(b"", "text").is_err() && Text::new(&[0; SHORTEST - 1], "text").is_err());
    }
}
