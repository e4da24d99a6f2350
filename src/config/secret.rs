//! Texts of the configuration that may be secrets: readable by the plan, never printed.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use crate::config::reference;
use crate::secret_url::SecretUrl;

/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// A secret text: passphrase, header value. Prints as `***`, or as the reference that fetches it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub(in crate::config) String);

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if reference::is_one(&self.0) { &self.0 } else { HIDDEN })
    }
}

/// An address as written: a path, `synthetic:…`, or a URL that may hold credentials.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct AddressText(pub(in crate::config) String);

impl Secret {
    /// One for tests of others.
    #[cfg(test)]
    pub(crate) fn for_tests(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        self.0.trim_end_matches(['\r', '\n'])
    }
}

impl AddressText {
    /// One that is a default.
    pub(in crate::config) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for AddressText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if reference::is_one(&self.0) {
            return f.write_str(&self.0);
        }
        let text = reference::replaced(&self.0, HIDDEN);
        if !text.contains("://") {
            return f.write_str(&text);
        }
        match text.parse::<SecretUrl>() {
            Ok(url) => write!(f, "{url}"),
            Err(_) => f.write_str(HIDDEN),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for AddressText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for AddressText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

impl JsonSchema for AddressText {
    fn schema_name() -> Cow<'static, str> {
        "AddressText".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_printing_shows_a_secret() {
        for (text, shown) in [
            ("srt://host:9000?passphrase=S3cret", "srt://host:9000?passphrase=***"),
            ("https://u:S3cret@host/a", "https://***@host/a"),
            ("https://host/${env:TOKEN}/a", "https://host/***/a"),
            ("${env:URL}", "${env:URL}"),
            ("https://[S3cret", "***"),
            ("clips/a.ts", "clips/a.ts"),
        ] {
            let address = AddressText(text.to_owned());
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), shown);
            assert_eq!(serde_json::to_string(&address).expect("a string"), format!("{shown:?}"));
        }
        assert_eq!(format!("{:?} {}", Secret("S3cret".to_owned()), Secret("${file:/a}".to_owned())), "*** ${file:/a}");
    }
}
