//! Every row of the catalogue by the name that configurations give it.

use loglik::preference::PairConfig;
use loglik_catalogue::objectives::objectives;
use serde_json::{Value, from_value, json, to_value};

use super::exceptions::EXCEPTIONS;
use super::places::text;

#[test]
fn every_configuration_comes_back_as_it_went_under_the_name_that_the_page_says() {
    let page = text("docs/objectives.md");
    for row in objectives() {
        let config = row.usual();
        let mut written = to_value(&config).unwrap();
        assert_eq!(from_value::<PairConfig>(written.clone()).unwrap(), config);
        let Value::String(name) = &written["loss_type"] else { panic!("{written} has no name") };
        let is_told = page.contains(&format!("\n| `{}`; `{name}`", row.name));
        let is_exception = |of: &super::Exception| of.file == "docs/objectives.md" && of.names.contains(&row.name);
        assert!(is_told || EXCEPTIONS.iter().any(is_exception), "docs/objectives.md has no `{}`; `{name}`", row.name);
        written["betta"] = json!(1.0);
        assert!(from_value::<PairConfig>(written).is_err(), "{} takes a field that it has not", row.name);
    }
}
