//! What is planted in generated pictures.

use super::defect::{Defect, cover, draw, during, hold, paint};
use super::encode::{
    Encode, H264_1M, H264_3M, H264_6M, H264_100K, H264_300K, H264_FULL, H264_TFF, H264_TS, H264_WOVEN, H264_WRONG,
    HEVC_10, MPEG2, MPEG2_BFF, MPEG2_TFF, MPEG2_WRONG, VP9,
};
use super::menu::Menu;
use super::source::{Source, clouds, clouds_hd, cuts, landscape, programme};

const BLACK: (u8, u8, u8) = (16, 128, 128);

const LEGAL_BLUE: &str = "pure blue is what the bars and surfaces are made of, not a level beyond the legal range";

pub(super) fn sky(seed: u32) -> Source {
    Source::generated(format!("clouds{seed}"), Some(clouds(seed)), Some(programme(seed)))
}

pub(super) fn land(seed: u32) -> Source {
    Source::generated(format!("landscape{seed}"), Some(landscape(seed)), Some(programme(seed)))
}

pub(super) fn edit(seed: u32) -> Source {
    Source::generated(format!("cuts{seed}"), Some(cuts(seed)), Some(programme(seed)))
}

pub(super) fn sky_hd(seed: u32) -> Source {
    let mut source = sky(seed);
    source.name = format!("clouds{seed}-720p");
    source.pictures = Some(clouds_hd(seed));
    source
}

pub(super) fn add(menu: &mut Menu) {
    black(menu);
    freeze(menu);
    solid_and_bars(menu);
    blur(menu);
    letterbox(menu);
    flash(menu);
    stutter(menu);
    gamut(menu);
    interlacing(menu);
}

fn black(menu: &mut Menu) {
    let plain = |from: f64, to: f64| Defect::picture("plain", paint(BLACK, from, to)).seen("black", from, to);
    menu.plant(&sky(1), &H264_1M, plain(3.0, 6.0));
    menu.plant(&land(2), &H264_300K, plain(2.6, 5.2));
    menu.plant(&edit(3), &H264_3M, plain(3.4, 4.2));
    menu.plant(&sky(4), &HEVC_10, plain(3.2, 6.4));
    menu.plant(&sky(5), &VP9, plain(2.8, 6.0));
    menu.plant(&land(6), &MPEG2_TFF, plain(3.0, 5.6));
    menu.plant(&sky_hd(7), &H264_3M, plain(4.0, 7.0));
    menu.plant(&land(1), &H264_FULL, plain(3.0, 6.0));
    let lifted = Defect::picture("lifted-to-30", paint((30, 128, 128), 3.0, 6.0)).seen("black", 3.0, 6.0);
    menu.plant(&land(2), &H264_1M, lifted);
    let noisy = format!("{},noise=alls=5:allf=t:all_seed=4:enable='{}'", paint(BLACK, 3.0, 6.0), during(3.0, 6.0));
    menu.plant(&sky(1), &H264_3M, Defect::picture("with-noise", noisy).seen("black", 3.0, 6.0));
    // The logo is there all the time, as a station's logo is; it takes ten seconds to be known as one.
    let logo = format!("{},drawbox=x=560:y=30:w=48:h=24:c=white@0.8:t=fill", paint(BLACK, 10.6, 12.0));
    let mut station = sky(2).lasting(12.0);
    station.name = "clouds2-12-s".to_owned();
    menu.plant(&station, &H264_1M, Defect::picture("with-logo", logo).seen("black", 10.6, 12.0));
    let bars = "drawbox=x=0:y=0:w=iw:h=44:c=black:t=fill,drawbox=x=0:y=ih-44:w=iw:h=44:c=black:t=fill";
    let boxed = land(3).filmed("landscape3-letterboxed", bars);
    let bars = ("letterbox", "the film has black bars all the time");
    menu.twin_allowing(&boxed, &H264_1M, &[bars]);
    menu.plant(&boxed, &H264_1M, plain(3.0, 6.0).allow(bars.0, bars.1));
}

