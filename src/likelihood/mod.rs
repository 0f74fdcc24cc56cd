//! Densities as objectives: negative log-likelihood and gradient.
