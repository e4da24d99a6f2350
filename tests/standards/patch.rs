//! A patch of one colour that comes and goes on a ground of another, at exact code values. A small box moves to
//! the right of it, so that the picture is neither frozen nor a surface.

use crate::common::media::encoded;
use std::path::PathBuf;

/// Size of the pictures. A block in which flashes are judged is 16 × 16 pixels of it.
pub(crate) const SIZE: (u32, u32) = (640, 360);

/// Code values of Y, Cb and Cr.
pub(crate) type Colour = (u8, u8, u8);

/// A grey of that luma.
pub(crate) fn grey(luma: u8) -> Colour {
    (luma, 128, 128)
}

/// Five seconds of `ground`, with `patch` in the upper left corner in the pictures of which `when`, an
/// expression of their number `n`, says so.
pub(crate) fn clip(name: &str, ground: Colour, patch: Colour, (width, height): (u32, u32), when: &str) -> PathBuf {
    let source = |(y, u, v): Colour, (width, height): (u32, u32)| {
        format!("color=s={width}x{height}:r=25:d=5,format=yuv420p,lutyuv=y={y}:u={u}:v={v}")
    };
    let graph = format!(
        "{}[ground];{}[patch];{}[box];[ground][patch]overlay=0:0:format=yuv420:enable='{when}'[both];\
         [both][box]overlay=x='200+mod(8*n,360)':y=220:format=yuv420,format=yuv420p[v]",
        source(ground, SIZE),
        source(patch, (width, height)),
        source(grey(90), (64, 64)),
    );
    // Quantised so finely that code values arrive as they are.
    let coding = "-map [v] -c:v libx264 -preset veryfast -qp 1 -pix_fmt yuv420p";
    let mut arguments = vec!["-filter_complex".to_owned(), graph];
    arguments.extend(coding.split(' ').map(str::to_owned));
    encoded(name, "mp4", &arguments)
}
