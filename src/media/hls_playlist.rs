//! HLS playlists as text (RFC 8216): what we must know of them, and the master reduced to what is
//! watched, so that FFmpeg never fetches a variant that nobody looks at.
//!
//! Pure functions over bounded text; FFmpeg still does the real parsing.

use std::time::Duration;

use crate::media::spec::Variant;

/// Largest playlist.
pub(in crate::media) const PLAYLIST_BYTES_MAX: usize = 2 << 20;

/// Most variants that are watched at once.
const VARIANTS_MAX: usize = 16;

/// Longest target duration that is believed.
const TARGET_MAX: Duration = Duration::from_secs(120);

/// Longest name of a segment that is remembered, in letters.
const LAST_LETTERS_MAX: usize = 256;

/// What a media playlist says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::media) struct MediaPlaylist {
    /// Longest duration of a segment.
    pub(in crate::media) target: Duration,
    /// Number of the segment after the last one listed: grows as the playlist advances.
    pub(in crate::media) next_sequence: u64,
    /// Whether nothing more will come.
    pub(in crate::media) ended: bool,
    /// Addresses, as written, of segments that follow an announced discontinuity.
    pub(in crate::media) discontinuities: Vec<String>,
    /// Name of the last segment: its path and query may hold what changes from request to request.
    pub(in crate::media) last: String,
    /// Whether it lists all that there ever was, and never was a live stream as far as it says.
    pub(in crate::media) is_recording: bool,
}

/// Whether a playlist lists variants rather than segments.
pub(in crate::media) fn is_master(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("#EXT-X-STREAM-INF:"))
}

impl MediaPlaylist {
    /// Reads the few tags that matter here.
    pub(in crate::media) fn parse(text: &str) -> Self {
        let mut playlist = Self::default();
        let mut discontinuous = false;
        let mut segments = 0_u64;
        let mut first = 0_u64;
        let (mut kind, mut last) = ("", "");
        for line in text.lines().map(str::trim) {
            if let Some(seconds) = line.strip_prefix("#EXT-X-TARGETDURATION:") {
                let seconds = seconds.trim().parse::<f64>().unwrap_or(0.0);
                playlist.target = Duration::try_from_secs_f64(seconds).unwrap_or_default().min(TARGET_MAX);
            } else if let Some(number) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
                first = number.trim().parse().unwrap_or(0);
            } else if let Some(named) = line.strip_prefix("#EXT-X-PLAYLIST-TYPE:") {
                kind = named.trim();
            } else if line == "#EXT-X-ENDLIST" {
                playlist.ended = true;
            } else if line == "#EXT-X-DISCONTINUITY" {
                discontinuous = true;
            } else if !line.is_empty() && !line.starts_with('#') {
                segments += 1;
                last = line;
                if std::mem::take(&mut discontinuous) {
                    playlist.discontinuities.push(line.to_owned());
                }
            }
        }
        playlist.next_sequence = first.saturating_add(segments);
        playlist.last = name_of(last).chars().take(LAST_LETTERS_MAX).collect();
        playlist.is_recording = playlist.ended && (kind == "VOD" || kind != "EVENT" && first == 0);
        playlist
    }
}

/// The last part of the path of an address, as written.
fn name_of(address: &str) -> &str {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

/// A variant of a master playlist.
#[derive(Debug, Default)]
struct VariantLine<'a> {
    tag: &'a str,
    uri: &'a str,
    bandwidth: u64,
    pictures: bool,
}

/// Reduces a master playlist to the variants that are watched and the renditions that belong to them.
///
/// I-frame variants and subtitle renditions go: nothing decodes them. Fails in words when no variant
/// is left or too many are.
pub(in crate::media) fn select(text: &str, wanted: Variant) -> Result<String, String> {
    let variants = variants_of(text);
    let chosen: Vec<&VariantLine<'_>> = match wanted {
        Variant::All => variants.iter().collect(),
        Variant::Highest => {
            variants.iter().max_by_key(|variant| (variant.pictures, variant.bandwidth)).into_iter().collect()
        }
        // The lowest one with pictures: a sound-only variant says nothing about the picture.
        Variant::Lowest => {
            variants.iter().min_by_key(|variant| (!variant.pictures, variant.bandwidth)).into_iter().collect()
        }
    };
    if chosen.is_empty() {
        return Err("the master playlist lists no variant".to_owned());
    }
    if chosen.len() > VARIANTS_MAX {
        return Err(format!("the master playlist lists {} variants; at most {VARIANTS_MAX} are watched", chosen.len()));
    }
    let groups: Vec<&str> = chosen
        .iter()
        .flat_map(|variant| [attribute(variant.tag, "AUDIO"), attribute(variant.tag, "VIDEO")])
        .flatten()
        .collect();
    let mut reduced = String::from("#EXTM3U\n");
    for line in text.lines().map(str::trim) {
        let kept = match line.strip_prefix("#EXT-X-MEDIA:") {
            Some(tag) => {
                matches!(attribute(tag, "TYPE"), Some("AUDIO" | "VIDEO"))
                    && attribute(tag, "GROUP-ID").is_some_and(|group| groups.contains(&group))
            }
            None => ["#EXT-X-VERSION", "#EXT-X-INDEPENDENT-SEGMENTS"].iter().any(|tag| line.starts_with(tag)),
        };
        if kept {
            reduced.push_str(line);
            reduced.push('\n');
        }
    }
    for variant in chosen {
        // Groups that were taken out are no longer referred to by anything that FFmpeg follows.
        reduced.push_str(&format!("#EXT-X-STREAM-INF:{}\n{}\n", variant.tag, variant.uri));
    }
    Ok(reduced)
}

