//! The live screen of `top`: the alternate screen, keys, and putting everything back.
//!
//! Runs on the main thread, which asks the service and waits for keys in turn. Dropping [`Terminal`] restores the
//! terminal, however it comes to that: a key, an error, a panic. In raw mode Ctrl-C is a key.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, poll, read};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};

use super::page::{Before, event_lines, lines, short};
use super::{Client, Now, ask};

/// How often it is refreshed.
const EVERY: Duration = Duration::from_secs(1);
/// Asking may fail so many times in a row: a restart is no reason to end.
const FAILURES_MAX: u32 = 30;

/// The terminal while it is ours.
struct Terminal;

impl Terminal {
    fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        // From here on it is put back.
        let terminal = Self;
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        Ok(terminal)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

/// What a key asks for.
enum Wish {
    Nothing,
    Scroll(isize),
    End,
}

/// Follows a service until it is told to stop.
///
/// # Errors
/// The service does not answer, at first or for half a minute; the terminal fails.
pub(super) fn follow(client: &Client) -> Result<(), String> {
    let mut now = ask(client)?;
    let begin = Instant::now();
    let mut before = Before::of(&now, 0.0);
    let mut looked = begin.elapsed().as_secs_f64();
    let failed = |error: io::Error| format!("the terminal: {error}");
    let terminal = Terminal::take().map_err(failed)?;
    let (mut skipped, mut failures, mut trouble) = (0_usize, 0, None);
    loop {
        draw(&now, (&before, looked.max(0.1)), skipped, trouble.as_deref()).map_err(failed)?;
        let until = Instant::now() + EVERY;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if !poll(left).map_err(failed)? {
                break;
            }
            match wish(&read().map_err(failed)?) {
                Wish::End => {
                    drop(terminal);
                    return Ok(());
                }
                Wish::Scroll(by) => {
                    skipped = skipped.saturating_add_signed(by).min(now.streams.len().saturating_sub(1));
                    draw(&now, (&before, looked.max(0.1)), skipped, trouble.as_deref()).map_err(failed)?;
                }
                Wish::Nothing => {}
            }
        }
        match ask(client) {
            Ok(newest) => {
                before = Before::of(&now, looked);
                looked = begin.elapsed().as_secs_f64();
                (now, failures, trouble) = (newest, 0, None);
            }
            Err(error) if failures >= FAILURES_MAX => return Err(error),
            Err(error) => {
                failures += 1;
                trouble = Some(error);
            }
        }
    }
}

fn wish(event: &Event) -> Wish {
    let Event::Key(key) = event else { return Wish::Nothing };
    if key.kind == KeyEventKind::Release {
        return Wish::Nothing;
    }
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Wish::End,
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Wish::End,
        KeyCode::Up => Wish::Scroll(-1),
        KeyCode::Down => Wish::Scroll(1),
        KeyCode::PageUp => Wish::Scroll(-20),
        KeyCode::PageDown => Wish::Scroll(20),
        KeyCode::Home => Wish::Scroll(isize::MIN / 2),
        _ => Wish::Nothing,
    }
}

fn draw(now: &Now, before: (&Before, f64), skipped: usize, trouble: Option<&str>) -> io::Result<()> {
    let (columns, rows) = size()?;
    let (columns, rows) = (usize::from(columns), usize::from(rows));
    // A third of the screen for events, the rest for streams.
    let for_events = if now.events.is_empty() { 0 } else { (now.events.len() + 2).min(rows / 3) };
    let mut text = lines(now, Some(before), skipped);
    text.truncate(rows.saturating_sub(for_events + 1));
    if for_events > 0 {
        text.push(String::new());
        text.extend(event_lines(now, for_events.saturating_sub(2)));
    }
    text.truncate(rows.saturating_sub(1));
    let foot = trouble.map_or_else(|| "q ends, arrows and pages scroll".to_owned(), |why| format!("no answer: {why}"));
    let mut out = io::stdout().lock();
    queue!(out, BeginSynchronizedUpdate)?;
    for row in 0..rows {
        let line = if row + 1 == rows { foot.as_str() } else { text.get(row).map_or("", String::as_str) };
        queue!(out, MoveTo(0, row as u16), Print(short(line, columns)), Clear(ClearType::UntilNewLine))?;
    }
    queue!(out, EndSynchronizedUpdate)?;
    out.flush()
}
