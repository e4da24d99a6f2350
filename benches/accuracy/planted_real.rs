//! What is planted in real films, speech and song.

use super::defect::{Defect, channels, cover, draw, during, each_channel, hold, paint};
use super::encode::{
    Encode, H264_1M, H264_3M, H264_6M, H264_100K, H264_300K, HEVC_10, MPEG2, ONLY_AAC, ONLY_MP2, ONLY_OPUS, ONLY_PCM,
    VP9,
};
use super::material::Material;
use super::menu::Menu;
use super::source::Source;

pub(super) fn add(menu: &mut Menu, material: &Material) {
    if let Some(bikes) = material.bikes() {
        film(menu, &bikes);
        long_film(menu, &bikes);
    }
    if let Some(sintel) = material.sintel() {
        trailer(menu, &sintel);
    }
    if let Some(bunny) = material.bunny() {
        cartoon(menu, &bunny);
    }
    if let Some(carphone) = material.carphone() {
        let (fps, seconds) = (carphone.pictures.as_ref().map_or(25.0, |pictures| pictures.fps), carphone.seconds);
        // Whole frames at 30000/1001 a second.
        let (from, to) = (30.0 / fps, 105.0 / fps);
        for encode in [&H264_100K, &H264_1M] {
            let still = Defect::picture("held", hold(from, to, fps, seconds)).seen("freeze", from, to);
            menu.plant(&carphone, encode, still);
        }
        let black = Defect::picture("plain", paint((16, 128, 128), from, to)).seen("black", from, to);
        menu.plant(&carphone, &H264_1M, black);
    }
    for voice in [material.speech(), material.lena()].into_iter().flatten() {
        speech(menu, &voice);
    }
}

fn film(menu: &mut Menu, bikes: &Source) {
    let black = |from: f64, to: f64| Defect::picture("plain", paint((16, 128, 128), from, to)).seen("black", from, to);
    let still = |from: f64, to: f64| Defect::picture("held", hold(from, to, 25.0, 10.0)).seen("freeze", from, to);
    menu.plant(bikes, &H264_300K, black(3.0, 6.0));
    menu.plant(bikes, &VP9, black(2.4, 5.0));
    for encode in [&H264_100K, &H264_300K, &H264_6M, &HEVC_10, &MPEG2, &VP9] {
        menu.plant(bikes, encode, still(4.0, 7.2));
    }
    let grain = format!("{},noise=alls=6:allf=t:all_seed=5", hold(3.0, 6.0, 25.0, 10.0));
    menu.plant(bikes, &H264_3M, Defect::picture("under-noise-6", grain).seen("freeze", 3.0, 6.0));
    let blue = Defect::picture("blue-709", paint((32, 240, 118), 3.0, 6.0)).seen("solid_color", 3.0, 6.0);
    menu.plant(bikes, &H264_1M, blue.allow("gamut", "pure blue, not a level beyond the legal range"));
    let bars = Defect::picture("smpte-hd", cover("smptehdbars", (640, 272), 3.0, 6.4)).seen("color_bars", 3.0, 6.4);
    menu.plant(bikes, &H264_1M, bars.allow("gamut", "bars, not a level beyond the legal range"));
}

fn long_film(menu: &mut Menu, bikes: &Source) {
    let soft = format!("gblur=sigma=5:enable='{}'", during(3.0, 7.0));
    menu.plant(bikes, &H264_3M, Defect::picture("sigma-5", soft).seen("blur", 3.0, 7.0));
    let pillars = format!(
        "{},{}",
        draw("x=0:y=0:w=72:h=ih", "black", 3.0, 10.0),
        draw("x=iw-72:y=0:w=72:h=ih", "black", 3.0, 10.0)
    );
    menu.plant(bikes, &H264_3M, Defect::picture("pillars", pillars).seen("letterbox", 3.0, 10.0));
    let light = format!("drawbox=x=0:y=0:w=iw:h=ih:c=white:t=fill:enable='{}*lt(mod(n,6),3)'", during(3.0, 6.0));
    let first = 78.0 / 25.0;
    menu.plant(bikes, &H264_3M, Defect::picture("white-4-hz", light).seen("flash", first, 6.0));
    let repeats = format!("select='if({},lt(mod(n*n*31+n*17+65,97),38),1)',fps=25", during(3.0, 8.0));
    // The two pictures after the one at 2.96 s are the first that are missing.
    let defect = Defect::picture("repeats", repeats).seen("stutter", 2.96, 8.0);
    menu.plant(bikes, &H264_3M, defect.allow("freeze", "some repeats in a row are short stills of themselves"));
    let bright = format!("lutyuv=y='clip((val-16)*2.5+16,0,255)':enable='{}'", during(3.0, 8.0));
    menu.plant(bikes, &H264_3M, Defect::picture("too-bright", bright).seen("gamut", 3.0, 8.0));
}

