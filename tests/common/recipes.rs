//! Recipes: a moving picture and lively sound that trip no detector, and what is planted in them.
//!
//! Everything is seeded, so a recipe gives the same pictures on every run. Times are whole frames at
//! 25 pictures a second; sound is cut at exact samples, and kept as PCM where the sample counts.

use super::media::{Clip, FPS, encoded};

/// Frames of a clip of 12 s.
const FRAMES: u32 = 300;

/// Clouds at two scales drifting over turning colours, with film grain: every part moves all the
/// time, nothing is flat, dark or regular. 640x360, up to 12 s.
pub const PICTURE: &str = "\
    color=c=gray:s=47x27:r=25:d=12,noise=c0s=100:c0_seed=11,scale=640:360:flags=bicubic,scroll=h=0.003:v=0.001[far];\
    color=c=gray:s=151x85:r=25:d=12,noise=c0s=100:c0_seed=23,scale=640:360:flags=bicubic,scroll=h=-0.002:v=0.002[near];\
    gradients=s=640x360:r=25:d=12:c0=0x203050:c1=0xd0a060:c2=0x508040:c3=0xb04030:n=4:seed=5:speed=0.02,format=yuv420p[colour];\
    [far][near]blend=all_mode=average,format=yuv420p[cloud];\
    [colour][cloud]blend=c0_mode=softlight:c0_opacity=0.8:c1_mode=normal:c2_mode=normal,noise=c0s=3:c0f=t:c0_seed=7";

/// Two different noises that swell at different paces, with a common tone: about −20 LUFS, peaks
/// under −8 dBTP, neither mono nor out of phase. 48 kHz stereo, up to 12 s.
pub const SOUND: &str = "\
    anoisesrc=c=pink:r=48000:a=0.35:seed=1:d=12[one];anoisesrc=c=pink:r=48000:a=0.35:seed=2:d=12[two];\
    [one][two]join=inputs=2:channel_layout=stereo,aeval=c=same:exprs='\
    val(0)*(0.65+0.35*sin(2*PI*0.9*t))+0.08*sin(2*PI*317*t)|val(1)*(0.65+0.35*sin(2*PI*0.7*t))+0.08*sin(2*PI*317*t)'";

const X264: &[&str] = &["-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-g", "50", "-pix_fmt", "yuv420p"];
const AAC: &[&str] = &["-c:a", "aac", "-b:a", "160k"];
const PCM: &[&str] = &["-c:a", "pcm_s16le"];

/// What a clip is made of. `picture` and `sound` are filters that follow the programme's own.
struct Make<'a> {
    name: &'a str,
    extension: &'a str,
    seconds: f64,
    picture: &'a str,
    sound: &'a str,
    encode: Vec<&'a str>,
}

impl<'a> Make<'a> {
    fn new(name: &'a str, extension: &'a str, picture: &'a str, sound: &'a str) -> Self {
        let sound_codec = if extension == "mkv" { PCM } else { AAC };
        let encode = [X264, sound_codec].concat();
        Self { name, extension, seconds: 12.0, picture, sound, encode }
    }

    fn clip(self) -> Clip {
        let Self { name, extension, seconds, picture, sound, encode } = self;
        let graph = format!("{PICTURE},{picture}[v];{SOUND},{sound}[a]");
        clip(name, extension, seconds, &graph, &["[v]", "[a]"], &encode)
    }
}

fn clip(name: &str, extension: &str, seconds: f64, graph: &str, tracks: &[&str], encode: &[&str]) -> Clip {
    let mut arguments = vec!["-filter_complex".to_owned(), graph.to_owned()];
    for track in tracks {
        arguments.extend(["-map".to_owned(), (*track).to_owned()]);
    }
    arguments.extend(["-t".to_owned(), seconds.to_string()]);
    arguments.extend(encode.iter().map(|word| (*word).to_owned()));
    Clip::new(encoded(name, extension, &arguments), seconds)
}

/// A filter that fills the picture with one code value of each plane from `from` until before `to`.
fn paint((y, u, v): (u8, u8, u8), from: f64, to: f64) -> String {
    format!("lutyuv=y={y}:u={u}:v={v}:enable='gte(t,{from})*lt(t,{to})'")
}

/// A filter that shows frame `first` for `count` frames, the clip's length staying as it was.
fn hold(first: u32, count: u32) -> String {
    // The filter `loop` repeats the frame before `start`.
    format!("loop=loop={}:size=1:start={},setpts=N/{FPS}/TB,trim=end_frame={FRAMES}", count - 1, first + 1)
}

