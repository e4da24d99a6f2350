//! One log line taken apart without copying: the few fields that filters and summaries ask for.
//!
//! Not a JSON parser: a walk over the pairs of one flat object, which skips nested values by their
//! brackets. It reads a gigabyte in seconds because it looks at most bytes once and keeps none.

use super::Moment;

/// Importance of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Importance {
    /// `trace`.
    Trace,
    /// `debug`.
    Debug,
    /// `info`, and whatever names no level.
    #[default]
    Info,
    /// `warn`.
    Warn,
    /// `error`.
    Error,
}

impl Importance {
    /// Every one, rising.
    pub const ALL: [Self; 5] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// Its name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    fn of(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().as_bytes() == name)
    }
}

impl std::str::FromStr for Importance {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::of(text.to_ascii_lowercase().as_bytes()).ok_or_else(|| "use trace, debug, info, warn or error".to_owned())
    }
}

/// A value as it stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// The inside of a string, escapes untouched.
    Text(&'a [u8]),
    /// A number, `true`, `false` or `null`.
    Bare(&'a [u8]),
    /// An object or a list, with its brackets.
    Nested(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The bytes, without quotation marks.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Text(bytes) | Self::Bare(bytes) | Self::Nested(bytes) => bytes,
        }
    }
}

/// The inside of a JSON string as text; what is no JSON is taken as it stands.
pub(super) fn unescaped(inside: &[u8]) -> String {
    if !inside.contains(&b'\\') {
        return String::from_utf8_lossy(inside).into_owned();
    }
    let quoted = [b"\"", inside, b"\""].concat();
    serde_json::from_slice(&quoted).unwrap_or_else(|_| String::from_utf8_lossy(inside).into_owned())
}

/// Walks over the pairs of a line; ends early at the first thing that is none.
pub struct Pairs<'a> {
    bytes: &'a [u8],
    at: usize,
    state: Walk,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    First,
    Next,
    Done,
    Broken,
}

impl<'a> Pairs<'a> {
    /// The pairs of a line, its end already cut off.
    pub fn new(bytes: &'a [u8]) -> Self {
        let bytes = bytes.trim_ascii();
        let state = if bytes.first() == Some(&b'{') { Walk::First } else { Walk::Broken };
        Self { bytes, at: 1, state }
    }

    /// True once the object was read to its end, with nothing behind it.
    pub fn is_whole(&self) -> bool {
        self.state == Walk::Done
    }

    fn blank(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// The inside of the string that begins here.
    fn string(&mut self) -> Option<&'a [u8]> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        let start = self.at + 1;
        let mut at = start;
        loop {
            at += memchr::memchr2(b'"', b'\\', self.bytes.get(at..)?)?;
            if self.bytes[at] == b'"' {
                self.at = at + 1;
                return Some(&self.bytes[start..at]);
            }
            at += 2;
        }
    }

    /// The object or list that begins here.
    fn nested(&mut self) -> Option<&'a [u8]> {
        let (start, mut depth) = (self.at, 0_u32);
        loop {
            match self.bytes.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        return Some(&self.bytes[start..self.at]);
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    fn value(&mut self) -> Option<Value<'a>> {
        match self.bytes.get(self.at)? {
            b'"' => self.string().map(Value::Text),
            b'{' | b'[' => self.nested().map(Value::Nested),
            _ => {
                let start = self.at;
                let is_bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
                let rest = &self.bytes[start..];
                self.at += rest.iter().position(|byte| !is_bare(byte)).unwrap_or(rest.len());
                (self.at > start).then(|| Value::Bare(&self.bytes[start..self.at]))
            }
        }
    }

    fn pair(&mut self) -> Option<(&'a [u8], Value<'a>)> {
        let key = self.string()?;
        self.blank();
        if self.bytes.get(self.at) != Some(&b':') {
            return None;
        }
        self.at += 1;
        self.blank();
        Some((key, self.value()?))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.state {
            Walk::First => true,
            Walk::Next => false,
            Walk::Done | Walk::Broken => return None,
        };
        self.state = Walk::Broken;
        self.blank();
        match self.bytes.get(self.at)? {
            b'}' => {
                let is_end = self.at + 1 == self.bytes.len();
                self.state = if is_end { Walk::Done } else { Walk::Broken };
                return None;
            }
            b',' if !first => self.at += 1,
            _ if first => {}
            _ => return None,
        }
        self.blank();
        let pair = self.pair()?;
        self.state = Walk::Next;
        Some(pair)
    }
}

