//! One call of a public function with arrays of any layout, and everything that it gives back.

use loglik::{Real, Result, SumCount};
use ndarray::{Array, ArrayD, ArrayView, ArrayViewD, ArrayViewMut, Dimension, IxDyn, arr0};

use super::knobs::turned;
use super::layout::{Laid, Layout};

/// The arguments of a call, before they have a layout or an element type.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    pub reals: Vec<ArrayD<f64>>,
    pub classes: Vec<ArrayD<i64>>,
    pub masks: Vec<ArrayD<bool>>,
    /// How hyper-parameters are turned, if they are.
    pub knobs: Option<u64>,
}

impl Inputs {
    pub fn reals<const N: usize>(reals: [ArrayD<f64>; N]) -> Self {
        Self { reals: reals.into(), ..Self::default() }
    }

    pub fn classes<const N: usize>(self, classes: [ArrayD<i64>; N]) -> Self {
        Self { classes: classes.into(), ..self }
    }

    pub fn masks<const N: usize>(self, masks: [ArrayD<bool>; N]) -> Self {
        Self { masks: masks.into(), ..self }
    }

    /// The arguments in memory of this layout, then the call.
    pub fn call<T: Real>(&self, layout: Layout, function: fn(&Call<T>, &mut Results<T>)) -> Results<T> {
        let reals: Vec<_> =
            self.reals.iter().map(|x| Laid::new(x.mapv(T::from_f64).view(), layout, T::nan())).collect();
        let classes: Vec<_> = self.classes.iter().map(|x| Laid::new(x.view(), layout, i64::MIN)).collect();
        let masks: Vec<_> = self.masks.iter().map(|x| Laid::new(x.view(), layout, true)).collect();
        let call = Call {
            reals: reals.iter().map(Laid::view).collect(),
            classes: classes.iter().map(Laid::view).collect(),
            masks: masks.iter().map(Laid::view).collect(),
            layout,
            knobs: self.knobs,
        };
        call.run(function)
    }

    /// The same, packed.
    pub fn packed<T: Real>(&self, function: fn(&Call<T>, &mut Results<T>)) -> Results<T> {
        self.call(Layout::Packed, function)
    }
}

/// The arguments of a call as views, in the element type `T`.
#[derive(Debug)]
pub struct Call<'a, T> {
    pub reals: Vec<ArrayViewD<'a, T>>,
    pub classes: Vec<ArrayViewD<'a, i64>>,
    pub masks: Vec<ArrayViewD<'a, bool>>,
    /// The layout that output buffers get.
    pub layout: Layout,
    /// How hyper-parameters are turned, if they are.
    pub knobs: Option<u64>,
}