/// A filter of exact samples: `one|two` replace the channels from `from` until before `to`.
fn replace_sound(one: &str, two: &str, from: f64, to: f64) -> String {
    let when = format!("gte(n,{})*lt(n,{})", from * 48_000.0, to * 48_000.0);
    format!("aeval=c=same:exprs='if({when},{one},val(0))|if({when},{two},val(1))'")
}

/// Every clip of which the naive decoder can prove the truth on its own.
pub fn clean() -> Clip {
    let all = ["black", "freeze", "solid_color", "silence", "channel_silence", "block_corruption", "decode_error"];
    Make::new("clean", "mp4", "null", "anull").clip().without(&all)
}

/// Black from 4 s to 7 s.
pub fn black() -> Clip {
    let picture = paint((16, 128, 128), 4.0, 7.0);
    Make::new("black", "mp4", &picture, "anull").clip().with("black", "video:0", 4.0, 7.0).without(&["freeze"])
}

/// Black for the first 3 s, as files often begin.
pub fn black_head() -> Clip {
    let picture = paint((16, 128, 128), 0.0, 3.0);
    Make::new("black-head", "mp4", &picture, "anull").clip().with("black", "video:0", 0.0, 3.0)
}

/// Black for the last 3 s, as files often end.
pub fn black_tail() -> Clip {
    let picture = paint((16, 128, 128), 9.0, 13.0);
    Make::new("black-tail", "mp4", &picture, "anull").clip().with("black", "video:0", 9.0, 12.0)
}

/// Other codings than H.264 with 8 bits in limited range.
#[derive(Clone, Copy, Debug)]
pub enum Coding {
    /// H.264 in full range: black is code value 0.
    FullRange,
    /// HEVC with 10 bits.
    Hevc10Bit,
    /// Interlaced MPEG-2, top field first, in a transport stream. Plays at double speed, for 6 s.
    Mpeg2Interlaced,
    /// VP9.
    Vp9,
}

impl Coding {
    pub const ALL: [Self; 4] = [Self::FullRange, Self::Hevc10Bit, Self::Mpeg2Interlaced, Self::Vp9];

    /// Where the frames from 100 until before 200 are shown.
    fn planted(self) -> (f64, f64) {
        if matches!(self, Self::Mpeg2Interlaced) { (2.0, 4.0) } else { (4.0, 8.0) }
    }

    /// The programme in this coding, changed by `picture`.
    fn clip(self, what: &str, picture: &str) -> Clip {
        let (name, extension, before, after, encode): (_, _, _, _, &[&str]) = match self {
            Self::FullRange => (
                "full-range",
                "mp4",
                "null",
                "scale=in_range=tv:out_range=pc,format=yuvj420p",
                &["-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-g", "50", "-color_range", "pc"],
            ),
            Self::Hevc10Bit => (
                "hevc-10-bit",
                "mp4",
                "null",
                "format=yuv420p10le",
                &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=50"],
            ),
            Self::Mpeg2Interlaced => (
                "mpeg2-interlaced",
                "ts",
                // Faster, so that the two fields of a picture differ.
                "scroll=h=0.03",
                "settb=1/50,setpts=N,fps=50,tinterlace=mode=interleave_top,setfield=tff",
                &["-c:v", "mpeg2video", "-b:v", "6M", "-g", "15", "-flags:v", "+ildct+ilme", "-top", "1"],
            ),
            Self::Vp9 => (
                "vp9",
                "mkv",
                "null",
                "format=yuv420p",
                &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-g", "50"],
            ),
        };
        let (name, picture) = (format!("{what}-{name}"), format!("{before},{picture},{after}"));
        // What the encoder of MPEG audio takes at a time.
        let sound = if matches!(self, Self::Mpeg2Interlaced) { "asetnsamples=n=1152" } else { "anull" };
        let mut make = Make::new(&name, extension, &picture, sound);
        make.encode = encode.to_vec();
        match self {
            Self::FullRange | Self::Hevc10Bit => make.encode.extend(AAC),
            Self::Mpeg2Interlaced => make.encode.extend(["-c:a", "mp2", "-b:a", "192k"]),
            Self::Vp9 => make.encode.extend(PCM),
        }
        if matches!(self, Self::Mpeg2Interlaced) {
            make.seconds = 6.0;
        }
        make.clip()
    }
}

/// The clean programme in another coding.
pub fn clean_in(coding: Coding) -> Clip {
    coding.clip("clean", "null")
}

