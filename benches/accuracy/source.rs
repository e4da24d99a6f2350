//! Sources: moving pictures and lively sound, generated from seeds or taken from real material.
//!
//! A source is text for FFmpeg's filter graphs. Everything generated is seeded, trips no detector by
//! itself, and lasts up to 12 s. `RATE` in a picture's graph stands for its pictures a second.

use std::path::PathBuf;

/// Where pictures come from.
#[derive(Clone, Debug)]
pub(crate) struct Pictures {
    /// The graph, without a label at its end.
    pub(crate) graph: String,
    /// Pictures a second of a progressive clip.
    pub(crate) fps: f64,
}

/// Where sound comes from: a graph, without a label at its end.
#[derive(Clone, Debug)]
pub(crate) struct Sound(pub(crate) String);

/// Pictures, sound, or both.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Part of the names of its clips.
    pub(crate) name: String,
    /// Files that the graphs refer to by number.
    pub(crate) inputs: Vec<PathBuf>,
    /// Pictures, if any.
    pub(crate) pictures: Option<Pictures>,
    /// Sound, if any.
    pub(crate) sound: Option<Sound>,
    /// How long its clips last.
    pub(crate) seconds: f64,
    /// It is real material.
    pub(crate) real: bool,
}

impl Source {
    /// A generated source.
    pub(crate) fn generated(name: impl Into<String>, picture: Option<String>, sound: Option<Sound>) -> Self {
        let pictures = picture.map(|graph| Pictures { graph, fps: 25.0 });
        Self { name: name.into(), inputs: Vec::new(), pictures, sound, seconds: 10.0, real: false }
    }

    /// The same with another length.
    pub(crate) fn lasting(mut self, seconds: f64) -> Self {
        self.seconds = seconds;
        self
    }

    /// The same with a filter after its pictures.
    pub(crate) fn filmed(mut self, name: &str, filter: &str) -> Self {
        self.name = name.to_owned();
        if let Some(pictures) = &mut self.pictures {
            pictures.graph = format!("{},{filter}", pictures.graph);
        }
        self
    }

    /// The same with a filter after its sound.
    pub(crate) fn heard(mut self, name: &str, filter: &str) -> Self {
        self.name = name.to_owned();
        if let Some(sound) = &mut self.sound {
            sound.0 = format!("{},{filter}", sound.0);
        }
        self
    }

    /// The same with other sound.
    pub(crate) fn with_sound(mut self, name: &str, sound: Sound) -> Self {
        self.name = name.to_owned();
        self.sound = Some(sound);
        self
    }
}

/// A scene: two layers of texture that drift over turning colours, with grain.
struct Scene {
    seed: u32,
    /// Sizes of the layers that are blown up to the whole picture: the larger, the finer.
    layers: [(u32, u32); 2],
    /// How fast they drift, in widths a frame.
    drift: [f64; 2],
    /// How the texture lies over the colours.
    blend: &'static str,
}

const PALETTES: [[&str; 4]; 4] = [
    ["0x203050", "0xd0a060", "0x508040", "0xb04030"],
    ["0x4a3020", "0x80a0c8", "0xc0c090", "0x306050"],
    ["0x602848", "0xe0b088", "0x3868a0", "0x88a048"],
    ["0x284838", "0xa87850", "0x7088b0", "0xd8d0b0"],
];

impl Scene {
    /// `tag` keeps the labels of several scenes in one graph apart.
    fn graph(&self, tag: &str, size: (u32, u32)) -> String {
        let (width, height) = size;
        let seed = self.seed;
        let layer = |index: usize, label: &str, seed: u32, vertical: f64| {
            let ((w, h), drift) = (self.layers[index], self.drift[index]);
            format!(
                "color=c=gray:s={w}x{h}:r=RATE:d=12,noise=c0s=100:c0_seed={seed},scale={width}:{height}:flags=bicubic,\
                 scroll=h={drift}:v={vertical},format=yuv420p[{label}{tag}];"
            )
        };
        let [c0, c1, c2, c3] = PALETTES[seed as usize % PALETTES.len()];
        format!(
            "{}{}gradients=s={width}x{height}:r=RATE:d=12:c0={c0}:c1={c1}:c2={c2}:c3={c3}:n=4:seed={seed}:speed=0.02,\
             format=yuv420p[colour{tag}];[far{tag}][near{tag}]blend=all_mode=average,format=yuv420p[cloud{tag}];\
             [colour{tag}][cloud{tag}]blend=c0_mode={}:c0_opacity=0.8:c1_mode=normal:c2_mode=normal,\
             noise=c0s=3:c0f=t:c0_seed={}",
            layer(0, "far", 11 + seed * 2, 0.001),
            layer(1, "near", 23 + seed * 3, 0.002),
            self.blend,
            7 + seed
        )
    }
}

