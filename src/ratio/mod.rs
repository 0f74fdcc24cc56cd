//! Likelihood-ratio discriminators.
