//! The files as they lie on disk: JSON, in which a number that is not finite is a string.

use std::collections::BTreeMap;

use ndarray::ArrayD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Failure;

/// The only format that is understood.
pub const SCHEMA: &str = "loglik-golden/1";

/// One file: the cases of one objective.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub schema: String,
    pub objective: String,
    #[allow(dead_code)] // who computed the numbers: for readers, but required of every file
    pub source: String,
    pub cases: Vec<Record>,
}

/// One call and what it must give.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub id: String,
    #[serde(default)]
    pub params: Map<String, Value>,
    pub inputs: BTreeMap<String, Numbers>,
    pub outputs: BTreeMap<String, Numbers>,
    pub rtol: f64,
    pub atol: f64,
}

/// An array of any shape, row-major. A scalar has the shape `[]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Numbers(pub ArrayD<f64>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    shape: Vec<usize>,
    data: Vec<Value>,
}

impl TryFrom<Raw> for Numbers {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let data = raw.data.iter().map(number).collect::<Result<Vec<_>, _>>()?;
        ArrayD::from_shape_vec(raw.shape, data).map(Self).map_err(|error| error.to_string())
    }
}

fn number(value: &Value) -> Result<f64, String> {
    match value {
        Value::String(word) if word == "inf" => Ok(f64::INFINITY),
        Value::String(word) if word == "-inf" => Ok(f64::NEG_INFINITY),
        Value::String(word) if word == "nan" => Ok(f64::NAN),
        other => other.as_f64().ok_or_else(|| format!("{other} is not a number")),
    }
}

/// Reads a file and checks its format.
pub fn parse(text: &str) -> Result<File, Failure> {
    let file: File = serde_json::from_str(text)?;
    if file.schema != SCHEMA {
        return Err(format!("schema is {:?}, expected {SCHEMA:?}", file.schema).into());
    }
    if file.cases.is_empty() {
        return Err("no cases".into());
    }
    Ok(file)
}