fn freeze(menu: &mut Menu) {
    let still =
        |from: f64, to: f64, fps: f64| Defect::picture("held", hold(from, to, fps, 10.0)).seen("freeze", from, to);
    for (seed, encode) in [(1, &H264_100K), (2, &H264_300K), (2, &H264_1M), (4, &H264_6M), (4, &HEVC_10), (6, &MPEG2)] {
        menu.plant(&sky(seed), encode, still(3.0, 6.2, 25.0));
    }
    for (seed, encode) in [(2, &H264_300K), (1, &H264_3M), (4, &VP9)] {
        menu.plant(&land(seed), encode, still(4.0, 7.0, 25.0));
    }
    menu.plant(&land(6), &MPEG2_TFF, still(3.0, 6.0, 50.0));
    menu.plant(&edit(3), &H264_3M, still(3.2, 6.0, 25.0));
    menu.plant(&sky_hd(7), &H264_3M, still(3.0, 6.0, 25.0));
    for noise in [4, 8] {
        let filter = format!("{},noise=alls={noise}:allf=t:all_seed=9", hold(0.0, 10.0, 25.0, 10.0));
        let label = format!("under-noise-{noise}");
        menu.plant(&land(2), &H264_1M, Defect::picture(label, filter).seen("freeze", 0.0, 10.0));
    }
    let card = card("white", 3.0, 7.0);
    menu.plant(&sky(2), &H264_1M, Defect::picture("title-card", card).seen("freeze", 3.0, 7.0));
}

/// Letters on black, standing still.
fn card(colour: &str, from: f64, to: f64) -> String {
    let mut filter = paint(BLACK, from, to);
    for letter in 0..12 {
        let x = 140 + letter * 30;
        for (dx, y, w, h) in [(0, 160, 4, 40), (14, 160, 4, 40), (4, 178, 10, 4)] {
            let place = format!("x={}:y={y}:w={w}:h={h}", x + dx);
            filter.push_str(&format!(",{}", draw(&place, colour, from, to)));
        }
    }
    filter
}

fn solid_and_bars(menu: &mut Menu) {
    let surfaces = [
        ("blue-709", (32, 240, 118), 1, &H264_1M),
        ("blue-601", (35, 212, 114), 2, &H264_300K),
        ("zero-green", (0, 0, 0), 2, &H264_1M),
        ("magenta", (128, 255, 255), 1, &H264_3M),
        ("grey", (128, 128, 128), 4, &HEVC_10),
        ("white", (235, 128, 128), 6, &MPEG2),
        ("green", (145, 54, 34), 5, &VP9),
    ];
    for (label, colour, seed, encode) in surfaces {
        let defect = Defect::picture(label, paint(colour, 3.0, 6.2)).seen("solid_color", 3.0, 6.2);
        menu.plant(&sky(seed), encode, defect.allow("gamut", LEGAL_BLUE));
    }
    let noisy =
        format!("{},noise=alls=4:allf=t:all_seed=4:enable='{}'", paint((32, 240, 118), 3.0, 6.0), during(3.0, 6.0));
    let defect = Defect::picture("blue-with-noise", noisy).seen("solid_color", 3.0, 6.0);
    menu.plant(&land(2), &H264_1M, defect.allow("gamut", LEGAL_BLUE));
    let bars: [(&str, &str, u32, &Encode); 5] = [
        ("smpte-hd", "smptehdbars", 1, &H264_1M),
        ("smpte", "smptebars", 2, &H264_300K),
        ("pal-75", "pal75bars", 4, &HEVC_10),
        ("pal-100", "pal100bars", 5, &VP9),
        ("pal-75", "pal75bars", 6, &MPEG2),
    ];
    for (label, source, seed, encode) in bars {
        let defect = Defect::picture(label, cover(source, (640, 360), 3.0, 7.0)).seen("color_bars", 3.0, 7.0);
        menu.plant(&sky(seed), encode, defect.allow("gamut", LEGAL_BLUE));
    }
}

