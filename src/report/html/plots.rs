//! Plots over media time: luma, difference, loudness and levels, with events as bands behind.

use avwatch_actors::track::TrackId;

use super::super::{ReportEvent, ReportInput};
use super::axis::Axis;
use super::curve::{Curve, Line, Scale};
use super::page::{Page, short};
use crate::record::{ChannelRecord, PictureRecord, Record, Series, SoundRecord};

/// Height of a plot, and of one of many.
const TALL: f64 = 110.0;
const FLAT: f64 = 64.0;

/// Most points of one curve.
const POINTS_MAX: usize = 1_000;
/// Most points of all curves of a page together: about 600 KB.
const PAGE_POINTS_MAX: usize = 20_000;
/// A curve of fewer points would show nothing.
const POINTS_MIN: usize = 32;

/// How many points a curve may have when there are so many of them on the page.
pub(super) fn points_max<'a>(records: impl Iterator<Item = &'a Record>) -> usize {
    let of_record = |record: &Record| {
        let channels = record.sounds.values().map(|sound| sound.channels.len() * 2 + 2).sum::<usize>();
        record.pictures.len() * 4 + channels
    };
    let curves: usize = records.map(of_record).sum();
    (PAGE_POINTS_MAX / curves.max(1)).clamp(POINTS_MIN, POINTS_MAX)
}

/// Where plots are drawn, and of what input.
struct Sheet<'a> {
    input: &'a ReportInput,
    axis: Axis,
    points_max: usize,
}

/// One plot.
struct Plot<'a> {
    track: TrackId,
    /// What a screen reader says of it.
    name: String,
    /// What stands at the left, beside the ticks.
    label: String,
    scale: Scale,
    /// Values with a line across, and what is written beside it.
    ticks: Vec<(f64, String)>,
    curves: Vec<Curve<'a>>,
}

pub(super) fn write(page: &mut Page, input: &ReportInput, record: &Record, axis: Axis, points_max: usize) {
    if record.pictures.is_empty() && record.sounds.is_empty() {
        return;
    }
    page.raw("<h3>Over time</h3>\n<p class=\"dim\">Lines are means, in an area from the lowest to the highest value; ");
    page.raw("percentiles and peaks are extremes. Bands behind are the events of the track and of the input.</p>\n");
    page.raw("<div class=\"g\">\n");
    let sheet = Sheet { input, axis, points_max };
    for (track, pictures) in &record.pictures {
        sheet.write_pictures(page, *track, pictures);
    }
    for (track, sound) in &record.sounds {
        sheet.write_sound(page, *track, sound);
    }
    page.raw("</div>\n");
}

