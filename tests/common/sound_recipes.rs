//! Recipes of sound alone: programmes in which nothing is wrong, what is planted in them, and the
//! codecs they go through.
//!
//! Everything is seeded. Defects are planted on exact samples before encoding; `Codec::Pcm` keeps them so.

use super::media::{Clip, encoded};
use super::recipes::SOUND;

/// Length of every clip, in seconds.
const SECONDS: f64 = 12.0;

/// How a clip is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Pcm,
    Aac,
    Mp2,
    Ac3,
    Opus,
}

impl Codec {
    pub const ALL: [Self; 5] = [Self::Pcm, Self::Aac, Self::Mp2, Self::Ac3, Self::Opus];

    /// Extension of the file and arguments of the encoder.
    fn encoder(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Pcm => ("mkv", &["-c:a", "pcm_s16le"]),
            Self::Aac => ("m4a", &["-c:a", "aac", "-b:a", "128k"]),
            Self::Mp2 => ("ts", &["-c:a", "mp2", "-b:a", "192k"]),
            Self::Ac3 => ("ts", &["-c:a", "ac3", "-b:a", "192k"]),
            Self::Opus => ("mka", &["-c:a", "libopus", "-b:a", "128k"]),
        }
    }
}

/// Syllables of a gliding voice in a room that is not the same left and right, with words and pauses.
const SPEECH: &str = "aevalsrc=s=48000:d=12:exprs='\
    (0.25*pow(max(0,sin(2*PI*2.1*t)),0.6)*gte(mod(t*2.1,5),1)*(sin(2*PI*130*t+9*sin(2*PI*0.5*t))\
    +0.7*sin(2*(2*PI*130*t+9*sin(2*PI*0.5*t))+1)+0.4*sin(5*(2*PI*130*t+9*sin(2*PI*0.5*t)))\
    +0.2*sin(11*(2*PI*130*t+9*sin(2*PI*0.5*t))+2)))+0.03*(random(0)-0.5)*max(0.02,sin(2*PI*2.1*t))|\
    (0.22*pow(max(0,sin(2*PI*2.1*t)),0.6)*gte(mod(t*2.1,5),1)*(sin(2*PI*130*t+9*sin(2*PI*0.5*t)+0.5)\
    +0.6*sin(2*(2*PI*130*t+9*sin(2*PI*0.5*t))+2)+0.4*sin(5*(2*PI*130*t+9*sin(2*PI*0.5*t)+0.3))\
    +0.2*sin(11*(2*PI*130*t+9*sin(2*PI*0.5*t))+3)))+0.03*(random(1)-0.5)*max(0.02,sin(2*PI*2.1*t))'";

/// Decaying chords over a bass, with a brush, different left and right.
const MUSIC: &str = "aevalsrc=s=48000:d=12:exprs='\
    0.25*sin(2*PI*55*t)*(0.6+0.4*sin(2*PI*2*t))+0.15*sin(2*PI*220.7*t)*exp(-3*mod(t,0.5))\
    +0.1*sin(2*PI*331.3*t)*exp(-4*mod(t,0.33))+0.07*sin(2*PI*1245*t)*exp(-9*mod(t,0.25))\
    +0.1*(random(0)-0.5)*exp(-20*mod(t,0.25))|\
    0.25*sin(2*PI*55*t)*(0.6+0.4*sin(2*PI*2*t))+0.08*sin(2*PI*220.7*t)*exp(-3*mod(t,0.5))\
    +0.15*sin(2*PI*277.9*t)*exp(-4*mod(t,0.75))+0.05*sin(2*PI*1865*t)*exp(-9*mod(t,0.5))\
    +0.1*(random(1)-0.5)*exp(-20*mod(t,0.25))'";