/// Clouds at two scales: soft pictures of which every part moves.
pub(crate) fn clouds(seed: u32) -> String {
    let drift = [0.002 + 0.0005 * f64::from(seed % 4), -0.002];
    Scene { seed, layers: [(47, 27), (151, 85)], drift, blend: "softlight" }.graph("", (640, 360))
}

/// The same at 1280x720.
pub(crate) fn clouds_hd(seed: u32) -> Pictures {
    let drift = [0.002 + 0.0005 * f64::from(seed % 4), -0.002];
    let graph = Scene { seed, layers: [(47, 27), (251, 141)], drift, blend: "softlight" }.graph("", (1280, 720));
    Pictures { graph, fps: 25.0 }
}

/// A pan over a landscape with detail down to two pixels.
pub(crate) fn landscape(seed: u32) -> String {
    tagged_landscape(seed, "")
}

fn tagged_landscape(seed: u32, tag: &str) -> String {
    let drift = [0.0016, 0.0016];
    Scene { seed, layers: [(71, 41), (320, 180)], drift, blend: "overlay" }.graph(tag, (640, 360))
}

/// A landscape that stands still, with grain of its own: what a locked-off camera sees.
pub(crate) fn view(seed: u32) -> String {
    Scene { seed, layers: [(71, 41), (320, 180)], drift: [0.0, 0.0], blend: "overlay" }
        .graph("", (640, 360))
        .replace("scroll=h=0:v=0.001,", "")
        .replace("scroll=h=0:v=0.002,", "")
        .replace("speed=0.02", "speed=0.00001")
}

/// Landscapes with a cut every 2.4 s.
pub(crate) fn cuts(seed: u32) -> String {
    let mut graph = String::new();
    let mut labels = String::new();
    for index in 0..5 {
        let scene = tagged_landscape(seed + index * 5 + 1, &format!("x{index}"));
        graph.push_str(&format!("{scene},trim=end=2.4,setpts=PTS-STARTPTS[cut{index}];"));
        labels.push_str(&format!("[cut{index}]"));
    }
    format!("{graph}{labels}concat=n=5:v=1:a=0")
}

/// Two different noises that swell at different paces, with a common tone: neither mono nor out of
/// phase, no pause, about -20 LUFS.
pub(crate) fn programme(seed: u32) -> Sound {
    let (one, two) = (seed * 2 + 1, seed * 2 + 2);
    let tone = 290 + 27 * (seed % 5);
    let graph = format!(
        "anoisesrc=c=pink:r=48000:a=0.35:seed={one}:d=12[pink1];anoisesrc=c=pink:r=48000:a=0.35:seed={two}:d=12[pink2];\
         [pink1][pink2]join=inputs=2:channel_layout=stereo,aeval=c=same:exprs='\
         val(0)*(0.65+0.35*sin(2*PI*0.9*t))+0.08*sin(2*PI*{tone}*t)|val(1)*(0.65+0.35*sin(2*PI*0.7*t))+0.08*sin(2*PI*{tone}*t)'"
    );
    Sound(graph)
}

/// Six noises as 5.1, each with its own swell; the LFE channel low and dull.
pub(crate) fn surround(seed: u32) -> Sound {
    let mut graph = String::new();
    let mut labels = String::new();
    for channel in 0..6 {
        let (level, dull) = if channel == 3 { (0.1, ",lowpass=f=100") } else { (0.25, "") };
        graph.push_str(&format!(
            "anoisesrc=c=pink:r=48000:a={level}:seed={}:d=12{dull},volume='0.65+0.35*sin(2*PI*{}*t)':eval=frame[ch{channel}];",
            seed * 6 + channel + 1,
            0.5 + 0.1 * f64::from(channel)
        ));
        labels.push_str(&format!("[ch{channel}]"));
    }
    Sound(format!("{graph}{labels}join=inputs=6:channel_layout=5.1"))
}

/// Plucked chords in stereo: every note starts hard and dies away, the sides a beat apart.
pub(crate) fn music(seed: u32) -> Sound {
    let root = [220.0, 196.0, 246.94, 261.63][seed as usize % 4];
    let voice = |factor: f64, beat: f64, shift: f64| {
        format!("0.22*sin(2*PI*{}*t)*exp(-3*mod(t+{shift}\\,{beat}))", root * factor)
    };
    let left = [voice(1.0, 0.5, 0.0), voice(1.26, 0.75, 0.1), voice(0.5, 1.0, 0.0)].join("+");
    let right = [voice(1.5, 0.5, 0.25), voice(2.0, 0.75, 0.3), voice(0.5, 1.0, 0.0)].join("+");
    Sound(format!("aevalsrc='{left}|{right}':s=48000:d=12"))
}
