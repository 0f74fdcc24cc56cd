//! Denoisers: preconditioning, weighted errors, noise levels.

use loglik::energy::{Edm, EdmArguments, KarrasGrid, SampleLoss};
use loglik::{Real, Reduction};
use ndarray::{Array1, Array2, Axis, s};

use super::{Case, Failure};

/// The files give the network's output: the coefficients make the denoiser's of it.
pub fn edm<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let [network, clean, noise] = ["network", "clean", "noise"].map(|name| case.input::<ndarray::Ix2>(name));
    let (network, clean, noise): (Array2<T>, Array2<T>, Array2<T>) = (network?, clean?, noise?);
    let sigma: Array1<T> = case.input("sigma")?;
    let edm = Edm { sigma_data: case.number("sigma_data")?.ok_or("parameter `sigma_data` is missing")? };
    let (mut denoised, mut scaled, mut label) = (network.clone(), network.clone(), sigma.clone());
    for (i, &sigma) in sigma.iter().enumerate() {
        let c = edm.coefficients(sigma.as_f64())?;
        let noisy = &clean.index_axis(Axis(0), i) + &noise.index_axis(Axis(0), i).mapv(|z| z * sigma);
        let [skip, out, input] = [c.skip, c.out, c.input].map(T::from_f64);
        denoised.row_mut(i).assign(&(noisy.mapv(|x| skip * x) + network.row(i).mapv(|f| out * f)));
        scaled.row_mut(i).assign(&noisy.mapv(|x| input * x));
        label[i] = T::from_f64(c.noise);
    }
    case.give("denoised", &denoised);
    case.give("scaled", &scaled);
    case.give("noise_label", &label);
    let count = case.whole("levels")?.ok_or("parameter `levels` is missing")? as usize;
    let levels = KarrasGrid::default().levels::<T>(count)?;
    case.give("levels", &levels.slice(s![..count]).to_owned());
    let arguments = EdmArguments { denoised: &*denoised, clean: &*clean, sigma: &*sigma };
    case.give("loss", &edm.each(arguments)?);
    case.give("grad.denoised", &edm.grad(arguments, Reduction::Sum)?.1);
    Ok(())
}
