//! A search for inputs that fail: random hyper-parameters of their whole range, inputs from the ends of the type, masked pairs.
//! The seeds are fixed: the same calls every time.

mod pairs;
