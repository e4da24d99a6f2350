//! The report for programs: schema `avwatch.report/1`.

use super::{RenderError, Report};

pub(super) fn render(report: &Report) -> Result<Vec<u8>, RenderError> {
    let mut bytes = serde_json::to_vec_pretty(report)?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fixture::example;
    use super::*;

    fn parsed() -> Value {
        serde_json::from_slice(&render(&example()).expect("renders")).expect("is JSON")
    }

    #[test]
    fn an_input_has_the_fields_of_the_contract() {
        let report = parsed();
        assert_eq!(report["schema"], "avwatch.report/1");
        assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(report["profile"], "file");
        assert_eq!(report["verdict"], "error");
        let input = &report["inputs"][0];
        assert_eq!(input["input"], "clip.ts");
        assert_eq!(input["container"], "mpegts");
        assert_eq!(input["duration_s"], 20.0);
        assert_eq!(input["verdict"], "fail");
        assert_eq!(input["error"], Value::Null);
        let video = json!({"track": "video:0", "codec": "h264", "width": 1280, "height": 720, "frame_rate": 25.0,
            "pixel_format": "yuv420p", "frames": 500, "coverage": 1.0});
        let audio = json!({"track": "audio:0", "codec": "aac", "sample_rate": 48000, "channels": 2,
            "layout": "stereo", "coverage": 1.0});
        assert_eq!(input["tracks"], json!([video, audio]));
    }

    #[test]
    fn an_event_has_the_fields_of_the_contract_and_no_other() {
        let event = json!({"detector": "black", "track": "video:0", "severity": "warning", "start_s": 8.0,
            "end_s": 11.0, "duration_s": 3.0, "ongoing": false, "peak": 1.0, "unit": "ratio",
            "message": "picture black for 3.0 s"});
        assert_eq!(parsed()["inputs"][0]["events"][0], event);
    }

    #[test]
    fn events_are_ordered_by_start_then_track_then_detector_number() {
        let events = parsed()["inputs"][0]["events"].clone();
        let names: Vec<&Value> = events.as_array().expect("a list").iter().map(|event| &event["detector"]).collect();
        assert_eq!(names, ["black", "freeze", "silence"]);
    }

    #[test]
    fn a_measurement_that_cannot_be_had_is_null() {
        let measured = parsed()["inputs"][0]["measurements"]["audio:0"].clone();
        assert_eq!(measured["integrated_lufs"], -23.1);
        assert_eq!(measured.get("loudness_range_lu"), Some(&Value::Null));
        assert_eq!(measured.as_object().expect("an object").len(), 6);
    }

    #[test]
    fn an_input_that_could_not_be_opened_names_its_cause() {
        let input = parsed()["inputs"][2].clone();
        assert_eq!(input["verdict"], "error");
        assert_eq!(input["error"], "cannot open gone.ts: no such file or directory");
        assert_eq!(input["duration_s"], Value::Null);
        assert_eq!(input["events"], json!([]));
    }
}