/// The fields that filters and summaries ask for; empty when absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line<'a> {
    /// When it was written.
    pub time: Option<Moment>,
    /// How important it is.
    pub level: Importance,
    /// Which part of the program wrote it.
    pub target: &'a [u8],
    /// What it says.
    pub message: &'a [u8],
    /// The stream it is about.
    pub stream: &'a [u8],
    /// The detector it is about.
    pub detector: &'a [u8],
    /// The kind of fault.
    pub fault: &'a [u8],
    /// Severity of an event.
    pub severity: &'a [u8],
    /// State of an event.
    pub state: &'a [u8],
    /// `service`, `open` or `end`: lives of the service and of sessions.
    pub life: &'a [u8],
    /// Why a session is opened anew.
    pub restart: &'a [u8],
    /// How long a session lasted, in seconds.
    pub lasted_s: f64,
    /// How many lines were folded into this one.
    pub repeated: u64,
    /// It only counts what was folded, and is no message of its own.
    pub is_sum: bool,
    /// Log lines that were lost.
    pub dropped: u64,
    /// Frames that no detector saw.
    pub lane_dropped: u64,
    /// Datagrams that the machine lost.
    pub receive_dropped: u64,
    /// CPU time by detector, as `freeze=1.25 black=0.5`.
    pub cpu_of_detectors: &'a [u8],
}

impl<'a> Line<'a> {
    /// Reads a line; nothing when it is none of ours: no flat JSON object, or one without a time.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut line = Self::default();
        let mut pairs = Pairs::new(bytes);
        for (key, value) in pairs.by_ref() {
            match key {
                b"time" => line.time = Moment::parse(value.bytes()),
                b"level" => line.level = Importance::of(value.bytes())?,
                b"target" => line.target = value.bytes(),
                b"message" => line.message = value.bytes(),
                b"stream" => line.stream = value.bytes(),
                b"detector" => line.detector = value.bytes(),
                b"fault" => line.fault = value.bytes(),
                b"severity" => line.severity = value.bytes(),
                b"state" => line.state = value.bytes(),
                b"life" => line.life = value.bytes(),
                b"restart" => line.restart = value.bytes(),
                b"lasted_s" => line.lasted_s = number(value).unwrap_or_default(),
                b"repeated" => line.repeated = number(value).unwrap_or_default(),
                b"sum" => line.is_sum = value == Value::Bare(b"true"),
                b"dropped" => line.dropped = number(value).unwrap_or_default(),
                b"lane_dropped" => line.lane_dropped = number(value).unwrap_or_default(),
                b"receive_dropped" => line.receive_dropped = number(value).unwrap_or_default(),
                b"cpu_of_detectors" => line.cpu_of_detectors = value.bytes(),
                _ => {}
            }
        }
        (pairs.is_whole() && line.time.is_some()).then_some(line)
    }

    /// How many messages the line stands for.
    pub fn count(&self) -> u64 {
        if self.is_sum { self.repeated } else { self.repeated + 1 }
    }
}

fn number<T: std::str::FromStr>(value: Value<'_>) -> Option<T> {
    std::str::from_utf8(value.bytes()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value as Json};

    fn json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Json::from),
            any::<bool>().prop_map(Json::from),
            Just(Json::Null),
            ".{0,12}".prop_map(Json::from),
            r#"[\\"{}\[\],:]{0,8}"#.prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::btree_map(".{0,6}", inner, 0..4)
                    .prop_map(|map| Json::from(map.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_object_is_walked_as_a_json_parser_reads_it(
            object in prop::collection::btree_map(".{0,6}", json(), 0..6),
        ) {
            let object: Map<String, Json> = object.into_iter().collect();
            let text = serde_json::to_string(&object).unwrap();
            let mut pairs = Pairs::new(text.as_bytes());
            let mut seen = Map::new();
            for (key, value) in pairs.by_ref() {
                let value = match value {
                    Value::Text(inside) => Json::from(unescaped(inside)),
                    other => serde_json::from_slice(other.bytes()).unwrap(),
                };
                seen.insert(unescaped(key), value);
            }
            prop_assert!(pairs.is_whole());
            prop_assert_eq!(seen, object);
        }

        #[test]
        fn no_bytes_upset_the_walk(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            Pairs::new(&bytes).count();
            Line::parse(&bytes);
            let broken = [b"{\"time\":\"".as_slice(), &bytes].concat();
            Line::parse(&broken);
        }
    }

    #[test]
    fn a_line_gives_its_fields_and_what_is_no_line_of_ours_gives_none() {
        let text = br#"{"time":"1970-01-01T00:00:01.000Z","level":"warn","target":"a","message":"m","stream":"lobby","session":7,"event":{"stream":"}"},"lasted_s":2.5,"repeated":4}"#;
        let line = Line::parse(text).expect("it is one");
        assert_eq!((line.time, line.level, line.stream), (Some(Moment(1_000)), Importance::Warn, &b"lobby"[..]));
        assert_eq!((line.lasted_s, line.count()), (2.5, 5));
        for broken in [&text[..text.len() - 1], b"plain words", b"{}", b"{\"time\":1}", b"[1]", b""] {
            assert!(Line::parse(broken).is_none(), "{}", String::from_utf8_lossy(broken));
        }
    }
}