/// Black from 4 s to 8 s, interlaced from 2 s to 4 s.
pub fn black_in(coding: Coding) -> Clip {
    let (start, end) = coding.planted();
    coding.clip("black", &paint((16, 128, 128), 4.0, 8.0)).with("black", "video:0", start, end)
}

/// One picture from 4 s to 8 s, interlaced from 2 s to 4 s.
pub fn freeze_in(coding: Coding) -> Clip {
    let (start, end) = coding.planted();
    coding.clip("freeze", &hold(100, 100)).with("freeze", "video:0", start, end)
}

/// Bits of a still picture that pulses with every key frame.
#[derive(Clone, Copy, Debug)]
pub enum StillAt {
    /// x264 at so many kbit/s, a key frame every 2 s.
    X264(u32),
    /// MPEG-2 at 1.5 Mbit/s, a key frame every 15 pictures.
    Mpeg2,
}

/// One picture for the whole clip.
pub fn still(at: StillAt) -> Clip {
    let (name, extension, codec, kilobits, gop) = match at {
        StillAt::X264(kilobits) => (format!("still-{kilobits}k"), "mp4", "libx264", kilobits, "50"),
        StillAt::Mpeg2 => ("still-mpeg2".to_owned(), "mkv", "mpeg2video", 1_500, "15"),
    };
    let (rate, buffer) = (format!("{kilobits}k"), format!("{}k", kilobits * 2));
    let picture = hold(0, FRAMES);
    let mut make = Make::new(&name, extension, &picture, "anull");
    make.encode = vec!["-c:v", codec, "-g", gop, "-pix_fmt", "yuv420p", "-b:v", &rate];
    make.encode.extend(["-maxrate", &rate, "-bufsize", &buffer]);
    // Outside of MP4 the priming of AAC would shift the picture.
    make.encode.extend(if extension == "mkv" { PCM } else { AAC });
    make.clip().with("freeze", "video:0", 0.0, 12.0)
}

/// One picture from 4 s to 7 s, at a bit rate (in kbit/s) at which every key frame pulses.
pub fn freeze(kilobits: u32) -> Clip {
    let picture = hold(100, 75);
    let (rate, buffer) = (format!("{kilobits}k"), format!("{}k", kilobits * 2));
    let name = format!("freeze-{rate}");
    let mut make = Make::new(&name, "mp4", &picture, "anull");
    make.encode = ["-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-pix_fmt", "yuv420p", "-b:v", &rate].to_vec();
    make.encode.extend(["-maxrate", &rate, "-bufsize", &buffer]);
    make.encode.extend(AAC);
    make.clip().with("freeze", "video:0", 4.0, 7.0).without(&["black", "solid_color"])
}

/// One picture for the whole clip under noise of that strength that changes with every frame.
pub fn freeze_under_noise(strength: u32) -> Clip {
    let picture = format!("{},noise=alls={strength}:allf=t:all_seed=3", hold(0, FRAMES));
    let name = format!("freeze-under-noise-{strength}");
    Make::new(&name, "mp4", &picture, "anull").clip().with("freeze", "video:0", 0.0, 12.0)
}

/// White writing on black from 3 s to 9 s: a still picture, but not black.
pub fn title_card() -> Clip {
    let mut picture = paint((16, 128, 128), 3.0, 9.0);
    for letter in 0..12 {
        let x = 140 + letter * 30;
        for (dx, y, w, h) in [(0, 160, 4, 40), (14, 160, 4, 40), (4, 178, 10, 4)] {
            let white = format!(",drawbox=x={}:y={y}:w={w}:h={h}:c=white:t=fill:enable='gte(t,3)*lt(t,9)'", x + dx);
            picture.push_str(&white);
        }
    }
    Make::new("title-card", "mp4", &picture, "anull").clip().with("freeze", "video:0", 3.0, 9.0).without(&["black"])
}

/// The blue of a projector without signal from 4 s to 7 s: dark, but not black.
pub fn blue() -> Clip {
    solid_blue("blue", (32, 240, 118))
}

/// The blue of colour bars, 75 % of BT.601, from 4 s to 7 s.
pub fn pale_blue() -> Clip {
    solid_blue("pale-blue", (35, 212, 114))
}

fn solid_blue(name: &str, colour: (u8, u8, u8)) -> Clip {
    let picture = paint(colour, 4.0, 7.0);
    Make::new(name, "mp4", &picture, "anull")
        .clip()
        .with("solid_color", "video:0", 4.0, 7.0)
        .without(&["black", "freeze"])
}

