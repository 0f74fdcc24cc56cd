//! The summary as a table for the eye and as CSV.

use std::fmt::Write;

use super::result::Ending;

/// Names of the columns of the CSV, with units.
const COLUMNS: &str = "objective,held_out_bits_per_byte,top10_entropy_bits,top10_mass,\
    training_chosen_nats,training_rejected_nats,training_margin_nats,training_accuracy,\
    held_out_chosen_nats,held_out_rejected_nats,held_out_margin_nats,held_out_accuracy";

/// One row for each ending.
pub fn csv(endings: &[Ending]) -> String {
    let mut text = format!("{COLUMNS}\n");
    for Ending { name, training, held_out, text: reading } in endings {
        let mut values = vec![reading.bits_per_byte, reading.entropy, reading.mass];
        for moved in [training, held_out] {
            values.extend([moved.chosen.mean, moved.rejected.mean, moved.margin.mean, moved.accuracy]);
        }
        text.push_str(name);
        for value in values {
            // Writing to a string cannot fail.
            let _ = write!(text, ",{value}");
        }
        text.push('\n');
    }
    text
}

/// The same with aligned columns and standard errors.
pub fn table(endings: &[Ending]) -> String {
    let mut text = String::new();
    let mut line = |cells: [&str; 9]| {
        let [name, bits, entropy, mass, chosen, rejected, margin, training, held_out] = cells;
        let _ = writeln!(
            text,
            "{name:<10} {bits:>9} {entropy:>8} {mass:>6}  {chosen:>14} {rejected:>14} {margin:>14} {training:>8} {held_out:>8}"
        );
    };
    line(["", "held-out", "top-10", "top-10", "chosen", "rejected", "margin", "accuracy", "accuracy"]);
    line(["objective", "bits/byte", "entropy", "mass", "nats", "nats", "nats", "training", "held-out"]);
    for Ending { name, training, held_out, text } in endings {
        line([
            name,
            &format!("{:.3}", text.bits_per_byte),
            &format!("{:.3}", text.entropy),
            &format!("{:.3}", text.mass),
            &held_out.chosen.to_string(),
            &held_out.rejected.to_string(),
            &held_out.margin.to_string(),
            &format!("{:.3}", training.accuracy),
            &format!("{:.3}", held_out.accuracy),
        ]);
    }
    text
}
