//! Kernels over logits: log-sum-exp, log-softmax, token log-probabilities, entropy, cross-entropy.
