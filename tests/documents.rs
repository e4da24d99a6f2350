//! The documents say what is so: names of files, metrics and commands in them exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

/// Everything between single back quotes.
fn quoted(text: &str) -> BTreeSet<String> {
    let pattern = Regex::new("`([^`\n]+)`").expect("the pattern is valid");
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// The names in a folder, those of tests left out.
fn names_in(folder: &str) -> Vec<(String, bool)> {
    let entries = fs::read_dir(root().join(folder)).expect(folder);
    let names = entries.map(|entry| {
        let entry = entry.expect("is readable");
        (entry.file_name().to_string_lossy().into_owned(), entry.path().is_dir())
    });
    names.filter(|(name, _)| !name.ends_with("tests.rs") && !name.ends_with("tests")).collect()
}

#[test]
fn the_architecture_names_only_files_that_exist() {
    let bases = [
        "",
        "actors/src",
        "src",
        "src/api",
        "src/commands",
        "src/config",
        "src/media",
        "src/measure",
        "src/detectors",
        "src/sinks",
        "src/report",
    ];
    let bases = bases.map(|base| root().join(base));
    let exists = |name: &str| bases.iter().any(|base: &PathBuf| base.join(name).exists());
    let is_path = |name: &str| name.ends_with(".rs") || name.ends_with(".toml") || name.ends_with('/');
    for name in quoted(&read("ARCHITECTURE.md")).iter().filter(|name| is_path(name) && !name.contains(' ')) {
        assert!(exists(name), "{name} is named but is not there");
    }
}

#[test]
fn the_architecture_mentions_every_file_of_the_engine() {
    let said = quoted(&read("ARCHITECTURE.md"));
    for (name, is_folder) in names_in("actors/src") {
        let mentioned =
            said.contains(&name) || (is_folder && said.iter().any(|word| word.starts_with(&format!("{name}/"))));
        assert!(mentioned, "actors/src/{name} is not mentioned");
    }
}

#[test]
fn the_architecture_mentions_every_folder_and_file_at_the_top_of_the_application() {
    let said = quoted(&read("ARCHITECTURE.md"));
    for (name, is_folder) in names_in("src") {
        let name = if is_folder { format!("{name}/") } else { name };
        assert!(said.contains(&name), "src/{name} is not mentioned");
    }
}

#[test]
fn the_documents_name_only_metrics_that_exist() {
    let families = read("src/sinks/metrics/families.rs");
    let word = Regex::new(r"\bavwatch_[a-z_]+").expect("the pattern is valid");
    for path in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "docs/api.md",
        "docs/clones.md",
        "docs/operating.md",
        "docs/receivers.md",
        "docs/report.md",
    ] {
        for found in word.find_iter(&read(path)) {
            let name = found.as_str().trim_end_matches("_total").trim_end_matches("_bucket");
            assert!(families.contains(&format!("\"{name}\"")), "{path} names {name}");
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)#:]+)\)").expect("the pattern is valid");
    for path in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "docs/api.md",
        "docs/clones.md",
        "docs/operating.md",
        "docs/receivers.md",
        "docs/report.md",
    ] {
        let folder = root().join(path).parent().expect("is in a folder").to_owned();
        for found in link.captures_iter(&read(path)) {
            assert!(folder.join(&found[1]).exists(), "{path} links to {}", &found[1]);
        }
    }
}