fn variants_of(text: &str) -> Vec<VariantLine<'_>> {
    let mut variants = Vec::new();
    let mut pending: Option<&str> = None;
    for line in text.lines().map(str::trim) {
        if let Some(tag) = line.strip_prefix("#EXT-X-STREAM-INF:") {
            pending = Some(tag);
        } else if !line.is_empty()
            && !line.starts_with('#')
            && let Some(tag) = pending.take()
        {
            let bandwidth = attribute(tag, "BANDWIDTH").and_then(|value| value.parse().ok()).unwrap_or(0);
            variants.push(VariantLine { tag, uri: line, bandwidth, pictures: has_pictures(tag) });
        }
    }
    variants
}

/// Whether a variant carries pictures, as far as it says: it does unless its codecs are all of sound.
fn has_pictures(tag: &str) -> bool {
    const SOUND: [&str; 8] = ["mp4a", "ac-3", "ec-3", "ac-4", "opus", "Opus", "flac", "fLaC"];
    if attribute(tag, "RESOLUTION").is_some() {
        return true;
    }
    let Some(codecs) = attribute(tag, "CODECS") else { return true };
    !codecs.split(',').all(|codec| SOUND.iter().any(|sound| codec.trim().starts_with(sound)))
}

/// The value of an attribute, without its quotes; commas within quotes do not separate.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = tag;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, next) = quoted.split_once('"')?;
                (value, next.strip_prefix(',').unwrap_or(next))
            }
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim() == name {
            return Some(value.trim());
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASTER: &str = "#EXTM3U\n#EXT-X-VERSION:6\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"hi\",NAME=\"a, b\",URI=\"hi.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"lo\",NAME=\"c\",URI=\"lo.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"d\",URI=\"s.m3u8\"\n\
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9000000,URI=\"i.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS=\"avc1.4d401f,mp4a.40.2\",AUDIO=\"lo\",SUBTITLES=\"s\"\nlow.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS=\"mp4a.40.2\"\nsound.m3u8\n\
        #EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=1,BANDWIDTH=5000000,RESOLUTION=1920x1080,AUDIO=\"hi\"\r\nhigh.m3u8\r\n";

    #[test]
    fn the_highest_variant_keeps_only_its_own_renditions() {
        let reduced = select(MASTER, Variant::Highest).unwrap();
        assert!(reduced.contains("\nhigh.m3u8\n") && reduced.contains("hi.m3u8"), "{reduced}");
        for gone in ["low.m3u8", "lo.m3u8", "sound.m3u8", "s.m3u8", "i.m3u8"] {
            assert!(!reduced.contains(&format!("\"{gone}\"")) && !reduced.contains(&format!("\n{gone}")), "{reduced}");
        }
        assert!(is_master(&reduced));
    }

    #[test]
    fn the_lowest_variant_is_the_lowest_with_pictures() {
        let reduced = select(MASTER, Variant::Lowest).unwrap();
        assert!(reduced.ends_with("\nlow.m3u8\n"), "{reduced}");
        let only_sound = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"mp4a.40.2\"\nsound.m3u8\n";
        assert!(select(only_sound, Variant::Lowest).unwrap().contains("sound.m3u8"));
    }

    #[test]
    fn all_variants_are_kept_up_to_a_limit() {
        let reduced = select(MASTER, Variant::All).unwrap();
        assert!(["low.m3u8", "sound.m3u8", "high.m3u8"].iter().all(|uri| reduced.contains(uri)));
        let many: String = (0..17).map(|number| format!("#EXT-X-STREAM-INF:BANDWIDTH=1\n{number}.m3u8\n")).collect();
        assert!(select(&many, Variant::All).unwrap_err().contains("17 variants"));
        assert!(select("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", Variant::Highest).is_err());
    }

    #[test]
    fn a_media_playlist_tells_its_pace_place_and_jumps() {
        let text = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:100\n#EXTINF:6,\na.ts\n\
            #EXT-X-DISCONTINUITY\n#EXTINF:6,\nb.ts\n#EXTINF:6,\nc.ts\n";
        let playlist = MediaPlaylist::parse(text);
        assert_eq!(playlist.target, Duration::from_secs(6));
        assert_eq!(playlist.next_sequence, 103);
        assert_eq!(playlist.discontinuities, ["b.ts"]);
        assert!(!playlist.ended && !is_master(text));
        assert!(MediaPlaylist::parse("#EXTM3U\n#EXT-X-ENDLIST\n").ended);
    }

    #[test]
    fn nonsense_does_not_panic() {
        for text in [
            "",
            "#EXT-X-TARGETDURATION:-1",
            "#EXT-X-TARGETDURATION:1e99",
            "#EXT-X-MEDIA-SEQUENCE:99999999999999999999\na",
        ] {
            assert!(MediaPlaylist::parse(text).target <= TARGET_MAX);
        }
        for tag in ["", "=", "A", "A=\"", "A=\"b", ",,,=", "A=\"b\"x=1,B=2"] {
            let _ = attribute(tag, "B");
        }
    }
}