impl Sheet<'_> {
    fn write_pictures(&self, page: &mut Page, track: TrackId, pictures: &PictureRecord) {
        let levels = |value: f64| value;
        caption(
            page,
            track,
            "luma, 8-bit code values",
            &[("a", "mean"), ("b", "1st percentile"), ("c", "99th percentile")],
        );
        let curve = |series, class, line| Curve { series, class, shown: levels, line };
        self.write_plot(
            page,
            &Plot {
                track,
                name: format!("luma of {track}"),
                label: String::new(),
                scale: Scale { low: 0.0, high: 255.0, rooted: false, height: TALL },
                ticks: [16.0, 128.0, 235.0].map(|level| (level, short(level))).to_vec(),
                curves: vec![
                    curve(&pictures.p1, "b", Line::Low),
                    curve(&pictures.p99, "c", Line::High),
                    curve(&pictures.mean, "a", Line::Mean),
                ],
            },
        );
        let note = "difference to the previous picture, levels, square-root scale";
        caption(page, track, note, &[("a", "mean absolute difference")]);
        let scale = Scale { low: 0.0, high: top(&pictures.difference), rooted: true, height: TALL * 0.8 };
        self.write_plot(
            page,
            &Plot {
                track,
                name: format!("picture difference of {track}"),
                label: String::new(),
                scale,
                ticks: [0.0, 1.0 / 16.0, 0.25, 1.0]
                    .map(|share| (scale.high * share, format!("{}", scale.high * share)))
                    .to_vec(),
                curves: vec![curve(&pictures.difference, "a", Line::Mean)],
            },
        );
        self.axis.write_row(page);
    }

    fn write_sound(&self, page: &mut Page, track: TrackId, sound: &SoundRecord) {
        if !sound.momentary.is_empty() || !sound.short_term.is_empty() {
            caption(page, track, "loudness, LUFS (EBU R 128)", &[("a", "momentary, 400 ms"), ("c", "short-term, 3 s")]);
            let curve = |series, class| Curve { series, class, shown: |value| value, line: Line::Mean };
            self.write_plot(
                page,
                &Plot {
                    track,
                    name: format!("loudness of {track}"),
                    label: String::new(),
                    scale: Scale { low: -60.0, high: 0.0, rooted: false, height: TALL },
                    ticks: [-50.0, -40.0, -30.0, -23.0, -14.0].map(|level: f64| (level, minus(level))).to_vec(),
                    curves: vec![curve(&sound.momentary, "a"), curve(&sound.short_term, "c")],
                },
            );
        }
        if !sound.channels.is_empty() {
            caption(page, track, "levels, dBFS", &[("a", "level (RMS)"), ("c", "sample peak")]);
        }
        for (number, channel) in sound.channels.iter().enumerate() {
            self.write_channel(page, track, number, channel);
        }
        self.axis.write_row(page);
    }

    fn write_channel(&self, page: &mut Page, track: TrackId, number: usize, channel: &ChannelRecord) {
        let name = format!("{} {}", number + 1, channel.role.name());
        self.write_plot(
            page,
            &Plot {
                track,
                name: format!("level of {track}, channel {name}"),
                label: name,
                scale: Scale { low: -80.0, high: 3.0, rooted: false, height: FLAT },
                ticks: [-60.0, -40.0, -20.0].map(|level: f64| (level, minus(level))).to_vec(),
                curves: vec![
                    Curve { series: &channel.peak, class: "c", shown: |peak| 20.0 * decades(peak), line: Line::High },
                    Curve {
                        series: &channel.power,
                        class: "a",
                        shown: |power| 10.0 * decades(power),
                        line: Line::Mean,
                    },
                ],
            },
        );
    }

    fn write_plot(&self, page: &mut Page, plot: &Plot<'_>) {
        let height = plot.scale.height;
        page.put(format_args!(
            "<div><svg height=\"{height}\"><text x=\"0\" y=\"{}\">{}</text>",
            height / 2.0 + 4.0,
            plot.label
        ));
        for (value, label) in &plot.ticks {
            let y = (plot.scale.place(*value) + 4.0).clamp(9.0, height);
            page.put(format_args!("<text x=\"100%\" y=\"{}\" text-anchor=\"end\">{label}</text>", short(y)));
        }
        page.put(format_args!("</svg></div><div class=\"row\"><svg height=\"{height}\" role=\"img\" "));
        page.put(format_args!("aria-label=\"{}\"><rect class=\"bg\" width=\"100%\" height=\"{height}\"/>", plot.name));
        self.axis.write_lines(page);
        for (value, _) in &plot.ticks {
            let y = short(plot.scale.place(*value));
            page.put(format_args!("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/>"));
        }
        page.put(format_args!(
            "<svg width=\"100%\" height=\"{height}\" viewBox=\"0 0 1000 {height}\" preserveAspectRatio=\"none\">"
        ));
        let concerns = |event: &&ReportEvent| event.track == plot.track || event.track == TrackId::INPUT;
        self.axis.write_bands(page, self.input.events.iter().filter(concerns), (0, height as u32));
        for curve in &plot.curves {
            curve.write(page, self.axis, &plot.scale, self.points_max);
        }
        page.raw("</svg></svg></div>\n");
    }
}

/// Adds the line above a plot: what it shows, and the colours of its curves.
fn caption(page: &mut Page, track: TrackId, what: &str, curves: &[(&str, &str)]) {
    page.put(format_args!("<div class=\"cap\"><b>{track} {what}</b>"));
    for (class, name) in curves {
        page.put(format_args!("<span class=\"k {class}\"><i>{name}</i></span>"));
    }
    page.raw("</div>\n");
}

/// A power of four at or above the highest value, so that a quarter of it is one too.
fn top(series: &Series) -> f64 {
    let highest = series.points(POINTS_MAX).iter().map(|point| f64::from(point.high)).fold(0.0, f64::max);
    [1.0, 4.0, 16.0, 64.0].into_iter().find(|top| *top >= highest).unwrap_or(256.0)
}

/// The logarithm, with a floor of −200 dB of power.
fn decades(value: f64) -> f64 {
    value.max(1e-20).log10()
}

/// A negative number with a minus sign that is as wide as its digits.
fn minus(value: f64) -> String {
    short(value).replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use avwatch_actors::media_time::MediaTime;

    use super::*;

    #[test]
    fn many_curves_have_fewer_points_each() {
        let sound = SoundRecord { channels: vec![ChannelRecord::default(); 16], ..SoundRecord::default() };
        let tracks = |count| Record {
            sounds: (0..count).map(|number| (TrackId::audio(number), sound.clone())).collect(),
            ..Record::default()
        };
        assert_eq!(points_max([Record::default()].iter()), POINTS_MAX);
        assert_eq!(points_max([tracks(1)].iter()), 20_000 / 34);
        let many = vec![tracks(8); 40];
        assert_eq!(points_max(many.iter()), POINTS_MIN);
    }

    #[test]
    fn the_scale_of_differences_fits_the_largest_one() {
        let top = |value| {
            let mut series = Series::default();
            series.push(MediaTime::ZERO, MediaTime::ZERO, value);
            super::top(&series)
        };
        assert_eq!([0.0, 1.5, 30.0, 180.0].map(top), [1.0, 4.0, 64.0, 256.0]);
    }
}