/// The green of a zeroed buffer from 4 s to 7 s: Y, Cb and Cr all 0.
pub fn zero_green() -> Clip {
    let picture = paint((0, 0, 0), 4.0, 7.0);
    let clip = Make::new("zero-green", "mp4", &picture, "anull").clip();
    clip.with("solid_color", "video:0", 4.0, 7.0).without(&["black", "freeze"])
}

/// A box of 12 by 12 pixels that moves by two pixels with every frame over a still picture.
pub fn moving_box() -> Clip {
    let still = hold(0, FRAMES);
    let graph = format!(
        "{PICTURE},{still}[still];color=c=white:s=12x12:r=25:d=12[box];\
         [still][box]overlay=x='mod(2*n,600)':y=100:shortest=1,format=yuv420p[v];{SOUND}[a]"
    );
    clip("moving-box", "mp4", 12.0, &graph, &["[v]", "[a]"], &[X264, AAC].concat()).without(&["freeze"])
}

/// One still picture turning into another over 8 s: slow, but not frozen.
pub fn slow_fade() -> Clip {
    let graph = format!(
        "{PICTURE},split[a0][b0];[a0]{},trim=end=8.2[from];[b0]select='gte(n,150)',{},trim=end=8.2[to];\
         [from][to]xfade=transition=fade:duration=8:offset=0,trim=end=8[v];{SOUND}[a]",
        hold(0, FRAMES),
        hold(0, FRAMES),
    );
    clip("slow-fade", "mp4", 8.0, &graph, &["[v]", "[a]"], &[X264, AAC].concat()).without(&["freeze", "black"])
}

/// Fine detail that a camera approaches so slowly that it moves by whole pixels, now and then.
pub fn slow_zoom() -> Clip {
    let graph = format!(
        "color=c=gray:s=320x180:r=25:d=12,noise=c0s=90:c0_seed=5,scale=640:360:flags=bicubic,format=yuv420p,\
         zoompan=z='1+0.0008*on':d=1:x='iw/2-(iw/zoom/2)':y='ih/2-(ih/zoom/2)':s=640x360:fps=25,format=yuv420p[v];{SOUND}[a]"
    );
    clip("slow-zoom", "mp4", 12.0, &graph, &["[v]", "[a]"], &[X264, AAC].concat()).without(&["stutter"])
}

/// Blocks of text that roll up over black, as credits do.
pub fn rolling_credits() -> Clip {
    let mut picture = "color=c=black:s=640x360:r=25:d=12,format=yuv420p".to_owned();
    for line in 0..12 {
        for word in 0..3 {
            let (x, y, w) = (150 + word * 120, line * 30 + 8, 60 + (line * 7 + word * 13) % 50);
            picture.push_str(&format!(",drawbox=x={x}:y={y}:w={w}:h=10:c=white:t=fill"));
        }
    }
    let graph = format!("{picture},scroll=v=0.0055555[v];{SOUND}[a]");
    clip("rolling-credits", "mp4", 12.0, &graph, &["[v]", "[a]"], &[X264, AAC].concat()).without(&[
        "letterbox",
        "black",
        "freeze",
    ])
}

/// No sound at all on exact samples from 4 s to 7 s.
pub fn silence() -> Clip {
    let sound = replace_sound("0", "0", 4.0, 7.0);
    Make::new("silence", "mkv", "null", &sound)
        .clip()
        .with("silence", "audio:0", 4.0, 7.0)
        .without(&["channel_silence"])
}

/// From 3 s to 9 s nothing but an offset of 0.002 and a click of one sample every 1.5 s.
pub fn silence_with_clicks() -> Clip {
    let nothing = "0.002+0.6*eq(mod(n,72000),36000)";
    let sound = replace_sound(nothing, nothing, 3.0, 9.0);
    Make::new("silence-with-clicks", "mkv", "null", &sound).clip().with("silence", "audio:0", 3.0, 9.0)
}

/// From 3 s to 9 s nothing but an offset of 0.002.
pub fn silence_with_offset() -> Clip {
    let sound = replace_sound("0.002", "0.002", 3.0, 9.0);
    Make::new("silence-with-offset", "mkv", "null", &sound).clip().with("silence", "audio:0", 3.0, 9.0)
}

/// No sound at all from 4 s to 7 s in MPEG layer 2, without pictures, in a transport stream.
pub fn silence_mp2() -> Clip {
    let graph = format!("{SOUND},{}[a]", replace_sound("0", "0", 4.0, 7.0));
    clip("silence-mp2", "ts", 12.0, &graph, &["[a]"], &["-c:a", "mp2", "-b:a", "192k"])
        .with("silence", "audio:0", 4.0, 7.0)
}

