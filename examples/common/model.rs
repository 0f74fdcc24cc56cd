//! A byte-level language model: a multilayer perceptron over the last bytes, forward and backward by hand.

use loglik::ndarray::{Array1, Array2, ArrayRef2, ArrayViewD, ArrayViewMutD, Axis, Zip};
use ndarray_rand::RandomExt;
use ndarray_rand::rand::Rng;
use ndarray_rand::rand_distr::Uniform;

use super::failure::Outcome;

/// Number of classes: every value of a byte.
pub const BYTES: usize = 256;

/// Sizes of a model.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Bytes that the model sees.
    pub context: usize,
    /// Numbers by which it sees each of them.
    pub embedding: usize,
    /// Hidden units.
    pub hidden: usize,
}

/// `logits = W₂ᵀ relu(W₁ᵀ [e(b₁) … e(b_k)] + c₁) + c₂`. A gradient has the same form as the model that it belongs to.
#[derive(Clone, Debug)]
pub struct Model {
    /// One row for each value of a byte.
    embedding: Array2<f32>,
    hidden: Linear,
    /// The unembedding: its columns stand for the bytes as the model's output sees them.
    output: Linear,
}

/// An affine map of rows.
#[derive(Clone, Debug)]
struct Linear {
    weight: Array2<f32>,
    bias: Array1<f32>,
}

/// The logits, and what leads back from them.
#[derive(Debug)]
pub struct Forward {
    /// `[N, 256]`.
    pub logits: Array2<f32>,
    /// For [`Model::backward`].
    pub trace: Trace,
}

/// What the backward pass needs of the forward pass.
#[derive(Debug)]
pub struct Trace {
    contexts: Array2<u8>,
    input: Array2<f32>,
    hidden: Array2<f32>,
}

impl Model {
    /// Random weights, uniform with the variance that keeps the scale of the activations.
    pub fn random(shape: Shape, rng: &mut impl Rng) -> Outcome<Self> {
        Ok(Self {
            embedding: Array2::random_using((BYTES, shape.embedding), Uniform::new(-0.5, 0.5)?, rng),
            hidden: Linear::random(shape.context * shape.embedding, shape.hidden, rng)?,
            output: Linear::random(shape.hidden, BYTES, rng)?,
        })
    }

    /// Bytes that the model sees.
    pub fn context(&self) -> usize {
        self.hidden.weight.nrows() / self.embedding.ncols()
    }

    /// One row for each byte: what the output layer holds of it.
    pub fn output_embeddings(&self) -> Array2<f32> {
        self.output.weight.t().as_standard_layout().into_owned()
    }

    /// Logits of the bytes that follow each row of `contexts`, `[N, context]`.
    pub fn forward(&self, contexts: &ArrayRef2<u8>) -> Forward {
        let width = self.embedding.ncols();
        let mut input = Array2::zeros((contexts.nrows(), contexts.ncols() * width));
        for (bytes, mut row) in contexts.rows().into_iter().zip(input.rows_mut()) {
            for (&byte, mut place) in bytes.iter().zip(row.exact_chunks_mut(width)) {
                place.assign(&self.embedding.row(byte.into()));
            }
        }
        let mut hidden = self.hidden.forward(&input);
        hidden.mapv_inplace(|x| x.max(0.0));
        Forward { logits: self.output.forward(&hidden), trace: Trace { contexts: contexts.to_owned(), input, hidden } }
    }

    /// The gradient in the parameters, given the one in the logits.
    pub fn backward(&self, trace: &Trace, logits_slope: &ArrayRef2<f32>) -> Self {
        let (output, mut hidden_slope) = self.output.backward(&trace.hidden, logits_slope);
        Zip::from(&mut hidden_slope).and(&trace.hidden).for_each(|slope, &unit| {
            if unit <= 0.0 {
                *slope = 0.0;
            }
        });
        let (hidden, input_slope) = self.hidden.backward(&trace.input, &hidden_slope);
        let width = self.embedding.ncols();
        let mut embedding = Array2::zeros(self.embedding.raw_dim());
        for (bytes, row) in trace.contexts.rows().into_iter().zip(input_slope.rows()) {
            for (&byte, place) in bytes.iter().zip(row.exact_chunks(width)) {
                let mut sum = embedding.row_mut(byte.into());
                sum += &place;
            }
        }
        Self { embedding, hidden, output }
    }

