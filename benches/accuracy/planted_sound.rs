//! What is planted in generated sound.

use super::case::Asked;
use super::defect::{Defect, channels, each_channel};
use super::encode::{Encode, H264_1M, H264_AC3_TS, H264_PCM, ONLY_AAC, ONLY_AC3, ONLY_MP2, ONLY_OPUS, ONLY_PCM, VP9};
use super::menu::Menu;
use super::planted_picture::{land, sky};
use super::source::{Sound, Source, music, programme, surround};

pub(super) fn noise(seed: u32) -> Source {
    Source::generated(format!("noises{seed}"), None, Some(programme(seed)))
}

pub(super) fn song(seed: u32) -> Source {
    Source::generated(format!("music{seed}"), None, Some(music(seed)))
}

pub(super) fn theatre(seed: u32) -> Source {
    Source::generated(format!("surround{seed}"), None, Some(surround(seed)))
}

const CUT: &str = "sound is cut off hard: what a detector of drop-outs looks for, at its two ends";

pub(super) fn add(menu: &mut Menu) {
    silence(menu);
    channel_silence(menu);
    loudness(menu);
    true_peak(menu);
    clipping(menu);
    phase_and_mono(menu);
    dropout(menu);
    offset_and_hum(menu);
}

fn silence(menu: &mut Menu) {
    let digital = |count: usize, from: f64, to: f64| {
        Defect::sound("digital", each_channel("0", count, from, to)).heard("silence", from, to)
    };
    for (source, encode) in [
        (noise(1), &ONLY_PCM),
        (noise(2), &ONLY_AAC),
        (noise(3), &ONLY_MP2),
        (noise(4), &ONLY_OPUS),
        (song(1), &ONLY_PCM),
        (song(2), &ONLY_AAC),
        (sky(1), &H264_1M),
        (land(4), &VP9),
    ] {
        menu.plant(&source, encode, digital(2, 3.0, 6.3));
    }
    menu.plant(&theatre(1), &ONLY_AC3, digital(6, 3.1, 6.4));
    menu.plant(&land(3).with_sound("landscape3-surround", surround(2)), &H264_AC3_TS, digital(6, 3.0, 6.0));
    let floor = each_channel("0.0005*(2*random(CH)-1)", 2, 3.0, 6.0);
    menu.plant(&noise(1), &ONLY_PCM, Defect::sound("noise-floor", floor).heard("silence", 3.0, 6.0));
    let offset = each_channel("0.002+0.6*eq(mod(n,72000),36000)", 2, 3.0, 7.0);
    let defect = Defect::sound("offset-and-clicks", offset).heard("silence", 3.0, 7.0);
    menu.plant(&noise(5), &ONLY_PCM, defect.allow("dropout", CUT));
}

fn channel_silence(menu: &mut Menu) {
    let dead = |expressions: &[&str], from: f64, to: f64| {
        Defect::sound("dead", channels(expressions, from, to)).heard("channel_silence", from, to)
    };
    for (source, encode) in [
        (noise(1), &ONLY_PCM),
        (noise(2), &ONLY_AAC),
        (noise(3), &ONLY_MP2),
        (noise(4), &ONLY_OPUS),
        (sky(1), &H264_1M),
    ] {
        menu.plant(&source, encode, dead(&["val(0)", "0"], 3.0, 7.0));
    }
    menu.plant(&noise(5), &ONLY_PCM, dead(&["0", "val(1)"], 2.4, 8.0));
    menu.plant(&song(1), &ONLY_PCM, dead(&["0", "val(1)"], 3.0, 8.0));
    let front = ["0", "val(1)", "val(2)", "val(3)", "val(4)", "val(5)"];
    menu.plant(&theatre(1), &ONLY_AC3, dead(&front, 3.0, 7.0));
    // The usual 5.1 programme: nothing on the LFE channel.
    let front = ["0", "val(1)", "val(2)", "val(3)", "val(4)", "val(5)"];
    let quiet_lfe =
        theatre(1).heard("surround1-without-lfe", "aeval=c=same:exprs='val(0)|val(1)|val(2)|0|val(4)|val(5)'");
    menu.plant(&quiet_lfe, &ONLY_AC3, dead(&front, 3.0, 6.5));
    let hiss = channels(&["val(0)", "0.0004*(2*random(1)-1)"], 3.0, 7.0);
    menu.plant(&noise(6), &ONLY_PCM, Defect::sound("hiss-only", hiss).heard("channel_silence", 3.0, 7.0));
}

