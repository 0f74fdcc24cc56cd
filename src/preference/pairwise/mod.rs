//! One file for each objective over pairs.

mod dpo;
mod ipo;
mod nll;
mod orpo;

pub use dpo::Dpo;
pub use ipo::Ipo;
pub use nll::Nll;
pub use orpo::Orpo;