/// The right channel is dead from 3 s to 9 s.
pub fn dead_channel() -> Clip {
    let sound = replace_sound("val(0)", "0", 3.0, 9.0);
    let clip = Make::new("dead-channel", "mkv", "null", &sound).clip();
    clip.with("channel_silence", "audio:0", 3.0, 9.0).without(&["silence", "mono"])
}

/// Two audio tracks; only the second is silent, from 4 s to 7 s.
pub fn two_sound_tracks() -> Clip {
    let graph = format!("{PICTURE}[v];{SOUND},asplit[a][b];[b]{}[c]", replace_sound("0", "0", 4.0, 7.0));
    let made = clip("two-sound-tracks", "mkv", 12.0, &graph, &["[v]", "[a]", "[c]"], &[X264, PCM].concat());
    made.with("silence", "audio:1", 4.0, 7.0)
}

/// Sound without pictures: a tone of 1 kHz whose loudness is −23 LUFS by definition (EBU Tech 3341, case 1).
pub fn calibrated_tone() -> Clip {
    // −23 dBFS is the peak of each of the two channels.
    let graph = "sine=f=1000:r=48000:d=12,aformat=sample_fmts=dblp,volume=8*0.0707945784,pan=stereo|c0=c0|c1=c0[a]";
    clip("calibrated-tone", "wav", 12.0, graph, &["[a]"], &["-c:a", "pcm_s24le"])
}

/// One programme, black from 3 s to 5 s and silent from 6 s to 9 s, as MP4, transport stream and
/// Matroska: the very same packets.
pub fn in_containers() -> [Clip; 3] {
    let picture = paint((16, 128, 128), 3.0, 5.0);
    let mp4 = Make::new("container", "mp4", &picture, &replace_sound("0", "0", 6.0, 9.0)).clip();
    let packed = |extension| {
        let arguments = ["-i", mp4.path_text(), "-map", "0", "-c", "copy"].map(str::to_owned);
        Clip::new(encoded("container", extension, &arguments), mp4.seconds)
    };
    let [ts, mkv] = ["ts", "mkv"].map(packed);
    [mp4, ts, mkv].map(|clip| clip.with("black", "video:0", 3.0, 5.0).with("silence", "audio:0", 6.0, 9.0))
}

/// A tiny programme of which nothing is wrong, for tests that need a file that opens: 3 s.
pub fn tiny(extension: &str) -> Clip {
    let mut make = Make::new("tiny", extension, "scale=160:90", "anull");
    make.seconds = 3.0;
    make.clip()
}

/// The clean programme as a transport stream with a key frame every second and no B frames.
pub fn clean_transport_stream() -> Clip {
    let mut make = Make::new("clean-ts", "ts", "null", "anull");
    make.seconds = 10.0;
    make.encode.extend(["-g", "25", "-bf", "0", "-sc_threshold", "0"]);
    make.clip().without(&["decode_error", "block_corruption"])
}

/// A small programme for senders, with a key frame every second and no B frames, painted over by a filter.
fn small(name: &str, picture: &str, sound: &str) -> Clip {
    let picture = format!("scale=320:180,{picture}");
    let mut make = Make::new(name, "ts", &picture, sound);
    make.encode.extend(["-g", "25", "-bf", "0", "-sc_threshold", "0"]);
    make.clip()
}

/// A small programme in which nothing is wrong.
pub fn small_clean() -> Clip {
    small("small-clean", "null", "anull")
}

/// A small programme, black from 3 s to 5 s and silent on exact samples from 6 s to 8 s.
pub fn small_black_and_silent() -> Clip {
    let picture = paint((16, 128, 128), 3.0, 5.0);
    small("small-black-and-silent", &picture, &replace_sound("0", "0", 6.0, 8.0))
        .with("black", "video:0", 3.0, 5.0)
        .with("silence", "audio:0", 6.0, 8.0)
}

/// A small programme without any picture: black throughout, with sound.
pub fn small_black() -> Clip {
    small("small-black", &paint((16, 128, 128), 0.0, 13.0), "anull").with("black", "video:0", 0.0, 12.0)
}

/// The same as MPEG-2 and under the same PIDs as the other small ones.
pub fn small_black_mpeg2() -> Clip {
    let picture = format!("scale=320:180,{}", paint((16, 128, 128), 0.0, 13.0));
    let mut make = Make::new("small-black-mpeg2", "ts", &picture, "anull");
    make.encode = [&["-c:v", "mpeg2video", "-b:v", "400k", "-g", "12", "-bf", "0"], AAC].concat();
    make.clip().with("black", "video:0", 0.0, 12.0)
}