/// A clip is judged as a whole, when it ends.
fn loudness(menu: &mut Menu) {
    let asked = || Asked { detector: "loudness", arguments: vec!["--set", "detectors.loudness.target_lufs=-23"] };
    // The tone's loudness is its level by definition: EBU Tech 3341, case 1.
    let tone = |level: f64| {
        Sound(format!(
            "sine=f=1000:r=48000:d=12,aformat=sample_fmts=dblp,volume={},pan=stereo|c0=c0|c1=c0",
            8.0 * 10f64.powf(level / 20.0)
        ))
    };
    let calibrated = |name: &str, level: f64| Source::generated(name, None, Some(tone(level)));
    for (name, level, encode) in
        [("tone-at-17", -17.0, &ONLY_PCM), ("tone-at-29", -29.0, &ONLY_AAC), ("tone-at-21", -21.0, &ONLY_PCM)]
    {
        let defect = Defect::sound("off-target", "anull").heard("loudness", 10.0, 10.0);
        let name = format!("loudness-off-target.{name}.{}", encode.name);
        let source = calibrated(&name, level);
        let mut case =
            super::menu::planted(name, &source, encode, defect.allow("mono", "the tone is the same on both sides"));
        case.asked = Some(asked());
        menu.cases.push(case);
    }
    let right = calibrated("tone-at-23", -23.0);
    let mut case = super::menu::clean(
        "clean-asking-loudness.tone-at-23.pcm".to_owned(),
        &right,
        &ONLY_PCM,
        Defect::none().allow("mono", "the tone is the same on both sides"),
    );
    case.asked = Some(asked());
    menu.cases.push(case);
}

fn true_peak(menu: &mut Menu) {
    // A quarter of the sampling rate at 45 degrees: samples 3 dB below the peak (EBU Tech 3341, case 19).
    let between = "1.2*sin(PI/2*n+PI/4)";
    let filter = channels(&[between, between], 4.0, 6.0);
    let defect = Defect::sound("between-samples", filter).heard("true_peak", 4.0, 6.0);
    let defect = defect.allow("mono", "the planted tone is the same on both sides");
    menu.plant(&noise(1), &ONLY_PCM, defect);
    let loud = channels(&["0.97*sin(2*PI*400*t)", "0.97*sin(2*PI*410*t)"], 4.0, 6.0);
    menu.plant(&noise(2), &ONLY_AAC, Defect::sound("full-scale-tone", loud).heard("true_peak", 4.0, 6.0));
    let one = channels(&["val(0)", "0.99*sin(2*PI*400*t)"], 5.0, 5.5);
    menu.plant(&noise(5), &ONLY_PCM, Defect::sound("one-side", one).heard("true_peak", 5.0, 5.5));
}

const LOUD: &str = "what is clipped at full scale exceeds -1 dBTP";

fn clipping(menu: &mut Menu) {
    let clipped = |label: &str, expression: &str, count: usize, from: f64, to: f64| {
        let defect = Defect::sound(label, each_channel(expression, count, from, to)).heard("clipping", from, to);
        defect.allow("true_peak", LOUD)
    };
    let hard = "clip(8*val(CH),-1,1)";
    for (source, encode) in [
        (noise(1), &ONLY_PCM),
        (noise(2), &ONLY_AAC),
        (noise(3), &ONLY_MP2),
        (noise(4), &ONLY_OPUS),
        (noise(12), &ONLY_AAC),
        (noise(13), &ONLY_OPUS),
        (noise(14), &ONLY_MP2),
        (song(1), &ONLY_PCM),
        (song(4), &ONLY_OPUS),
    ] {
        menu.plant(&source, encode, clipped("18-db", hard, 2, 3.0, 7.0));
    }
    for seed in [1, 3] {
        menu.plant(&theatre(seed), &ONLY_AC3, clipped("18-db", hard, 6, 3.0, 7.0));
    }
    // Noise that is cut off a few dozen times a second at most.
    let hidden = "0.5*clip(4*val(CH),-1,1)";
    for seed in [5, 15, 16] {
        menu.plant(&noise(seed), &ONLY_PCM, clipped("hidden", hidden, 2, 3.0, 7.0));
    }
    for (source, encode) in [(song(2), &ONLY_AAC), (song(3), &ONLY_MP2), (song(4), &ONLY_OPUS), (song(1), &ONLY_AC3)] {
        menu.plant(&source, encode, clipped("hidden", "0.5*clip(8*val(CH),-1,1)", 2, 3.0, 7.0));
    }
}

