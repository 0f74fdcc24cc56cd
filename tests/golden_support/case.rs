//! What an adapter sees of a case: its inputs in one element type, with a note of everything that it asked for.

use std::cell::RefCell;
use std::collections::BTreeSet;

use loglik::Real;
use ndarray::{Array, ArrayD, Dimension};
use serde_json::Value;

use super::Failure;
use super::schema::Record;

/// A case in the element type `T`. Names that no adapter asks for are failures, found by [`Case::unused`].
pub struct Case<'a, T> {
    record: &'a Record,
    used: RefCell<BTreeSet<String>>,
    results: RefCell<Vec<(String, ArrayD<f64>)>>,
    element: std::marker::PhantomData<T>,
}

impl<'a, T: Real> Case<'a, T> {
    pub fn new(record: &'a Record) -> Self {
        Self { record, used: RefCell::default(), results: RefCell::default(), element: std::marker::PhantomData }
    }

    fn note(&self, kind: &str, name: &str) {
        self.used.borrow_mut().insert(format!("{kind} `{name}`"));
    }

    fn param(&self, name: &str) -> Option<&'a Value> {
        self.note("parameter", name);
        self.record.params.get(name).filter(|value| !value.is_null())
    }

    /// A parameter that is a number; absent or null is `None`.
    pub fn number(&self, name: &str) -> Result<Option<f64>, Failure> {
        let wrong = |value: &Value| format!("parameter `{name}` is {value}, expected a number");
        self.param(name).map(|value| value.as_f64().ok_or_else(|| wrong(value).into())).transpose()
    }

    /// A parameter that is a whole number; absent or null is `None`.
    pub fn whole(&self, name: &str) -> Result<Option<i64>, Failure> {
        let wrong = |value: &Value| format!("parameter `{name}` is {value}, expected a whole number");
        self.param(name).map(|value| value.as_i64().ok_or_else(|| wrong(value).into())).transpose()
    }

    /// A parameter that is a word; absent or null is `None`.
    pub fn word(&self, name: &str) -> Result<Option<&'a str>, Failure> {
        let wrong = |value: &Value| format!("parameter `{name}` is {value}, expected a word");
        self.param(name).map(|value| value.as_str().ok_or_else(|| wrong(value).into())).transpose()
    }

    /// A parameter that is a list of words or of numbers, as `each` reads them; absent or null is empty.
    pub fn list<A>(&self, name: &str, each: impl Fn(&'a Value) -> Option<A>) -> Result<Vec<A>, Failure> {
        let Some(value) = self.param(name) else { return Ok(Vec::new()) };
        let read = value.as_array().and_then(|list| list.iter().map(each).collect());
        read.ok_or_else(|| format!("parameter `{name}` is {value}, expected another list").into())
    }

    /// An input as it lies in the file, where the case has it.
    pub fn wide(&self, name: &str) -> Option<&'a ArrayD<f64>> {
        self.note("input", name);
        self.record.inputs.get(name).map(|numbers| &numbers.0)
    }

    /// An input that the objective cannot do without.
    pub fn input<D: Dimension>(&self, name: &str) -> Result<Array<T, D>, Failure> {
        self.optional(name)?.ok_or_else(|| format!("input `{name}` is missing").into())
    }

    /// An input that may be absent.
    pub fn optional<D: Dimension>(&self, name: &str) -> Result<Option<Array<T, D>>, Failure> {
        let Some(wide) = self.wide(name) else { return Ok(None) };
        let array = wide.mapv(T::from_f64).into_dimensionality::<D>();
        Ok(Some(array.map_err(|_| format!("input `{name}` has shape {:?}", wide.shape()))?))
    }

    /// Class indices of any shape.
    pub fn classes(&self, name: &str) -> Result<ArrayD<i64>, Failure> {
        let wide = self.wide(name).ok_or_else(|| format!("input `{name}` is missing"))?;
        match wide.iter().find(|x| x.fract() != 0.0) {
            Some(x) => Err(format!("input `{name}` holds {x}, expected class indices").into()),
            None => Ok(wide.mapv(|x| x as i64)),
        }
    }

    /// Hands over a result, to be compared with the output of this name where the case has one. A name may be given
    /// more than once, by every route that leads to it.
    pub fn give<D: Dimension>(&self, name: &str, array: &Array<T, D>) {
        let wide = array.mapv(|x| x.as_f64()).into_dyn();
        self.results.borrow_mut().push((name.to_owned(), wide));
    }

    /// Hands over a scalar result.
    pub fn give_scalar(&self, name: &str, value: T) {
        self.give(name, &ndarray::arr0(value));
    }

    /// Parameters and inputs that nobody asked for.
    pub fn unused(&self) -> Vec<String> {
        let params = self.record.params.keys().map(|name| format!("parameter `{name}`"));
        let inputs = self.record.inputs.keys().map(|name| format!("input `{name}`"));
        params.chain(inputs).filter(|name| !self.used.borrow().contains(name)).collect()
    }

    /// Everything that was handed over.
    pub fn results(self) -> Vec<(String, ArrayD<f64>)> {
        self.results.into_inner()
    }
}
