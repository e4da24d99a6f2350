//! What the HLS playlists of an input had come to when they ended, remembered from session to session.
//!
//! Whoever opens an address for ever must not take the last minutes of a programme that is over for a live picture,
//! again and again. So a playlist that has ended opens once: after that it is refused as long as it ends with the
//! segment that it ended with. A playlist that goes on, or begins anew, is none of these. Recordings are left alone:
//! what was whole whenever it was looked at is played from its begin as often as it is opened, like a file.
//! Held by the opener, lent to one session at a time, used on that session's thread.

use crate::media::hls_playlist::MediaPlaylist;

/// Most playlists of a session whose ends are remembered: more than it may have variants and renditions.
const ENDS_MAX: usize = 64;

/// Where a playlist ended.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    next_sequence: u64,
    /// Name of the last segment: an encoder that was started anew may come to the same number.
    last: String,
}

/// The ends that an input has come to.
#[derive(Debug, Default)]
pub(in crate::media) struct HlsEnds {
    /// A playlist was seen that had not ended: what this address yields is a live stream.
    was_live: bool,
    played: Vec<End>,
}

impl HlsEnds {
    /// Takes note of a playlist that a session is opened with; the number of its last segment when that was played to
    /// its end before, and nothing came after it.
    pub(in crate::media) fn refuses(&mut self, playlist: &MediaPlaylist) -> Option<u64> {
        self.note(playlist);
        let is_over = playlist.ended && self.played.contains(&End::of(playlist));
        is_over.then(|| playlist.next_sequence.saturating_sub(1))
    }

    /// Takes note of a playlist as it is now.
    pub(in crate::media) fn note(&mut self, playlist: &MediaPlaylist) {
        self.was_live |= !playlist.ended;
    }

    /// A session has come to the end of these playlists.
    pub(in crate::media) fn played<'a>(&mut self, playlists: impl Iterator<Item = &'a MediaPlaylist>) {
        let is_over = |playlist: &&MediaPlaylist| playlist.ended && (self.was_live || !playlist.is_recording);
        self.played = playlists.filter(is_over).take(ENDS_MAX).map(End::of).collect();
    }
}

impl End {
    fn of(playlist: &MediaPlaylist) -> Self {
        Self { next_sequence: playlist.next_sequence, last: playlist.last.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playlist(head: &str, first: u64, segments: &[&str], tail: &str) -> MediaPlaylist {
        let segments: String = segments.iter().map(|name| format!("#EXTINF:4,\n{name}\n")).collect();
        MediaPlaylist::parse(&format!("#EXTM3U\n{head}\n#EXT-X-MEDIA-SEQUENCE:{first}\n{segments}{tail}\n"))
    }

    const END: &str = "#EXT-X-ENDLIST";

    /// What becomes of a playlist after others were played to their ends, one after the other.
    fn after(played: &[MediaPlaylist], next: &MediaPlaylist) -> Option<u64> {
        let mut ends = HlsEnds::default();
        for playlist in played {
            assert_eq!(ends.refuses(playlist), None);
            ends.played([playlist].into_iter());
        }
        ends.refuses(next)
    }

    #[test]
    fn a_window_that_was_played_to_its_end_is_refused_until_something_new_is_in_it() {
        let ended = playlist("", 7, &["7.ts", "8.ts"], END);
        assert_eq!(after(std::slice::from_ref(&ended), &ended), Some(8));
        assert_eq!(
            after(std::slice::from_ref(&ended), &playlist("", 7, &["a/7.ts?token=b", "/b/8.ts?token=c"], END)),
            Some(8)
        );
        for new in [
            playlist("", 7, &["7.ts", "8.ts"], ""),
            playlist("", 8, &["8.ts", "9.ts"], END),
            playlist("", 0, &["0.ts"], ""),
            playlist("", 0, &["0.ts"], END),
            playlist("", 7, &["new-7.ts", "new-8.ts"], END),
        ] {
            assert_eq!(after(std::slice::from_ref(&ended), &new), None, "{new:?}");
        }
    }

    #[test]
    fn a_recording_is_played_as_often_as_it_is_opened() {
        for head in ["", "#EXT-X-PLAYLIST-TYPE:VOD"] {
            let recording = playlist(head, 0, &["0.ts", "1.ts"], END);
            assert_eq!(after(std::slice::from_ref(&recording), &recording), None, "{head}");
        }
    }

    #[test]
    fn what_was_seen_live_is_no_recording_whatever_it_calls_itself_in_the_end() {
        let live = playlist("", 0, &["0.ts"], "");
        let ended = playlist("#EXT-X-PLAYLIST-TYPE:VOD", 0, &["0.ts", "1.ts"], END);
        assert_eq!(after(&[live, ended.clone()], &ended), Some(1));
        let event = playlist("#EXT-X-PLAYLIST-TYPE:EVENT", 0, &["0.ts", "1.ts"], END);
        assert_eq!(after(std::slice::from_ref(&event), &event), Some(1), "an event is a live stream");
    }
}