fn phase_and_mono(menu: &mut Menu) {
    let cases: [(Source, &Encode); 4] =
        [(noise(1), &ONLY_PCM), (noise(2), &ONLY_AAC), (noise(3), &ONLY_MP2), (noise(4), &ONLY_OPUS)];
    for (index, (source, encode)) in cases.into_iter().enumerate() {
        let (label, other) =
            if index % 2 == 0 { ("inverted", "-val(0)") } else { ("inverted-3-db-lower", "-0.7*val(0)") };
        let filter = channels(&["val(0)", other], 3.0, 7.0);
        menu.plant(&source, encode, Defect::sound(label, filter).heard("phase", 3.0, 7.0));
        let filter = channels(&["0.5*val(0)+0.5*val(1)", "0.5*val(0)+0.5*val(1)"], 3.0, 7.0);
        menu.plant(&source, encode, Defect::sound("both-the-same", filter).heard("mono", 3.0, 7.0));
    }
    let filter = channels(&["val(0)", "-val(0)"], 3.0, 7.0);
    menu.plant(&song(1), &ONLY_PCM, Defect::sound("inverted", filter).heard("phase", 3.0, 7.0));
    let filter = channels(&["0.5*val(0)+0.5*val(1)", "0.5*val(0)+0.5*val(1)"], 3.0, 7.0);
    menu.plant(&sky(1), &H264_1M, Defect::sound("both-the-same", filter).heard("mono", 3.0, 7.0));
}

/// Gaps of 12 to 120 ms; in each place one.
fn dropout(menu: &mut Menu) {
    let gaps = |label: &str, lasts: f64, count: usize| {
        let places = [2.5, 4.0, 5.5, 7.0];
        let when: Vec<String> = places
            .iter()
            .map(|at| format!("gte(n,{})*lt(n,{})", at * 48_000.0, ((at + lasts) * 48_000.0_f64).round()))
            .collect();
        let each: Vec<String> = (0..count).map(|channel| format!("if({},0,val({channel}))", when.join("+"))).collect();
        let defect = Defect::sound(label, format!("aeval=c=same:exprs='{}'", each.join("|")));
        places.iter().fold(defect, |defect, at| defect.heard("dropout", *at, at + lasts))
    };
    menu.plant(&noise(1), &ONLY_PCM, gaps("12-ms", 0.012, 2));
    menu.plant(&noise(2), &ONLY_AAC, gaps("40-ms", 0.04, 2));
    menu.plant(&noise(3), &ONLY_MP2, gaps("40-ms", 0.04, 2));
    menu.plant(&noise(4), &ONLY_OPUS, gaps("60-ms", 0.06, 2));
    menu.plant(&sky(1), &H264_PCM, gaps("20-ms", 0.02, 2));
    menu.plant(&theatre(1), &ONLY_AC3, gaps("60-ms", 0.06, 6));
    menu.plant(&noise(12), &ONLY_AAC, gaps("60-ms", 0.06, 2));
    menu.plant(&noise(13), &ONLY_OPUS, gaps("40-ms", 0.04, 2));
    menu.plant(&noise(14), &ONLY_MP2, gaps("60-ms", 0.06, 2));
    menu.plant(&noise(15), &ONLY_PCM, gaps("40-ms", 0.04, 2));
    menu.plant(&noise(16), &ONLY_AAC, gaps("20-ms", 0.02, 2));
    menu.plant(&noise(17), &ONLY_OPUS, gaps("120-ms", 0.12, 2));
    menu.plant(&noise(18), &ONLY_AC3, gaps("30-ms", 0.03, 2));
    menu.plant(&theatre(3), &ONLY_AC3, gaps("40-ms", 0.04, 6));
}

fn offset_and_hum(menu: &mut Menu) {
    let offset = |level: f64, from: f64, to: f64| {
        let filter = each_channel(&format!("val(CH)+{level}"), 2, from, to);
        Defect::sound(format!("{level}"), filter).heard("dc_offset", from, to)
    };
    menu.plant(&noise(1), &ONLY_PCM, offset(0.05, 3.0, 10.0));
    menu.plant(&song(1), &ONLY_PCM, offset(0.02, 3.0, 10.0));
    menu.plant(&noise(5), &H264_PCM, offset(0.05, 2.0, 8.0));
    menu.plant(&noise(12), &ONLY_AAC, offset(0.05, 3.0, 7.0));
    menu.plant(&noise(15), &ONLY_PCM, offset(0.03, 2.0, 8.0));
    menu.plant(&noise(16), &ONLY_PCM, offset(0.1, 4.0, 9.0));
    menu.plant(&song(3), &ONLY_MP2, offset(0.03, 2.0, 8.0));
    for (source, mains, encode) in [
        (song(1), 50, &ONLY_PCM),
        (song(2), 60, &ONLY_AAC),
        (song(3), 50, &ONLY_MP2),
        (song(4), 60, &ONLY_OPUS),
        (song(2), 50, &ONLY_OPUS),
        (song(3), 60, &ONLY_PCM),
        (song(4), 50, &ONLY_AAC),
    ] {
        let hum = format!("val(CH)+0.02*sin(2*PI*{mains}*t)+0.01*sin(4*PI*{mains}*t)+0.0063*sin(6*PI*{mains}*t)");
        let filter = each_channel(&hum, 2, 0.0, 12.0);
        let defect = Defect::sound(format!("{mains}-hz"), filter).heard("hum", 0.0, 12.0);
        menu.plant(&source.lasting(12.0), encode, defect);
    }
}
