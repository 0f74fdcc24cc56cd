//! The first thing to copy: a preference loss and a cross-entropy, each with its exact gradient.
//!
//! ```text
//! cargo run --example quickstart
//! ```

use loglik::Result;
use loglik::ndarray::{array, aview1};
use loglik::prelude::*;

fn main() -> Result<()> {
    // Log-probabilities of four chosen and four rejected responses, in nats, under the policy and under the reference.
    let policy = Pairs { chosen: aview1(&[-12.5, -8.0, -30.0, -4.2]), rejected: aview1(&[-14.0, -7.5, -33.0, -9.9]) };
    let reference =
        Pairs { chosen: aview1(&[-13.0, -8.0, -29.0, -5.0]), rejected: aview1(&[-13.5, -8.0, -31.0, -9.0]) };
    let batch = PairBatch::new(policy).reference(reference);
    let (loss, gradient) = Dpo { beta: 0.1, ..Dpo::default() }.grad(batch, Reduction::Mean)?;
    println!("DPO loss              {loss:.6}");
    println!("gradient in chosen    {:+.6}", gradient.chosen);
    println!("gradient in rejected  {:+.6}", gradient.rejected);

    // Three rows of logits over four classes; the last row is padding.
    let logits = array![[2.0_f32, 0.5, -1.0, 0.0], [0.1, 0.2, 3.0, -2.0], [9.0, 9.0, 9.0, 9.0]];
    let targets = array![0_i64, 2, -100];
    let (loss, gradient) = CrossEntropy::default().grad(&logits, &targets, Reduction::Mean)?;
    println!("cross-entropy         {loss:.6} nats per token");
    println!("gradient in the logits\n{gradient:+.6}");
    Ok(())
}