fn trailer(menu: &mut Menu, sintel: &Source) {
    let fps = 24.0;
    // It begins with more than three seconds of black of its own.
    let (from, to) = (120.0 / fps, 192.0 / fps);
    let black = Defect::picture("plain", paint((16, 128, 128), from, to)).seen("black", from, to);
    menu.plant(sintel, &H264_1M, black);
    let still = Defect::picture("held", hold(from, to, fps, sintel.seconds)).seen("freeze", from, to);
    menu.plant(sintel, &H264_300K, still);
    let quiet = Defect::sound("digital", each_channel("0", 2, 3.0, 6.0)).heard("silence", 3.0, 6.0);
    menu.plant(sintel, &H264_1M, quiet);
    let dead = Defect::sound("dead", channels(&["val(0)", "0"], 2.0, 7.0)).heard("channel_silence", 2.0, 7.0);
    menu.plant(sintel, &H264_3M, dead);
}

fn cartoon(menu: &mut Menu, bunny: &Source) {
    let black = Defect::picture("plain", paint((16, 128, 128), 1.4, 4.0)).seen("black", 1.4, 4.0);
    menu.plant(bunny, &H264_1M, black);
    let still = Defect::picture("held", hold(1.2, 4.4, 25.0, bunny.seconds)).seen("freeze", 1.2, 4.4);
    menu.plant(bunny, &H264_3M, still);
    let quiet = Defect::sound("digital", each_channel("0", 6, 1.0, 4.0)).heard("silence", 1.0, 4.0);
    menu.plant(bunny, &H264_1M, quiet);
}

fn speech(menu: &mut Menu, voice: &Source) {
    let with = |label: &str, filter: String, detector, from: f64, to: f64| {
        Defect::sound(label, filter).heard(detector, from, to)
    };
    let codecs: [&Encode; 3] = [&ONLY_PCM, &ONLY_AAC, &ONLY_OPUS];
    for encode in codecs {
        menu.plant(voice, encode, with("digital", each_channel("0", 2, 3.0, 6.0), "silence", 3.0, 6.0));
    }
    menu.plant(voice, &ONLY_PCM, with("dead", channels(&["val(0)", "0"], 3.9, 8.0), "channel_silence", 3.9, 8.0));
    let clipped = each_channel("clip(16*val(CH),-1,1)", 2, 3.0, 8.0);
    let loud = "what is clipped at full scale exceeds -1 dBTP";
    menu.plant(voice, &ONLY_AAC, with("24-db", clipped, "clipping", 3.0, 8.0).allow("true_peak", loud));
    let inverted = channels(&["val(0)", "-0.9*val(0)"], 2.0, 8.0);
    menu.plant(voice, &ONLY_MP2, with("inverted", inverted, "phase", 2.0, 8.0));
    let both = channels(&["0.5*val(0)+0.5*val(1)", "0.5*val(0)+0.5*val(1)"], 2.0, 8.0);
    menu.plant(voice, &ONLY_AAC, with("both-the-same", both, "mono", 2.0, 8.0));
    menu.plant(voice, &ONLY_PCM, with("0.03", each_channel("val(CH)+0.03", 2, 2.0, 9.0), "dc_offset", 2.0, 9.0));
    let hum = "val(CH)+0.02*sin(100*PI*t)+0.01*sin(200*PI*t)+0.0063*sin(300*PI*t)";
    let whole = voice.seconds;
    menu.plant(voice, &ONLY_PCM, with("50-hz", each_channel(hum, 2, 0.0, whole), "hum", 0.0, whole));
}
