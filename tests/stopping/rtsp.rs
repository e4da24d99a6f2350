//! RTSP servers that stop.

use super::*;

fn check(word: &'static str, stop: Stop, cases: &[usize], table: &[(usize, &str)]) {
    let server = StoppingRtsp::start(&recipes::small_clean().path);
    let play = |after| session(&server.url(word, stop, after), patience(stop), Duration::ZERO);
    let outcomes = sweep(cases, at_once(stop), play);
    assert_table(cases, &outcomes, table);
}

/// Every byte of the answer to a method, but the whole of it.
fn bytes_of(method: &str) -> (Vec<u8>, Vec<usize>) {
    let whole = rtsp_answer(method, "1");
    let cases = (0..whole.len()).collect();
    (whole, cases)
}

#[test]
fn an_answer_that_stops_after_any_byte_is_an_error_in_time() {
    let census = Census::take();
    for method in ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"] {
        let (whole, cases) = bytes_of(method);
        check(method, Stop::Closes, &cases, &[(0, "connect")]);
        check(method, Stop::Holds, &some_bytes(&whole[..whole.len() - 1], &[]), &[(0, "open_limit")]);
    }
    census.assert_nothing_leaked();
}

#[test]
fn data_that_stop_after_any_byte_are_an_error_in_time() {
    let census = Census::take();
    // The marker of four bytes, the head of twelve, a transport packet, a whole packet.
    let places = [4, 16, 16 + 188, 16 + 7 * 188, 40_000];
    let packet = 16 + 7 * 188;
    let closes = [(0, "connect"), (packet, "opens and ends empty"), (39_999, "opens and ends")];
    check("DATA", Stop::Closes, &every_byte(usize::MAX, &places), &closes);
    check("DATA", Stop::Holds, &some_bytes(&[0; 201], &places), &[(0, "open_limit")]);
    census.assert_nothing_leaked();
}
