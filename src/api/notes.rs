//! `/api/v1/notes`: what one shift leaves for the next, the same for everybody who looks.
//!
//! A small file in the data directory, written anew as a whole and on disk when a request is answered. It is
//! read and written where blocking is allowed, one change after the other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use actix_web::http::header;
use actix_web::web::{self, Data, block};
use actix_web::{HttpRequest, HttpResponse};
use avwatch_actors::event::Wall;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::access::Principal;
use super::body::{Body, body};
use super::events::author;
use super::problem::Problem;
use super::state::Node;

/// The file in the data directory.
const FILE: &str = "notes.json";

/// Notes that are kept; the oldest goes when another comes.
const NOTES_MAX: usize = 500;

/// Longest note, in bytes.
const TEXT_BYTES_MAX: usize = 8_000;

/// Largest file that is read: all notes at their longest, written with escapes.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// One change of the file at a time.
static CHANGING: Mutex<()> = Mutex::new(());

/// One note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    id: String,
    at: Wall,
    author: String,
    text: String,
}

/// All notes, the newest first; also the file's form.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Notes {
    notes: Vec<Note>,
}

/// The body of `add`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoteBody {
    text: String,
    #[serde(default)]
    author: Option<String>,
}

pub(super) async fn list(node: Data<Node>) -> Result<HttpResponse, Problem> {
    let notes = in_file(&node, read).await?;
    Ok(HttpResponse::Ok().json(notes))
}

pub(super) async fn add(request: HttpRequest, node: Data<Node>, bytes: Body) -> Result<HttpResponse, Problem> {
    let asked: NoteBody = body(&request, &bytes)?;
    let author = author(&request, asked.author.as_deref())?;
    let text = asked.text.trim().to_owned();
    let is_strange = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    if text.is_empty() || text.len() > TEXT_BYTES_MAX || text.chars().any(is_strange) {
        let why = format!("must have 1 to {TEXT_BYTES_MAX} bytes and no control characters");
        return Err(Problem::wrong_field("/text", why));
    }
    let note = Note { id: Uuid::now_v7().to_string(), at: Wall(SystemTime::now()), author, text };
    let added = note.clone();
    in_file(&node, move |folder| {
        change(folder, |notes| {
            notes.insert(0, note);
            notes.truncate(NOTES_MAX);
            true
        })
    })
    .await?;
    let (user, id) = (Principal::of(&request).name(None), &added.id);
    tracing::info!(user, id, "a shift note was added over the API");
    let place = format!("/api/v1/notes/{id}");
    Ok(HttpResponse::Created().insert_header((header::LOCATION, place)).json(added))
}

pub(super) async fn remove(
    request: HttpRequest,
    node: Data<Node>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    let wanted = id.clone();
    let is_removed = in_file(&node, move |folder| {
        change(folder, |notes| {
            let before = notes.len();
            notes.retain(|note| note.id != wanted);
            notes.len() < before
        })
    });
    if !is_removed.await? {
        return Err(Problem::not_found("there is no note of this id"));
    }
    tracing::info!(user = Principal::of(&request).name(None), id, "a shift note was removed over the API");
    Ok(HttpResponse::NoContent().finish())
}

/// Does something with the file, where blocking is allowed.
async fn in_file<T: Send + 'static>(
    node: &Data<Node>,
    act: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let folder = node.data_dir().to_owned();
    match block(move || act(&folder)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            tracing::warn!(fault = %error, "the shift notes could not be read or written");
            Err(Problem::unavailable("the notes cannot be read or written now"))
        }
        Err(_) => Err(Problem::unavailable("there is no thread to read the notes")),
    }
}

fn read(folder: &Path) -> io::Result<Notes> {
    let path = folder.join(FILE);
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Notes::default()),
        Err(error) => return Err(error),
        Ok(found) if found.len() > FILE_BYTES_MAX => return Err(io::Error::other("the file of notes is too large")),
        Ok(_) => {}
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// Changes the notes, if `act` says that it did; gives what it said.
fn change(folder: &Path, act: impl FnOnce(&mut Vec<Note>) -> bool) -> io::Result<bool> {
    let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut notes = read(folder)?;
    if !act(&mut notes.notes) {
        return Ok(false);
    }
    let (path, new) = (folder.join(FILE), folder.join("notes.json.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec(&notes)?)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    File::open(folder)?.sync_all()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(id: &str) -> Note {
        Note { id: id.to_owned(), at: Wall(SystemTime::UNIX_EPOCH), author: "Anna".to_owned(), text: "<b>".to_owned() }
    }

    fn add(folder: &Path, id: &str) {
        let added = change(folder, |notes| {
            notes.insert(0, note(id));
            true
        });
        assert!(added.unwrap());
    }

    #[test]
    fn notes_outlive_whoever_wrote_them() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap().notes.is_empty());
        add(folder.path(), "1");
        add(folder.path(), "2");
        assert_eq!(read(folder.path()).unwrap().notes, [note("2"), note("1")]);
    }

    #[test]
    fn removing_what_is_not_there_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!change(folder.path(), |_| false).unwrap());
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn a_damaged_file_is_told_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(change(folder.path(), |_| true).is_err());
        assert_eq!(fs::read_to_string(folder.path().join(FILE)).unwrap(), "{");
    }
}
