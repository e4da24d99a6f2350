//! Tables as spreadsheets write them: comma or semicolon, quotes doubled, columns named in the first line.

use std::collections::BTreeSet;

use super::{Channel, ImportError, STREAMS_MAX, ignore};

/// Most columns.
const COLUMNS_MAX: usize = 100;

/// Every row of a table that has an address, and the names of the columns that were not taken.
pub(super) fn read(text: &str) -> Result<(Vec<Channel>, BTreeSet<String>), ImportError> {
    let separator = text.lines().next().map_or(',', |line| if line.contains(';') { ';' } else { ',' });
    let mut rows = rows(text, separator)?.into_iter();
    let Some((_, written)) = rows.next() else { return Ok((Vec::new(), BTreeSet::new())) };
    let names: Vec<String> = written.iter().map(|name| name.trim().to_lowercase().replace([' ', '-'], "_")).collect();
    let column = |known: &[&str]| known.iter().find_map(|known| names.iter().position(|name| name == known));
    let address = column(&["url", "stream_url", "uri", "address", "source", "stream"])
        .ok_or_else(|| ImportError::Line { line: 1, why: "the first line must name a column url".to_owned() })?;
    let (name, title) = (column(&["name", "id"]), column(&["title", "display_name"]));
    let (group, agent) = (column(&["group", "category", "group_title"]), column(&["user_agent"]));
    let taken = [Some(address), name, title, group, agent];
    let mut ignored = BTreeSet::new();
    let others = written.iter().enumerate().filter(|(place, _)| !taken.contains(&Some(*place)));
    others.for_each(|(_, name)| ignore(name, &mut ignored));
    let mut channels = Vec::new();
    for (line, cells) in rows {
        let cell = |place: Option<usize>| {
            place.and_then(|place| cells.get(place)).map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty())
        };
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let url =
            cell(Some(address)).ok_or_else(|| ImportError::Line { line, why: "the row has no url".to_owned() })?;
        channels.push(Channel {
            name: cell(name),
            title: cell(title),
            group: cell(group),
            user_agent: cell(agent),
            url,
            line,
        });
        if channels.len() > STREAMS_MAX {
            return Err(ImportError::TooMany);
        }
    }
    Ok((channels, ignored))
}

/// The cells of every row, with the line on which the row begins.
fn rows(text: &str, separator: char) -> Result<Vec<(usize, Vec<String>)>, ImportError> {
    let mut rows = Vec::new();
    let (mut cells, mut cell, mut in_quotes) = (Vec::new(), String::new(), false);
    let (mut line, mut begun) = (1, 1);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if in_quotes && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' if in_quotes => in_quotes = false,
            '"' if cell.is_empty() => in_quotes = true,
            '\n' if !in_quotes => {
                line += 1;
                cells.push(std::mem::take(&mut cell));
                rows.push((begun, std::mem::take(&mut cells)));
                begun = line;
            }
            '\r' if !in_quotes => {}
            letter if letter == separator && !in_quotes => {
                cells.push(std::mem::take(&mut cell));
                if cells.len() > COLUMNS_MAX {
                    return Err(ImportError::Line { line, why: format!("more than {COLUMNS_MAX} columns") });
                }
            }
            letter => {
                line += usize::from(letter == '\n');
                cell.push(letter);
            }
        }
    }
    if in_quotes {
        return Err(ImportError::Line { line: begun, why: "a quote is never closed".to_owned() });
    }
    if !cell.is_empty() || !cells.is_empty() {
        cells.push(cell);
        rows.push((begun, cells));
    }
    Ok(rows)
}
