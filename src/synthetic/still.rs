//! Stills: the standing pictures that some defects show instead of the programme.

use std::sync::Arc;

use super::defect::DefectKind;
use super::picture::YuvPicture;
use super::recipe::Recipe;

/// Limited-range black.
const BLACK: [u8; 3] = [16, 128, 128];
/// The blue that receivers show when the signal is missing.
const BLUE: [u8; 3] = [32, 240, 118];
/// 75 % bars after ITU-R BT.709: white, yellow, cyan, green, magenta, red, blue.
const BARS: [[u8; 3]; 7] =
    [[180, 128, 128], [168, 44, 136], [145, 147, 44], [133, 63, 52], [63, 193, 204], [51, 109, 212], [28, 212, 120]];

/// Keeps the latest still, for a defect shows the same one picture after picture.
#[derive(Default)]
pub(super) struct Stills {
    latest: Option<(DefectKind, Arc<YuvPicture>)>,
}

impl Stills {
    /// The still of a kind; `None` for kinds that do not show one.
    pub(super) fn of(&mut self, kind: DefectKind, recipe: &Recipe) -> Option<Arc<YuvPicture>> {
        if let Some((latest, picture)) = &self.latest
            && *latest == kind
        {
            return Some(picture.clone());
        }
        let (width, height) = (recipe.width as usize, recipe.height as usize);
        let picture = match kind {
            DefectKind::Black => YuvPicture::filled(width, height, BLACK),
            DefectKind::SolidColor => YuvPicture::filled(width, height, BLUE),
            DefectKind::ColorBars => bars(width, height),
            _ => return None,
        };
        let picture = Arc::new(picture);
        self.latest = Some((kind, picture.clone()));
        Some(picture)
    }
}

fn bars(width: usize, height: usize) -> YuvPicture {
    let mut picture = YuvPicture::filled(width, height, BARS[6]);
    for (index, colour) in BARS.iter().enumerate() {
        let edge = |number: usize| (width * number / BARS.len()) & !1;
        picture.fill_columns(edge(index), edge(index + 1), *colour);
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_seven_colours_from_edge_to_edge() {
        let recipe: Recipe = "size=640x64".parse().unwrap();
        let picture = Stills::default().of(DefectKind::ColorBars, &recipe).unwrap();
        let [(luma, width), (blue, half), _] = picture.planes();
        let seen: Vec<u8> = (0..7).map(|bar| luma[width * 63 + 640 * bar / 7 + 40]).collect();
        assert_eq!(seen, BARS.map(|colour| colour[0]));
        assert_eq!((luma[width - 1], blue[half - 1]), (28, 212));
    }
}