    /// All parameters with zeros in them.
    pub fn zeros_like(&self) -> Self {
        let mut zeros = self.clone();
        zeros.parameters_mut().iter_mut().for_each(|array| array.fill(0.0));
        zeros
    }

    /// Adds the parameters of another model of the same shape: a gradient of more rows.
    pub fn add(&mut self, other: &Self) {
        for (mut sum, term) in self.parameters_mut().into_iter().zip(other.parameters()) {
            sum += &term;
        }
    }

    /// The parameter arrays, in a fixed order.
    pub fn parameters(&self) -> [ArrayViewD<'_, f32>; 5] {
        let Self { embedding, hidden, output } = self;
        [
            embedding.view().into_dyn(),
            hidden.weight.view().into_dyn(),
            hidden.bias.view().into_dyn(),
            output.weight.view().into_dyn(),
            output.bias.view().into_dyn(),
        ]
    }

    /// The parameter arrays, in the same order, to be changed.
    pub fn parameters_mut(&mut self) -> [ArrayViewMutD<'_, f32>; 5] {
        let Self { embedding, hidden, output } = self;
        [
            embedding.view_mut().into_dyn(),
            hidden.weight.view_mut().into_dyn(),
            hidden.bias.view_mut().into_dyn(),
            output.weight.view_mut().into_dyn(),
            output.bias.view_mut().into_dyn(),
        ]
    }
}

impl Linear {
    fn random(inputs: usize, outputs: usize, rng: &mut impl Rng) -> Outcome<Self> {
        let bound = (3.0 / inputs as f32).sqrt();
        let weight = Array2::random_using((inputs, outputs), Uniform::new(-bound, bound)?, rng);
        Ok(Self { weight, bias: Array1::zeros(outputs) })
    }

    fn forward(&self, input: &ArrayRef2<f32>) -> Array2<f32> {
        input.dot(&self.weight) + &self.bias
    }

    /// The gradient in the parameters and in the input.
    fn backward(&self, input: &ArrayRef2<f32>, slope: &ArrayRef2<f32>) -> (Self, Array2<f32>) {
        let gradient = Self { weight: input.t().dot(slope), bias: slope.sum_axis(Axis(0)) };
        (gradient, slope.dot(&self.weight.t()))
    }
}

#[cfg(test)]
mod tests {
    use loglik::ndarray::array;
    use ndarray_rand::rand::SeedableRng;
    use ndarray_rand::rand::rngs::StdRng;

    use super::*;

    #[test]
    fn the_gradient_meets_a_central_difference_in_every_array() {
        let mut rng = StdRng::seed_from_u64(7);
        let model = Model::random(Shape { context: 2, embedding: 3, hidden: 5 }, &mut rng).unwrap();
        let contexts = array![[1_u8, 2], [2, 2], [255, 0]];
        let slope = Array2::random_using((3, BYTES), Uniform::new(-1.0, 1.0).unwrap(), &mut rng);
        let value = |model: &Model| (model.forward(&contexts).logits * &slope).mapv(f64::from).sum();
        let gradient = model.backward(&model.forward(&contexts).trace, &slope);
        let step = 1e-3;
        for (which, slopes) in gradient.parameters().iter().enumerate() {
            assert!(slopes.iter().any(|slope| slope.abs() > 0.1), "array {which} has no slope to compare");
            for (place, &got) in slopes.iter().enumerate().filter(|(_, slope)| slope.abs() > 0.1) {
                let moved = |by: f32| {
                    let mut model = model.clone();
                    *model.parameters_mut()[which].iter_mut().nth(place).unwrap() += by;
                    value(&model)
                };
                let expected = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                assert!((f64::from(got) - expected).abs() < 0.01, "array {which}, {place}: {got} against {expected}");
            }
        }
    }
}