/// Plucked chords that die away, without a bass as low as hum.
const CHORDS: &str = "aevalsrc=s=48000:d=12:exprs='\
    0.22*sin(2*PI*196*t)*exp(-3*mod(t,0.5))+0.22*sin(2*PI*247*t)*exp(-3*mod(t+0.1,0.75))\
    +0.22*sin(2*PI*98*t)*exp(-3*mod(t,1))|\
    0.22*sin(2*PI*294*t)*exp(-3*mod(t+0.25,0.5))+0.22*sin(2*PI*392*t)*exp(-3*mod(t+0.3,0.75))\
    +0.22*sin(2*PI*98*t)*exp(-3*mod(t,1))'";

/// Rumble: noise that is the louder the lower it is.
const RUMBLE: &str = "anoisesrc=c=brown:r=48000:a=0.6:seed=3:d=12[one];anoisesrc=c=brown:r=48000:a=0.6:seed=4:d=12[two];\
    [one][two]join=inputs=2:channel_layout=stereo";

/// The programmes, with their names.
const PROGRAMMES: [(&str, &str); 3] = [("pink", SOUND), ("speech", SPEECH), ("music", MUSIC)];

fn clip(name: &str, source: &str, spoil: &str, codec: Codec) -> Clip {
    let (extension, encoder) = codec.encoder();
    let graph = format!("{source},{spoil},aformat=channel_layouts=stereo[a]");
    let mut arguments = vec!["-filter_complex".to_owned(), graph, "-map".to_owned(), "[a]".to_owned()];
    arguments.extend(["-t".to_owned(), SECONDS.to_string()]);
    arguments.extend(encoder.iter().map(|word| (*word).to_owned()));
    Clip::new(encoded(&format!("sound-{name}-{codec:?}").to_lowercase(), extension, &arguments), SECONDS)
}

/// A filter of exact samples: left and right become these from `from` until before `to`.
fn replace(left: &str, right: &str, from: f64, to: f64) -> String {
    let when = format!("gte(n,{})*lt(n,{})", (from * 48_000.0).round(), (to * 48_000.0).round());
    format!("aeval=c=same:exprs='if({when},{left},val(0))|if({when},{right},val(1))'")
}

/// Every programme as it is.
pub fn clean(codec: Codec) -> Vec<Clip> {
    PROGRAMMES.iter().map(|(name, source)| clip(&format!("clean-{name}"), source, "anull", codec)).collect()
}

/// Sound that is meant to mislead: nothing of it is a defect.
pub fn misleading() -> Vec<Clip> {
    let tone = |frequency: u32| {
        format!("aevalsrc=s=48000:d=12:exprs='0.5*sin(2*PI*{frequency}*t)|0.5*sin(2*PI*({frequency}*t+0.25))'")
    };
    let gate = replace("val(0)*lt(mod(t,0.25),0.15)", "val(1)*lt(mod(t,0.25),0.15)", 3.0, 9.0);
    let sources = [
        ("tone-50", tone(50), "anull".to_owned()),
        ("tone-1000", tone(1_000), "anull".to_owned()),
        ("silence", "anullsrc=r=48000:cl=stereo,atrim=end=12".to_owned(), "anull".to_owned()),
        ("limited", SOUND.to_owned(), "volume=24dB,alimiter=limit=0.5:level=disabled".to_owned()),
        ("gated", SOUND.to_owned(), gate),
        ("rumble", RUMBLE.to_owned(), "anull".to_owned()),
        ("quiet", SOUND.to_owned(), "volume=-55dB".to_owned()),
        ("fades", MUSIC.to_owned(), "afade=t=out:st=3:d=2,afade=t=in:st=7:d=2:enable='gte(t,6)'".to_owned()),
    ];
    let named = |(name, source, spoil): &(&str, String, String)| clip(name, source, spoil, Codec::Pcm);
    sources.iter().map(named).collect()
}

/// Far too loud from 3 s to 8 s, cut off, and turned down by half as if nothing had been.
pub fn clipping(codec: Codec) -> Clip {
    let cut = |channel: usize| format!("0.5*clip(8*val({channel}),-1,1)");
    let spoil = replace(&cut(0), &cut(1), 3.0, 8.0);
    clip("clipping", MUSIC, &spoil, codec).with("clipping", "audio:0", 3.0, 8.0)
}

