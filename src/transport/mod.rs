//! Optimal transport: distances between distributions, and bounds on them.
