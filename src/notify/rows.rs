//! Rows: each change of a message in the fewest words, so that the largest message still names all of them.
//!
//! Pure. People read the first lines of a message ([`super::words::line`]); what is beyond those stands in rows, by which
//! one finds it in the dashboard, the API or the log. Pages of rows are as long as the target takes.

use std::collections::HashMap;

use avwatch_actors::record::Record;

use super::words::{self, Told};

/// What a row is about, and how that stands: `CRITICAL black`, `over black`, `CRITICAL incident`.
pub(super) fn heading(told: &Told<'_>) -> String {
    match told.record {
        Record::Event(event) if event.is_open() => format!("{} {}", words::loud(event.severity), event.detector),
        Record::Event(event) if words::is_unwatched(event) => format!("no longer watched {}", event.detector),
        Record::Event(event) => format!("over {}", event.detector),
        Record::Incident(incident) if incident.is_open() => format!("{} incident", words::loud(incident.severity)),
        Record::Incident(_) => "over incident".to_owned(),
    }
}

/// Its stream and its id; of an incident the id alone.
pub(super) fn row(told: &Told<'_>) -> String {
    match told.record {
        Record::Event(event) => format!("{} {}", words::clean(&event.stream, 128), event.id),
        Record::Incident(incident) => incident.id.clone(),
    }
}

/// The rows of all these changes under their headings, in pages of at most that many bytes; a row that is longer has a
/// page of its own. `escape` makes text of the target.
pub(super) fn pages(told: &[Told<'_>], bytes_max: usize, escape: impl Fn(&str) -> String) -> Vec<String> {
    // In the order in which they first come: the gravest stay first.
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for one in told {
        let heading = heading(one);
        let place = *places.entry(heading.clone()).or_insert_with(|| {
            groups.push((format!("{}:\n", escape(&heading)), Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(escape(&row(one)) + "\n");
    }
    let (mut pages, mut page) = (Vec::new(), String::new());
    for (heading, rows) in &groups {
        let mut is_headed = false;
        for row in rows {
            let needed = row.len() + if is_headed { 0 } else { heading.len() };
            if !page.is_empty() && page.len() + needed > bytes_max {
                pages.push(std::mem::take(&mut page));
                is_headed = false;
            }
            if !is_headed {
                page.push_str(heading);
                is_headed = true;
            }
            page.push_str(row);
        }
    }
    pages.extend((!page.is_empty()).then_some(page));
    pages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::samples::{ended, incident, raised, unwatched};

    #[test]
    fn every_change_has_its_row_under_what_it_is_about() {
        let records = vec![
            incident("one", 2, true),
            raised("a", "black"),
            ended("b", "black"),
            raised("c", "black"),
            unwatched("d", "hum"),
        ];
        let pages = pages(&words::newest(&records.into()), 1_000, str::to_owned);
        assert_eq!(
            pages,
            ["CRITICAL incident:\none\nCRITICAL black:\na 0193-a-black\nc 0193-c-black\nover black:\nb 0193-b-black\n\
              no longer watched hum:\nd 0193-d-hum\n"]
        );
    }

    #[test]
    fn pages_keep_to_their_length_and_begin_with_a_heading() {
        let records: Vec<Record> = (0..500).map(|index| raised(&format!("s{index}"), "black")).collect();
        let pages = pages(&words::newest(&records.into()), 300, str::to_owned);
        assert!(pages.iter().all(|page| page.len() <= 300 && page.starts_with("CRITICAL black:\n")), "{pages:?}");
        let rows: Vec<&str> = pages.iter().flat_map(|page| page.lines().skip(1)).collect();
        assert_eq!(rows.len(), 500);
        assert!((0..500).all(|index| rows[index] == format!("s{index} 0193-s{index}-black")));
    }
}
