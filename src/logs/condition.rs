//! Conditions on a line: FIELD OP VALUE. Pure.

use super::parse::Fields;
use super::plan::Pattern;

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    field: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Equals(String),
    Differs(String),
    Below(f64),
    AtMost(f64),
    Above(f64),
    AtLeast(f64),
    Matches(Pattern),
    MatchesNot(Pattern),
}

/// Why a condition is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// It has another form.
    #[error("must be FIELD OP VALUE, where OP is =, !=, <, <=, >, >=, ~ or !~")]
    Form,
    /// The value is no number.
    #[error("compares with a value that is no number")]
    Number,
    /// The value is no regular expression.
    #[error("{0}")]
    Pattern(String),
}

impl Condition {
    /// A line that tells of an error, by the usual words in its field `level`.
    pub fn is_error() -> Self {
        let words = Pattern::new("^(?i:err(or)?|crit(ical)?|fatal|alert|emerg(ency)?|panic)$");
        Self { field: "level".to_owned(), test: Test::Matches(words.expect("the expression is right")) }
    }

    /// A request that the server could not answer.
    pub fn is_server_error() -> Self {
        Self { field: "status".to_owned(), test: Test::AtLeast(500.0) }
    }

    /// The field that it looks at.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Whether it holds for a line. A field that is not there differs from everything and matches nothing.
    pub(super) fn holds(&self, fields: &Fields<'_>) -> bool {
        let text = fields.get(&self.field);
        let number = || text.and_then(|text| text.trim().parse::<f64>().ok());
        match &self.test {
            Test::Equals(value) => text == Some(value),
            Test::Differs(value) => text != Some(value),
            Test::Below(limit) => number().is_some_and(|number| number < *limit),
            Test::AtMost(limit) => number().is_some_and(|number| number <= *limit),
            Test::Above(limit) => number().is_some_and(|number| number > *limit),
            Test::AtLeast(limit) => number().is_some_and(|number| number >= *limit),
            Test::Matches(pattern) => text.is_some_and(|text| pattern.0.is_match(text)),
            Test::MatchesNot(pattern) => !text.is_some_and(|text| pattern.0.is_match(text)),
        }
    }
}

impl std::str::FromStr for Condition {
    type Err = ConditionError;
    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let at = text.find(['=', '!', '<', '>', '~']).ok_or(ConditionError::Form)?;
        let (field, rest) = (text[..at].trim(), &text[at..]);
        let (sign, value) = ["<=", ">=", "!=", "!~", "=", "<", ">", "~"]
            .into_iter()
            .find_map(|sign| Some((sign, rest.strip_prefix(sign)?.trim())))
            .ok_or(ConditionError::Form)?;
        if field.is_empty() || value.is_empty() {
            return Err(ConditionError::Form);
        }
        let number = || {
            let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or(ConditionError::Number)
        };
        let pattern = || Pattern::new(value).map_err(ConditionError::Pattern);
        let test = match sign {
            "=" => Test::Equals(value.to_owned()),
            "!=" => Test::Differs(value.to_owned()),
            "<" => Test::Below(number()?),
            "<=" => Test::AtMost(number()?),
            ">" => Test::Above(number()?),
            ">=" => Test::AtLeast(number()?),
            "~" => Test::Matches(pattern()?),
            _ => Test::MatchesNot(pattern()?),
        };
        Ok(Self { field: field.to_owned(), test })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(condition: &str, value: Option<&str>) -> bool {
        let mut fields = Fields::default();
        if let Some(value) = value {
            fields.push("status", value);
        }
        condition.parse::<Condition>().unwrap_or_else(|error| panic!("{condition}: {error}")).holds(&fields)
    }

    #[test]
    fn every_sign_means_what_it_says() {
        for (condition, value, expected) in [
            ("status >= 500", Some("500"), true),
            ("status>=500", Some("499"), false),
            ("status < 400", Some("399.5"), true),
            ("status <= 400", Some("400"), true),
            ("status > 400", Some("400"), false),
            ("status > 400", Some("many"), false),
            ("status = 404", Some("404"), true),
            ("status != 404", None, true),
            ("status ~ ^5..$", Some("503"), true),
            ("status !~ ^5", Some("404"), true),
            ("status ~ .", None, false),
        ] {
            assert_eq!(holds(condition, value), expected, "{condition} of {value:?}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused_with_the_reason() {
        let refused = |text: &str| text.parse::<Condition>().expect_err("it is wrong");
        assert_eq!(refused("status"), ConditionError::Form);
        assert_eq!(refused("= 5"), ConditionError::Form);
        assert_eq!(refused("status >="), ConditionError::Form);
        assert_eq!(refused("status > many"), ConditionError::Number);
        assert!(refused("status ~ (").to_string().starts_with("is no regular expression"));
    }

    proptest! {
        #[test]
        fn no_text_upsets_it(text in ".{0,40}") {
            let _ = text.parse::<Condition>();
        }
    }
}
