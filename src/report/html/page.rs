//! A page in the making: markup of our own, and text that cannot become markup.

use std::fmt::Write as _;

use super::super::plain;

/// A page in the making: what comes from outside goes through [`Page::text`].
#[derive(Default)]
pub(crate) struct Page(pub(crate) String);

impl Page {
    /// Adds markup of our own.
    pub(crate) fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds markup of our own with numbers and words of our own in it.
    pub(crate) fn put(&mut self, markup: std::fmt::Arguments<'_>) -> &mut Self {
        // Writing into a String cannot fail.
        let _ = self.0.write_fmt(markup);
        self
    }

    /// Adds text, escaped for elements and for quoted attributes.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        for c in plain(text).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    pub(crate) fn badge(&mut self, verdict: &'static str) -> &mut Self {
        self.put(format_args!("<span class=\"v {verdict}\">{verdict}</span>"))
    }

    /// A severity with its colour beside it.
    pub(crate) fn severity(&mut self, severity: &'static str) -> &mut Self {
        self.put(format_args!("<span class=\"s {severity}\"><b>{severity}</b></span>"))
    }

    pub(crate) fn cell(&mut self, class: &str, text: &str) -> &mut Self {
        self.put(format_args!("<td class=\"{class}\">")).text(text).raw("</td>")
    }
}

/// A coordinate: one decimal, none when it is zero.
pub(super) fn short(value: f64) -> String {
    // Adding zero turns −0 into 0.
    let tenths = (value * 10.0).round() + 0.0;
    if tenths % 10.0 == 0.0 { format!("{}", tenths / 10.0) } else { format!("{:.1}", tenths / 10.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_as_short_as_may_be() {
        assert_eq!([0.0, -0.01, 12.0, 12.34, 999.96].map(short), ["0", "0", "12", "12.3", "1000"]);
    }

    #[test]
    fn text_stays_text_in_elements_and_attributes() {
        let mut page = Page::default();
        page.text("</script><img src=x onerror='a'>\"&\n\u{202e}");
        assert_eq!(page.0, "&lt;/script&gt;&lt;img src=x onerror=&#39;a&#39;&gt;&quot;&amp;??");
    }
}
