//! Extended M3U, as IPTV players write it.

use super::Channel;

/// Every address of a playlist with what the lines before it say.
pub(super) fn read(text: &str) -> Vec<Channel> {
    let mut channels = Vec::new();
    let mut next = Channel::default();
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(info) = line.strip_prefix("#EXTINF:") {
            note(&mut next, info);
        } else if let Some(group) = line.strip_prefix("#EXTGRP:") {
            next.group = Some(group.to_owned());
        } else if let Some(agent) = line.strip_prefix("#EXTVLCOPT:http-user-agent=") {
            next.user_agent = Some(agent.to_owned());
        } else if !line.is_empty() && !line.starts_with('#') {
            channels.push(Channel { url: line.to_owned(), line: place + 1, ..std::mem::take(&mut next) });
        }
    }
    channels
}

/// `-1 tvg-id="one" group-title="News",One HD`
fn note(channel: &mut Channel, info: &str) {
    let (attributes, title) = split_title(info);
    channel.title = Some(title.trim().to_owned()).filter(|title| !title.is_empty());
    let of = |key: &str| {
        let (_, rest) = attributes.split_once(&format!("{key}=\""))?;
        let (value, _) = rest.split_once('"')?;
        Some(value.to_owned()).filter(|value| !value.is_empty())
    };
    channel.name = of("tvg-id");
    channel.group = of("group-title");
    channel.title = channel.title.take().or(of("tvg-name"));
}

/// The title stands behind the first comma that is not in quotes.
fn split_title(info: &str) -> (&str, &str) {
    let mut in_quotes = false;
    for (at, letter) in info.char_indices() {
        match letter {
            '"' => in_quotes = !in_quotes,
            ',' if !in_quotes => return (&info[..at], &info[at + 1..]),
            _ => {}
        }
    }
    (info, "")
}
