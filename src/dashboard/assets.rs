//! The files of the dashboard, by name.

/// A file of the page.
pub(super) struct Asset {
    /// Its name, the last part of its path.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) media_type: &'static str,
    /// What it holds.
    pub(super) text: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// The page itself; `{version}` and `{modules}` stand where [`super::routes`] puts the version of all files and their links.
pub(super) const INDEX: &str = include_str!("assets/index.html");

macro_rules! asset {
    ($name:literal, $media_type:expr) => {
        Asset { name: $name, media_type: $media_type, text: include_str!(concat!("assets/", $name)) }
    };
}

/// Everything that the page loads, by name.
pub(super) const ALL: &[Asset] = &[
    asset!("actions.js", SCRIPT),
    asset!("address.js", SCRIPT),
    asset!("alarm.js", SCRIPT),
    asset!("announce.js", SCRIPT),
    asset!("api.js", SCRIPT),
    asset!("bars.js", SCRIPT),
    asset!("base.css", STYLE),
    asset!("course.js", SCRIPT),
    asset!("dialog.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("event_page.js", SCRIPT),
    asset!("event_row.js", SCRIPT),
    asset!("events_page.js", SCRIPT),
    asset!("evidence.js", SCRIPT),
    asset!("feed.js", SCRIPT),
    asset!("filters.js", SCRIPT),
    asset!("format.js", SCRIPT),
    asset!("frame.css", STYLE),
    asset!("frame.js", SCRIPT),
    asset!("grid.js", SCRIPT),
    asset!("history.js", SCRIPT),
    asset!("icon.svg", PICTURE),
    asset!("incident_lines.js", SCRIPT),
    asset!("incident_page.js", SCRIPT),
    asset!("keys.js", SCRIPT),
    asset!("main.js", SCRIPT),
    asset!("memory.js", SCRIPT),
    asset!("model.js", SCRIPT),
    asset!("monitor_news.js", SCRIPT),
    asset!("node_page.js", SCRIPT),
    asset!("notes_page.js", SCRIPT),
    asset!("pages.css", STYLE),
    asset!("penalty.css", STYLE),
    asset!("penalty.js", SCRIPT),
    asset!("plot.js", SCRIPT),
    asset!("role.js", SCRIPT),
    asset!("search.js", SCRIPT),
    asset!("seen.js", SCRIPT),
    asset!("severity.js", SCRIPT),
    asset!("shapes.js", SCRIPT),
    asset!("silences.js", SCRIPT),
    asset!("stream_form.js", SCRIPT),
    asset!("stream_page.js", SCRIPT),
    asset!("strip.js", SCRIPT),
    asset!("theme.js", SCRIPT),
    asset!("thumbs.js", SCRIPT),
    asset!("tile.js", SCRIPT),
    asset!("toast.js", SCRIPT),
    asset!("topbar.js", SCRIPT),
    asset!("views.js", SCRIPT),
    asset!("wall.css", STYLE),
    asset!("wall.js", SCRIPT),
    asset!("waveform.js", SCRIPT),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_embedded_once_and_by_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dashboard/assets");
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.filter(|name| name != "index.html").collect();
        names.sort();
        assert_eq!(ALL.iter().map(|asset| asset.name).collect::<Vec<_>>(), names);
    }

    #[test]
    fn files_stay_readable() {
        for asset in ALL {
            assert!(asset.text.lines().count() < 500, "{} has 500 lines or more", asset.name);
        }
    }

    #[test]
    fn nothing_parses_text_as_html_or_code_and_nothing_asks_elsewhere() {
        let banned = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "srcdoc",
            "@import",
            "url(",
        ];
        for asset in ALL.iter().filter(|asset| asset.media_type != PICTURE) {
            for word in banned {
                assert!(!asset.text.contains(word), "{} has {word}", asset.name);
            }
            let hosts = asset.text.matches("://").count() - asset.text.matches("http://www.w3.org/2000/svg").count();
            assert_eq!(hosts - asset.text.matches("'https://…'").count(), 0, "{} names a host", asset.name);
        }
        for word in ["<style", "onload", "onclick", " style=", "://"] {
            assert!(!INDEX.contains(word), "the page has {word}");
        }
    }
}
