//! What a user's program compiles: every family in both types. Each family prints the total of what it has computed.

mod classical;
mod pairs;
mod tokens;

use loglik::{Real, Result};

fn all<T: Real>() -> Result<()> {
    println!("{}: pairs {:.6}, tokens {:.6}", T::NAME, pairs::run::<T>()?, tokens::run::<T>()?);
    println!(
        "{}: likelihoods {:.6}, transport {:.6}",
        T::NAME,
        classical::likelihoods::<T>()?,
        classical::transport::<T>()?
    );
    Ok(())
}

fn main() -> Result<()> {
    all::<f32>()?;
    all::<f64>()
}
