//! `avwatch man`: the manual pages, made from the command line's own definition.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::cli::Cli;

/// One manual page.
pub struct Page {
    /// File name, such as `avwatch-check.1`.
    pub file: String,
    /// Its text in roff.
    pub text: Vec<u8>,
}

/// The pages could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write manual page '{}': {cause}", path.display())]
pub struct ManError {
    path: PathBuf,
    cause: io::Error,
}

/// Every page: the program's, then one per command, depth first.
pub fn pages() -> Vec<Page> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    collect(&root, &mut pages);
    pages
}

/// Every page, one after the other.
pub fn render() -> Vec<u8> {
    pages().into_iter().flat_map(|page| page.text).collect()
}

/// Writes every page into a folder, which is made if need be; tells how many.
///
/// # Errors
///
/// The folder cannot be made, or a page not written.
pub fn write_to(folder: &Path) -> Result<usize, ManError> {
    fs::create_dir_all(folder).map_err(|cause| ManError { path: folder.to_owned(), cause })?;
    let pages = pages();
    for page in &pages {
        let path = folder.join(&page.file);
        fs::write(&path, &page.text).map_err(|cause| ManError { path, cause })?;
    }
    Ok(pages.len())
}

/// The command tree is our own and two levels deep, so the recursion is too.
fn collect(command: &Command, pages: &mut Vec<Page>) {
    let mut text = Vec::new();
    let source = concat!("avwatch ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(source).manual("avwatch manual");
    man.render(&mut text).expect("writing into memory does not fail");
    pages.push(Page { file: man.get_filename(), text });
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        collect(sub, pages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let files: Vec<String> = pages().into_iter().map(|page| page.file).collect();
        let expected = "avwatch run check detectors config config-check config-show config-schema health import events \
                        top report tune backup token token-new token-list token-add token-remove completions man";
        let expected: Vec<String> = expected
            .split(' ')
            .map(|name| if name == "avwatch" { "avwatch.1".to_owned() } else { format!("avwatch-{name}.1") })
            .collect();
        assert_eq!(files, expected);
    }

    #[test]
    fn a_page_tells_the_options() {
        let page = pages().into_iter().find(|page| page.file == "avwatch-check.1").expect("there");
        let text = String::from_utf8(page.text).expect("is UTF-8");
        for word in ["fail\\-on", "realtime", "nagios", "could not be checked"] {
            assert!(text.contains(word), "{word} is not in {text}");
        }
    }

    #[test]
    fn pages_go_to_a_folder_that_need_not_exist() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("share/man1");
        let count = write_to(&inner).expect("writes");
        assert_eq!(fs::read_dir(inner).expect("there").count(), count);
    }
}
