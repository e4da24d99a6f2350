//! Messages that were set aside: each has a time of its own to be tried again, and others go on meanwhile.
//!
//! Later changes of the streams that it tells of wait behind it, so that the order of every stream is kept.
//! One that tells of several streams is halved again and again while the receiver takes others: what cannot be
//! delivered is alone in the end.

use std::time::SystemTime;

use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::error::StoreError;
use super::outbox::Outbox;
use super::write::since_epoch;

/// Messages of a receiver that may be set aside; beyond them the oldest is parked.
pub const ASIDE_MAX: u64 = 100;

/// Messages are halved while fewer are set aside.
const HALVED_BELOW: u64 = ASIDE_MAX / 2;

impl Outbox {
    /// Sets the message in front aside until a time. Nothing when there is none in front.
    pub fn set_aside(&mut self, receiver: &str, due: SystemTime) -> Result<(), StoreError> {
        self.transact("set a message aside in", |transaction| {
            let sql = "UPDATE messages SET due = ?2 WHERE receiver = ?1 AND parked IS NULL AND due IS NULL";
            transaction.prepare_cached(sql)?.execute(params![receiver, since_epoch(due)]).map(|_| ())
        })
    }

    /// The receiver takes messages again: those that were set aside are due.
    pub fn wake(&mut self, receiver: &str, now: SystemTime) -> Result<(), StoreError> {
        self.transact("take up messages in", |transaction| {
            let sql = "UPDATE messages SET due = ?2 WHERE receiver = ?1 AND parked IS NULL AND due > ?2";
            transaction.prepare_cached(sql)?.execute(params![receiver, since_epoch(now)]).map(|_| ())
        })
    }

    /// The oldest message that was set aside, when there are so many that none may follow.
    pub fn too_many_aside(&mut self, receiver: &str) -> Result<Option<String>, StoreError> {
        self.run("look for messages in", |connection| {
            let sql = "SELECT id FROM messages WHERE receiver = ?1 AND parked IS NULL AND due IS NOT NULL
                AND (SELECT count(due) FROM messages WHERE receiver = ?1 AND parked IS NULL) >= ?2
                ORDER BY created, id LIMIT 1";
            connection.prepare_cached(sql)?.query_row(params![receiver, ASIDE_MAX], |row| row.get(0)).optional()
        })
    }

    /// Makes two messages, with ids and pauses of their own, of one that was set aside, each with half of its streams; both are due.
    /// False when it tells of one stream only, or when many are set aside.
    pub fn halve(&mut self, receiver: &str, id: &str, now: SystemTime) -> Result<bool, StoreError> {
        self.transact("halve a message in", |transaction| {
            let sql = "SELECT count(due) FROM messages WHERE receiver = ?1 AND parked IS NULL";
            let aside: u64 = transaction.prepare_cached(sql)?.query_row([receiver], |row| row.get(0))?;
            let sql =
                "SELECT stream FROM outbox WHERE receiver = ?1 AND message = ?2 GROUP BY stream ORDER BY min(number)";
            let streams: Vec<String> = transaction
                .prepare_cached(sql)?
                .query_map([receiver, id], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            if streams.len() < 2 || aside >= HALVED_BELOW {
                return Ok(false);
            }
            for half in [&streams[..streams.len() / 2], &streams[streams.len() / 2..]] {
                let name = Uuid::now_v7().to_string();
                let sql = "INSERT INTO messages (receiver, id, created, attempts, why, due, tried, renewed)
                    SELECT receiver, ?3, created, 0, why, ?4, ?4, renewed FROM messages WHERE receiver = ?1 AND id = ?2";
                transaction.prepare_cached(sql)?.execute(params![receiver, id, name, since_epoch(now)])?;
                let sql = "UPDATE outbox SET message = ?3 WHERE receiver = ?1 AND message = ?2 AND stream = ?4";
                let mut carry = transaction.prepare_cached(sql)?;
                for stream in half {
                    carry.execute(params![receiver, id, name, stream])?;
                }
            }
            let sql = "DELETE FROM messages WHERE receiver = ?1 AND id = ?2";
            transaction.prepare_cached(sql)?.execute([receiver, id])?;
            Ok(true)
        })
    }
}
