//! Recipes: a moving picture and lively sound that trip no detector, and what is planted in them.
//!
//! Everything is seeded, so a recipe gives the same pictures on every run. Times are whole frames at
//! 25 pictures a second; sound is cut at exact samples, and kept as PCM where the sample counts.

use super::media::{Clip, FPS, encoded};

/// Frames of a clip of 12 s.
const FRAMES: u32 = 300;

/// Clouds at two scales drifting over turning colours, with film grain: every part moves all the
/// time, nothing is flat, dark or regular. 640x360, up to 12 s.
const PICTURE: &str = "\
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
    format!("loop=loop={}:size=1:start={first},setpts=N/{FPS}/TB,trim=end_frame={FRAMES}", count - 1)
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

/// Full-range black (code value 0) from 4 s to 7 s in a full-range track.
pub fn black_full_range() -> Clip {
    let picture = format!("{},scale=in_range=tv:out_range=pc,format=yuvj420p", paint((16, 128, 128), 4.0, 7.0));
    let mut make = Make::new("black-full-range", "mp4", &picture, "anull");
    make.encode.extend(["-pix_fmt", "yuvj420p", "-color_range", "pc"]);
    make.clip().with("black", "video:0", 4.0, 7.0)
}

/// Black from 4 s to 7 s in HEVC with 10 bits.
pub fn black_hevc_10_bit() -> Clip {
    let picture = format!("{},format=yuv420p10le", paint((16, 128, 128), 4.0, 7.0));
    let mut make = Make::new("black-hevc-10-bit", "mp4", &picture, "anull");
    make.encode =
        [&["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=50"], AAC].concat();
    make.clip().with("black", "video:0", 4.0, 7.0)
}

/// Black from 4 s to 7 s in interlaced MPEG-2, top field first, in a transport stream.
pub fn black_mpeg2_interlaced() -> Clip {
    let picture = format!(
        "scroll=h=0.03,{},settb=1/50,setpts=N,fps=50,tinterlace=mode=interleave_top,setfield=tff",
        // Painted before it is played at double speed, so twice as late and as long.
        paint((16, 128, 128), 4.0, 8.0)
    );
    let mut make = Make::new("black-mpeg2-interlaced", "ts", &picture, "asetnsamples=n=1152");
    make.seconds = 6.0;
    make.encode = ["-c:v", "mpeg2video", "-b:v", "6M", "-g", "15", "-flags:v", "+ildct+ilme", "-top", "1"].to_vec();
    make.encode.extend(["-c:a", "mp2", "-b:a", "192k"]);
    make.clip().with("black", "video:0", 2.0, 4.0).without(&["interlacing"])
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

/// One picture for the whole clip under noise that changes with every frame.
pub fn freeze_under_noise() -> Clip {
    let picture = format!("{},noise=alls=6:allf=t:all_seed=3", hold(0, FRAMES));
    Make::new("freeze-under-noise", "mp4", &picture, "anull").clip().with("freeze", "video:0", 0.0, 12.0)
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
    let picture = paint((32, 240, 118), 4.0, 7.0);
    Make::new("blue", "mp4", &picture, "anull")
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
