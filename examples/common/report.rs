//! What a run says and what it leaves behind.

use std::fmt::Write;

use super::entropy::Entropy;
use super::failure::{Failure, Outcome};
use super::reading::TrainingReading;
use super::result::Ending;
use super::tuning::Run;
use super::{curves, summary, svg, words};

/// Text for the screen, files for the folder.
#[derive(Debug)]
pub struct Report {
    /// What is to be read on the screen.
    pub text: String,
    /// Names and contents of the files.
    pub files: Vec<(String, String)>,
    /// Held-out bits per byte of the model before any objective but the likelihood.
    bits_per_byte: f64,
    entropy: Entropy,
}

impl Report {
    /// Puts the findings together; the first ending is the checkpoint's.
    pub fn new(entropy: Entropy, readings: &[TrainingReading], runs: &[Run], endings: &[Ending]) -> Outcome<Self> {
        let mut files = vec![("summary.csv".into(), summary::csv(endings))];
        let figures = [curves::pretraining(readings, entropy)].into_iter().chain(curves::tuning(runs));
        for figure in figures {
            files.push((format!("{}.csv", figure.name), figure.csv()));
            files.push((format!("{}.svg", figure.name), svg::svg(&figure)?));
        }
        let bits_per_byte = endings.first().map_or(f64::NAN, |checkpoint| checkpoint.text.bits_per_byte);
        let mut report = Self { text: String::new(), files, bits_per_byte, entropy };
        report.text = report.render(endings)?;
        Ok(report)
    }

    fn render(&self, endings: &[Ending]) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let Self { bits_per_byte, entropy: Entropy { order_0, order_1 }, .. } = self;
        writeln!(text, "held-out text    {bits_per_byte:.3} bits per byte under the model after likelihood training")?;
        writeln!(text, "order-0 entropy  {order_0:.3} bits per byte, from the byte frequencies of the training text")?;
        writeln!(text, "order-1 entropy  {order_1:.3} bits per byte, from the frequencies of its pairs of bytes\n")?;
        writeln!(text, "{}", summary::table(endings))?;
        writeln!(
            text,
            "chosen, rejected and margin: mean change on held-out pairs since the checkpoint ± standard error\n"
        )?;
        writeln!(text, "{}", words::findings(endings))?;
        Ok(text)
    }

    /// Whether the model has learnt more of the text than how often its bytes occur.
    pub fn verdict(&self) -> Outcome<()> {
        let (bits, order_0) = (self.bits_per_byte, self.entropy.order_0);
        if bits < order_0 {
            return Ok(());
        }
        Err(Failure::Run(format!(
            "the model has not learnt: {bits:.3} bits per byte of held-out text, not below the order-0 entropy {order_0:.3}"
        )))
    }
}
