//! Which stream a line is about. Pure.

use std::collections::BTreeMap;

use super::parse::Fields;
use super::plan::Pattern;

/// How a line leads to a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamMap {
    /// All lines are about this one.
    Fixed(String),
    /// A field says it.
    Field {
        /// The field.
        field: String,
        /// Which part of it is the name, and what is made of its groups.
        part: Option<(Pattern, String)>,
        /// Names that differ from what the field says.
        names: BTreeMap<String, String>,
    },
}

impl StreamMap {
    /// The name of the stream, if the line says one.
    pub(super) fn stream(&self, fields: &Fields<'_>) -> Option<String> {
        match self {
            Self::Fixed(name) => Some(name.clone()),
            Self::Field { field, part, names } => {
                let text = fields.get(field)?;
                let said = match part {
                    None => text.to_owned(),
                    Some((pattern, template)) => {
                        let mut name = String::new();
                        pattern.0.captures(text)?.expand(template, &mut name);
                        name
                    }
                };
                Some(names.get(&said).cloned().unwrap_or(said))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pattern: Option<(&str, &str)>, names: &[(&str, &str)]) -> StreamMap {
        let owned = |(one, other): (&str, &str)| (one.to_owned(), other.to_owned());
        StreamMap::Field {
            field: "path".to_owned(),
            part: pattern.map(|(text, template)| (Pattern::new(text).expect("it is right"), template.to_owned())),
            names: names.iter().copied().map(owned).collect(),
        }
    }

    #[test]
    fn a_path_leads_to_its_stream() {
        let mut fields = Fields::default();
        fields.push("path", "/live/ch1/720p/5.ts");
        let pattern = Some(("^/live/([^/]+)/", "${1}"));
        assert_eq!(map(pattern, &[]).stream(&fields).as_deref(), Some("ch1"));
        assert_eq!(map(pattern, &[("ch1", "lobby")]).stream(&fields).as_deref(), Some("lobby"));
        assert_eq!(map(Some(("^/live/([^/]+)/([^/]+)", "$1-$2")), &[]).stream(&fields).as_deref(), Some("ch1-720p"));
        assert_eq!(map(Some(("^/vod/(.*)", "$1")), &[]).stream(&fields), None);
        assert_eq!(map(None, &[]).stream(&Fields::default()), None);
        assert_eq!(StreamMap::Fixed("a".into()).stream(&fields).as_deref(), Some("a"));
    }
}
