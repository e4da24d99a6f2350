//! In which units a scraper wants what broadcasters and Prometheus measure differently.

/// The units of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// As broadcasters think: bit rates in bits. For people and for the shipped dashboard.
    Media,
    /// Base units of Prometheus alone, as <https://prometheus.io/docs/practices/naming/> lists them: bit rates in
    /// bytes. For those whose checks of metrics refuse anything else.
    Base,
}

impl Units {
    /// All of them; the first is given to who asks for none.
    pub const ALL: [Self; 2] = [Self::Media, Self::Base];

    /// Its name, in the query.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::Base => "base",
        }
    }
}
