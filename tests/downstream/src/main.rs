//! What a user's program compiles: every family in both types. Each family prints the total of what it has computed.

mod pairs;

use loglik::{Real, Result};

fn all<T: Real>() -> Result<()> {
    println!("pairs {} {:.6}", T::NAME, pairs::run::<T>()?);
    Ok(())
}

fn main() -> Result<()> {
    all::<f32>()?;
    all::<f64>()
}
