//! Prints the facts of every picture and every hop of sound of a file, one line each: what detectors see, for whoever tunes one.
//!
//! `cargo run --release --example facts -- CLIP [FIELD...]`; fields are names of groups such as `seams`
//! or `motion`, or `sound`; without any, those of pictures are printed.

use std::sync::Arc;

use avwatch::config::{Sources, load};
use avwatch::media::spec::Address;
use avwatch::stream_parts;
use avwatch_actors::item::Item;
use avwatch_actors::track::SessionNumber;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let clip = words.next().ok_or("name a clip")?;
    let groups: Vec<String> = words.collect();
    let plan = load(&Sources::default())?.input("facts", Address::File(clip.into()), "file")?;
    let measure = stream_parts::resolve_detectors(&plan, &[])?.measure;
    let mut source = stream_parts::opener(&plan, measure)?.open(SessionNumber(1), &Arc::default())?;
    while let Some(item) = source.next()? {
        if let Item::Audio(frame) = &item
            && groups.iter().any(|group| group == "sound")
        {
            for (hop, channels) in frame.hops.iter() {
                println!("{:.3} {hop:?} {channels:?}", hop.at.as_secs_f64());
            }
        }
        let Item::Video(frame) = item else { continue };
        let facts = &frame.facts;
        let all = [
            ("signs", format!("{:?}", facts.signs)),
            ("luma", format!("{:?}", facts.luma)),
            ("chroma", format!("{:?}", facts.chroma)),
            ("motion", format!("{:?}", facts.motion)),
            ("seams", format!("{:?}", facts.seams)),
            ("sharpness", format!("{:?}", facts.sharpness)),
            ("flash", format!("{:?}", facts.flash)),
            ("pattern", format!("{:?}", facts.pattern)),
            ("gamut", format!("{:?}", facts.gamut)),
            ("fields", format!("{:?}", facts.fields)),
        ];
        let wanted = all.iter().filter(|(group, _)| groups.is_empty() || groups.iter().any(|one| one == group));
        let line: Vec<&str> = wanted.map(|(_, text)| text.as_str()).collect();
        println!("{:.3} {}", frame.stamp.media_time.as_secs_f64(), line.join(" "));
    }
    Ok(())
}
