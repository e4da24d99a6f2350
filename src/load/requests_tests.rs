use super::super::clip::tests::{clip_of, small};
use super::*;

/// What the playlist of a stream lists so long after it was asked for first, which was five rounds after it began.
fn listed(rota: &Rota, later: Duration) -> Vec<String> {
    let zero = Instant::now();
    let asked = zero + rota.length() * 5;
    let request = b"GET /hls/3/index.m3u8 HTTP/1.1\r\n\r\n";
    let programme = |number: usize| (number == 3).then_some(Programme { zero, asked });
    let Answer::Whole(_, body) = answer_to(request, rota, programme, asked + later) else { panic!("there is one") };
    let text = String::from_utf8(body).unwrap();
    text.lines().filter(|line| line.ends_with(".ts")).map(str::to_owned).collect()
}

#[test]
fn a_playlist_begins_with_the_segment_that_was_the_newest_when_it_was_asked_for_first() {
    let rota = Rota::new(clip_of(&small()), None, 1).unwrap();
    let first = listed(&rota, Duration::ZERO);
    assert_eq!(first, [format!("{}.ts", rota.segments() * 5 - 1)]);
    let soon = listed(&rota, rota.length());
    assert_eq!((soon.len() as u64, &soon[..1]), (rota.segments() + 1, &first[..]), "it lists what came since");
    let later = listed(&rota, rota.length() * 10);
    assert_eq!(later.len() as u64, LISTED);
    assert!(!later.contains(&first[0]), "what is old is gone");
}