impl<T: Real> Call<'_, T> {
    pub fn run(&self, function: fn(&Call<T>, &mut Results<T>)) -> Results<T> {
        let mut results = Results::default();
        turned(self.knobs, || function(self, &mut results));
        results
    }

    pub fn real<D: Dimension>(&self, index: usize) -> ArrayView<'_, T, D> {
        fix(&self.reals[index])
    }

    pub fn class<D: Dimension>(&self, index: usize) -> ArrayView<'_, i64, D> {
        fix(&self.classes[index])
    }

    pub fn mask<D: Dimension>(&self, index: usize) -> ArrayView<'_, bool, D> {
        fix(&self.masks[index])
    }

    /// A buffer in the layout of the call, full of what must not survive.
    pub fn buffer<D: Dimension>(&self, shape: D) -> Laid<T, D> {
        Laid::new(Array::from_elem(shape, T::from_f64(-777.0)).view(), self.layout, T::nan())
    }

    /// Calls `f` with such a buffer and hands over what stands in it afterwards.
    pub fn into<D: Dimension, R>(
        &self,
        shape: D,
        f: impl FnOnce(ArrayViewMut<'_, T, D>) -> Result<R>,
    ) -> Result<(R, Array<T, D>)> {
        let mut buffer = self.buffer(shape);
        let result = f(buffer.view_mut())?;
        Ok((result, buffer.view().to_owned()))
    }

    /// Calls `f` with a copy of an input in the layout of the call and hands over what stands in it afterwards.
    pub fn in_place<D: Dimension, R>(
        &self,
        index: usize,
        f: impl FnOnce(ArrayViewMut<'_, T, D>) -> Result<R>,
    ) -> Result<(R, Array<T, D>)> {
        let mut buffer = Laid::new(self.real(index), self.layout, T::nan());
        let result = f(buffer.view_mut())?;
        Ok((result, buffer.view().to_owned()))
    }
}

fn fix<'a, A, D: Dimension>(view: &'a ArrayViewD<'_, A>) -> ArrayView<'a, A, D> {
    view.view().into_dimensionality().expect("the catalogue gives every argument the rank that its function takes")
}

/// Everything that a call gave, by name; errors are results too.
///
/// Conventions: `value` is the reduced number, `each` its parts, `grad K` the gradient of the value (without one: of the
/// sum of `each`) by the real input `K`. A name with a prefix, as in `into: grad 0`, is another way to the same numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Results<T>(pub Vec<(String, Result<ArrayD<T>>)>);

impl<T> Default for Results<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Real> Results<T> {
    pub fn array<D: Dimension>(&mut self, name: &str, result: Result<Array<T, D>>) {
        self.0.push((name.to_owned(), result.map(Array::into_dyn)));
    }

    pub fn scalar(&mut self, name: &str, result: Result<T>) {
        self.array(name, result.map(arr0));
    }

    /// Sum and count; kept as `value` scaled to the element type, under `sum` and `count`.
    pub fn sum_count(&mut self, result: Result<SumCount>) {
        self.scalar("parts: sum", result.clone().map(|parts| T::from_f64(parts.sum)));
        self.scalar("parts: count", result.map(|parts| T::from_f64(parts.count)));
    }

    /// A value and the gradients that came with it, by the real inputs `first`, `first + 1`, ...
    pub fn grad<D: Dimension, const N: usize>(
        &mut self,
        route: &str,
        inputs: [usize; N],
        result: Result<(T, [Array<T, D>; N])>,
    ) {
        self.scalar(&format!("{route}value"), result.clone().map(|(value, _)| value));
        for (i, input) in inputs.into_iter().enumerate() {
            let gradient = result.clone().map(|(_, gradients)| gradients[i].clone());
            self.array(&format!("{route}grad {input}"), gradient);
        }
    }

    /// A result that must be there.
    #[track_caller]
    pub fn get(&self, name: &str) -> &ArrayD<T> {
        match self.find(name) {
            Some(Ok(array)) => array,
            other => panic!("{name} is {other:?}"),
        }
    }

    pub fn find(&self, name: &str) -> Option<&Result<ArrayD<T>>> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, result)| result)
    }

    /// The scalar of which the gradients are.
    #[track_caller]
    pub fn objective(&self) -> T {
        match self.find("value") {
            Some(Ok(value)) => value[IxDyn(&[])],
            _ => self.get("each").sum(),
        }
    }

    /// Whether both hold the same results down to the last bit, NaN included.
    pub fn same_bits(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.differing(other).is_empty()
    }

    /// The names of the results that differ in a bit, or of which one is another error.
    pub fn differing(&self, other: &Self) -> Vec<&str> {
        let pairs = self.0.iter().zip(&other.0);
        pairs.filter(|(left, right)| left.0 != right.0 || !same(&left.1, &right.1)).map(|(left, _)| &*left.0).collect()
    }

    /// What differs, for a message.
    pub fn difference(&self, other: &Self) -> String {
        let describe = |name| format!("{name}: {:?} against {:?}\n", self.find(name), other.find(name));
        self.differing(other).into_iter().map(describe).collect()
    }
}

fn same<T: Real>(left: &Result<ArrayD<T>>, right: &Result<ArrayD<T>>) -> bool {
    let bits = |x: &T| x.as_f64().to_bits();
    match (left, right) {
        (Ok(left), Ok(right)) => left.shape() == right.shape() && left.iter().map(bits).eq(right.iter().map(bits)),
        (Err(left), Err(right)) => left.to_string() == right.to_string(),
        _ => false,
    }
}

/// `Σ x y` over what both have; a value whose gradient is checked, formed by the test itself.
pub fn dot<'a, T: Real>(x: impl IntoIterator<Item = &'a T>, y: impl IntoIterator<Item = &'a T>) -> T {
    x.into_iter().zip(y).map(|(&x, &y)| x * y).sum()
}