fn blur(menu: &mut Menu) {
    let blurred = |label: &str, filter: &str, from: f64, to: f64| {
        Defect::picture(label, format!("{filter}:enable='{}'", during(from, to))).seen("blur", from, to)
    };
    menu.plant(&land(1), &H264_3M, blurred("sigma-6", "gblur=sigma=6", 3.0, 7.0));
    menu.plant(&land(2), &H264_1M, blurred("sigma-4", "gblur=sigma=4", 3.0, 7.0));
    menu.plant(&land(4), &HEVC_10, blurred("sigma-3", "gblur=sigma=3", 3.4, 7.4));
    menu.plant(&edit(3).lasting(12.0), &H264_3M, blurred("sigma-5", "gblur=sigma=5", 3.0, 8.0));
    menu.plant(&land(6), &MPEG2, blurred("box", "avgblur=sizeX=5", 3.0, 7.0));
    menu.plant(&land(7), &VP9, blurred("sigma-5", "gblur=sigma=5", 2.0, 6.0));
    menu.plant(&edit(8), &H264_1M, blurred("sigma-4", "gblur=sigma=4", 4.0, 9.0));
    // A quarter of the resolution, blown up again.
    let scaled = format!(
        "split[sharp][soft];[soft]scale=160:90:flags=area,scale=640:360:flags=bilinear[low];\
         [sharp][low]overlay=enable='{}',format=yuv420p",
        during(3.0, 7.0)
    );
    menu.plant(&land(1), &H264_3M, Defect::picture("quarter-size", scaled).seen("blur", 3.0, 7.0));
}

fn letterbox(menu: &mut Menu) {
    let bars = |label: &str, places: [&str; 2], from: f64, to: f64| {
        let filter = format!("{},{}", draw(places[0], "black", from, to), draw(places[1], "black", from, to));
        Defect::picture(label, filter).seen("letterbox", from, to)
    };
    let wide = ["x=0:y=0:w=iw:h=24", "x=0:y=ih-24:w=iw:h=24"];
    menu.plant(&land(8), &VP9, bars("2.05", wide, 2.0, 8.0));
    let cinema = ["x=0:y=0:w=iw:h=44", "x=0:y=ih-44:w=iw:h=44"];
    let pillars = ["x=0:y=0:w=80:h=ih", "x=iw-80:y=0:w=80:h=ih"];
    menu.plant(&land(2), &H264_1M, bars("2.35", cinema, 4.0, 10.0));
    menu.plant(&sky(2), &H264_300K, bars("2.35", cinema, 3.0, 10.0));
    menu.plant(&edit(3), &H264_3M, bars("4-by-3", pillars, 4.0, 10.0));
    menu.plant(&land(4), &HEVC_10, bars("4-by-3", pillars, 3.0, 8.0));
    let window = format!("{},{}", draw(cinema[0], "black", 3.0, 9.0), draw(cinema[1], "black", 3.0, 9.0));
    let window = format!("{window},{},{}", draw(pillars[0], "black", 3.0, 9.0), draw(pillars[1], "black", 3.0, 9.0));
    menu.plant(&land(6), &MPEG2, Defect::picture("window", window).seen("letterbox", 3.0, 9.0));
}

fn flash(menu: &mut Menu) {
    // Three frames of light, three without: more than four flashes a second at 25 frames a second.
    let flashes = |label: &str, place: &str, colour: &str, period: u32, from: f64, to: f64| {
        let filter = format!(
            "drawbox={place}:c={colour}:t=fill:enable='{}*lt(mod(n,{period}),{})'",
            during(from, to),
            period / 2
        );
        // The first frame of light within the span.
        let first = (from * 25.0 / f64::from(period)).ceil() * f64::from(period) / 25.0;
        Defect::picture(label, filter).seen("flash", first, to)
    };
    let whole = "x=0:y=0:w=iw:h=ih";
    menu.plant(&land(1), &H264_3M, flashes("white-4-hz", whole, "white", 6, 3.0, 7.0));
    menu.plant(&land(2), &H264_1M, flashes("white-6-hz", whole, "white", 4, 3.0, 6.0));
    menu.plant(&sky(4), &HEVC_10, flashes("half-the-picture", "x=0:y=0:w=iw*0.5:h=ih", "white", 6, 3.0, 7.0));
    menu.plant(&land(6), &MPEG2, flashes("black-4-hz", whole, "black", 6, 3.0, 7.0));
    let red = "drawbox=x=0:y=0:w=iw:h=ih:c=0x203040:t=fill";
    let red = format!("{red}:enable='{}',", during(3.0, 7.0));
    let mut defect = flashes("red-4-hz", whole, "red", 6, 3.0, 7.0);
    defect.picture = red + &defect.picture;
    menu.plant(&sky(5), &VP9, defect);
}

