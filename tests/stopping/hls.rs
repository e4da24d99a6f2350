//! HLS servers that stop.

use super::*;

fn check(word: &'static str, stop: Stop, cases: &[usize], table: &[(usize, &str)]) {
    let server = StoppingHls::start(clip());
    let play = |after| session(&server.url(word, stop, after), patience(stop), HLS_PATIENCE);
    let outcomes = sweep(cases, at_once(stop), play);
    assert_table(cases, &outcomes, table);
}

#[test]
fn a_playlist_that_stops_after_any_byte_is_an_error_in_time() {
    let census = Census::take();
    let whole = with_length(PLAYLIST.as_bytes());
    let (head, end) = (head_end(&whole), whole.len());
    let closes = [(0, "connect"), (head, "read"), (end, "opens and ends")];
    check("playlist", Stop::Closes, &every_byte(end, &[head, end]), &closes);
    check("playlist", Stop::Holds, &some_bytes(&whole[..end - 1], &[head]), &[(0, "open_limit")]);
    census.assert_nothing_leaked();
}

#[test]
fn a_playlist_without_a_length_that_stops_after_any_byte_is_read_as_far_as_it_goes() {
    let census = Census::take();
    let whole = without_length(PLAYLIST.as_bytes());
    let head = head_end(&whole);
    let place = |words: &str| head + PLAYLIST.find(words).expect("is in it");
    // Without a segment it is nothing, half a name is not found, and without its end it is live, where
    // nothing comes after the segment.
    let name = place("a.ts");
    let ended = place("-ENDLIST") + "-ENDLIST".len();
    let closes =
        [(0, "connect"), (head, "not_media"), (name + 1, "read"), (name + 4, "open_limit"), (ended, "opens and ends")];
    check("endless", Stop::Closes, &every_byte(whole.len(), &[head, name, whole.len()]), &closes);
    census.assert_nothing_leaked();
}

#[test]
fn a_segment_that_stops_after_any_byte_is_an_error_in_time() {
    let census = Census::take();
    let whole = with_length(&clip());
    let (head, end) = (head_end(&whole), whole.len());
    let places = [head, head + 188, head + 1_024, end / 2, end];
    let closes = [(0, "read"), (head + 1_023, "opens and read"), (end, "opens and ends")];
    check("segment", Stop::Closes, &every_byte(end, &places), &closes);
    check("segment", Stop::Holds, &some_bytes(&whole, &places[..4]), &[(0, "open_limit")]);
    census.assert_nothing_leaked();
}