/// The right channel is the left one upside down and 3 dB lower from 3 s to 8 s.
pub fn phase(codec: Codec) -> Clip {
    clip("phase", SOUND, &replace("val(0)", "-0.7*val(0)", 3.0, 8.0), codec).with("phase", "audio:0", 3.0, 8.0)
}

/// Left and right are the same from 3 s to 8 s.
pub fn mono(codec: Codec) -> Clip {
    let both = "0.5*val(0)+0.5*val(1)";
    clip("mono", SOUND, &replace(both, both, 3.0, 8.0), codec).with("mono", "audio:0", 3.0, 8.0)
}

/// Left and right are the same throughout.
pub fn mono_throughout(codec: Codec) -> Clip {
    let both = "0.5*val(0)+0.5*val(1)";
    clip("mono-all", SOUND, &replace(both, both, 0.0, 13.0), codec).with("mono", "audio:0", 0.0, 12.0)
}

/// Noise, far too loud from 3 s to 8 s and cut off at full scale.
pub fn clipped_noise(codec: Codec) -> Clip {
    let spoil = replace("clip(8*val(0),-1,1)", "clip(8*val(1),-1,1)", 3.0, 8.0);
    clip("clipping-noise", SOUND, &spoil, codec).with("clipping", "audio:0", 3.0, 8.0)
}

/// Chords, far too loud from 3 s to 8 s, cut off, and turned down by half.
pub fn clipped_chords(codec: Codec) -> Clip {
    let spoil = replace("0.5*clip(8*val(0),-1,1)", "0.5*clip(8*val(1),-1,1)", 3.0, 8.0);
    clip("clipping-chords", CHORDS, &spoil, codec).with("clipping", "audio:0", 3.0, 8.0)
}

/// Nothing for 12 ms at 2 s, 5 s and 8 s.
pub fn dropouts(codec: Codec) -> Clip {
    gaps("dropouts", 12, codec)
}

/// Nothing for 60 ms at 2 s, 5 s and 8 s.
pub fn long_dropouts(codec: Codec) -> Clip {
    gaps("dropouts-60", 60, codec)
}

fn gaps(name: &str, millis: u32, codec: Codec) -> Clip {
    let when = |at: u32| format!("between(n,{},{})", at * 48_000, at * 48_000 + 48 * millis - 1);
    let lost = format!("{}+{}+{}", when(2), when(5), when(8));
    let spoil = format!("aeval=c=same:exprs='if({lost},0,val(0))|if({lost},0,val(1))'");
    let mut made = clip(name, SOUND, &spoil, codec);
    for at in [2.0, 5.0, 8.0] {
        made = made.with("dropout", "audio:0", at, at + f64::from(millis) / 1_000.0);
    }
    made
}

/// The left channel swings around 0.05 from 3 s to 8 s.
pub fn dc_offset(codec: Codec) -> Clip {
    clip("dc", SPEECH, &replace("val(0)+0.05", "val(1)", 3.0, 8.0), codec).with("dc_offset", "audio:0", 3.0, 8.0)
}

/// 50 Hz and two multiples under the programme from 3 s on.
pub fn hum(codec: Codec) -> Clip {
    let hum = "0.028*sin(2*PI*50*t)+0.014*sin(2*PI*100*t)+0.009*sin(2*PI*150*t)";
    let with = |channel: usize| format!("val({channel})+{hum}");
    clip("hum", SPEECH, &replace(&with(0), &with(1), 3.0, 13.0), codec).with("hum", "audio:0", 3.0, 12.0)
}

/// 50 Hz and two multiples under chords, throughout.
pub fn hum_under_music(codec: Codec) -> Clip {
    let hum = "0.02*sin(2*PI*50*t)+0.01*sin(2*PI*100*t)+0.0063*sin(2*PI*150*t)";
    let with = |channel: usize| format!("val({channel})+{hum}");
    clip("hum-music", CHORDS, &replace(&with(0), &with(1), 0.0, 13.0), codec).with("hum", "audio:0", 0.0, 12.0)
}