fn stutter(menu: &mut Menu) {
    // Two frames of five are new, at no regular distance; the others repeat the last one.
    let is_new = |seed: u32, share: u32, n: u32| (n * n * 31 + n * 17 + seed * 13) % 97 < share;
    let filter = |seed: u32, share: u32| {
        format!("select='if({},lt(mod(n*n*31+n*17+{seed}*13,97),{share}),1)'", during(3.0, 8.0))
    };
    // It stutters from the first picture on that stands for 100 ms or longer: two are missing after it.
    let onset = |seed: u32, share: u32| {
        let held = (75..200).find(|n| !is_new(seed, share, *n) && !is_new(seed, share, n + 1));
        f64::from(held.expect("some are held") - 1) / 25.0
    };
    let clips: [(Source, &Encode, u32); 6] = [
        (land(1), &H264_3M, 1),
        (land(2), &H264_300K, 2),
        (sky(4), &HEVC_10, 3),
        (land(6), &MPEG2, 4),
        (edit(7), &H264_1M, 6),
        (sky(3), &VP9, 7),
    ];
    for (source, encode, seed) in clips {
        let repeated = format!("{},fps=25", filter(seed, 38));
        let defect = Defect::picture("repeats", repeated).seen("stutter", onset(seed, 38), 8.0);
        menu.plant(&source, encode, defect.allow("freeze", "some repeats in a row are short stills of themselves"));
    }
    for (source, seed) in [(land(3), 0), (land(5), 8)] {
        let dropped = filter(seed, 45);
        let defect = Defect::picture("drops", dropped).seen("stutter", onset(seed, 45), 8.0);
        menu.plant(&source, &H264_TS, defect.allow("timestamp", "dropped pictures leave gaps in the time stamps"));
    }
}

fn gamut(menu: &mut Menu) {
    let levels = |label: &str, luma: &str, from: f64, to: f64| {
        let filter = format!("lutyuv=y='{luma}':enable='{}'", during(from, to));
        Defect::picture(label, filter).seen("gamut", from, to)
    };
    menu.plant(&land(1), &H264_3M, levels("too-bright", "clip((val-16)*2.2+16,0,255)", 3.0, 8.0));
    menu.plant(&land(2), &H264_1M, levels("too-dark", "clip((val-126)*2.2+64,0,255)", 3.0, 8.0));
    menu.plant(&land(4), &HEVC_10, levels("both", "clip((val-126)*3+126,0,255)", 3.0, 8.0));
    let colours =
        format!("lutyuv=u='clip((val-128)*4+128,0,255)':v='clip((val-128)*4+128,0,255)':enable='{}'", during(3.0, 8.0));
    menu.plant(&land(6), &MPEG2, Defect::picture("colours", colours).seen("gamut", 3.0, 8.0));
    menu.plant(&edit(7), &H264_1M, levels("too-bright", "clip((val-16)*2+16,0,255)", 4.0, 9.0));
    menu.plant(&land(5), &H264_TS, levels("too-dark", "clip((val-126)*2+64,0,255)", 2.0, 6.0));
}

fn interlacing(menu: &mut Menu) {
    for (source, encode, label) in [
        (land(1), &MPEG2_WRONG, "wrong-order"),
        (sky(2), &MPEG2_WRONG, "wrong-order"),
        (land(4), &H264_WRONG, "wrong-order"),
        (land(5), &H264_WOVEN, "not-flagged"),
        (edit(3), &H264_WOVEN, "not-flagged"),
        (land(8), &MPEG2_WRONG, "wrong-order"),
        (edit(9), &MPEG2_WRONG, "wrong-order"),
        (sky(3), &H264_WRONG, "wrong-order"),
        (land(7), &H264_WOVEN, "not-flagged"),
    ] {
        // What is wrong here is the encoding; the twin is the same source woven and flagged alike.
        let name = format!("interlacing-{label}.{}.{}", source.name, encode.name);
        menu.cases.push(super::menu::planted(name, &source, encode, Defect::none().seen("interlacing", 0.0, 10.0)));
    }
    menu.twin(&land(1), &MPEG2_BFF, None);
    menu.twin(&sky(2), &MPEG2_TFF, None);
    menu.twin(&land(4), &H264_TFF, None);
    menu.twin(&edit(3), &H264_TFF, None);
}
