//! Fills the paragraphs and lists of a Markdown text; tables, headings and pictures stay as they are.

/// Most characters of a line.
const WIDTH: usize = 150;

/// The text with its paragraphs filled.
pub(super) fn filled(text: &str) -> String {
    let mut out = String::new();
    let mut paragraph = String::new();
    for line in text.lines() {
        let stays = line.is_empty() || ["|", "#", "!", "<!--"].iter().any(|mark| line.starts_with(mark));
        if stays || line.starts_with("- ") {
            flush(&mut out, &mut paragraph);
        }
        if stays {
            out.push_str(line);
            out.push('\n');
        } else {
            paragraph.push_str(line);
            paragraph.push('\n');
        }
    }
    flush(&mut out, &mut paragraph);
    out
}

fn flush(out: &mut String, paragraph: &mut String) {
    let indent = if paragraph.starts_with("- ") { "  " } else { "" };
    let mut length = 0;
    for word in paragraph.split_whitespace() {
        let more = word.chars().count();
        if length > 0 && length + 1 + more > WIDTH {
            out.push('\n');
            out.push_str(indent);
            length = indent.len();
        } else if length > 0 {
            out.push(' ');
            length += 1;
        }
        out.push_str(word);
        length += more;
    }
    if length > 0 {
        out.push('\n');
    }
    paragraph.clear();
}
