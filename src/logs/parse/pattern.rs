//! Any line, by a regular expression: named groups are its fields.

use super::{Fields, Pattern};

pub(super) fn parse<'a>(pattern: &Pattern, line: &'a str) -> Option<Fields<'a>> {
    let found = pattern.0.captures(line)?;
    let mut fields = Fields::default();
    for name in pattern.0.capture_names().flatten() {
        if let Some(group) = found.name(name) {
            fields.push(name.to_owned(), group.as_str());
        }
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_groups_are_fields() {
        let pattern = Pattern::new(r"^(?<host>\S+) (?<status>\d+)( (?<more>.*))?$").unwrap();
        let fields = parse(&pattern, "a 503").unwrap();
        assert_eq!((fields.get("host"), fields.get("status"), fields.get("more")), (Some("a"), Some("503"), None));
        assert_eq!(parse(&pattern, "nothing of it"), None);
    }
}
