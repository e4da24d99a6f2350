//! Tokens that were made over the API, as they are kept: by their hash.

use avwatch_actors::event::Wall;
use serde::{Deserialize, Serialize};

use crate::access::{Role, Token, TokenOrigin};
use crate::desired::{Desired, DesiredError, Kind};

/// A token as it is kept; its name is the object's.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptToken {
    /// What it allows.
    pub role: Role,
    /// The hash in its printed form.
    pub hash: String,
    /// When it was made.
    pub created_at: Wall,
}

impl Desired {
    /// Every token: those of the configuration, then those of the API.
    pub fn tokens(&self, configured: &[Token]) -> Result<Vec<Token>, DesiredError> {
        let mut tokens = configured.to_vec();
        for object in self.all(Kind::Token)? {
            if configured.iter().any(|token| *token.name == *object.name) {
                tracing::warn!(token = object.name, "the configuration has a token of this name: the API's is ignored");
                continue;
            }
            let kept: Option<KeptToken> = serde_json::from_str(&object.json).ok();
            let hash = kept.as_ref().and_then(|kept| kept.hash.parse().ok());
            let (Some(kept), Some(hash)) = (kept, hash) else {
                tracing::error!(token = object.name, "a token cannot be read and is ignored");
                continue;
            };
            let (name, origin) = (object.name.into(), TokenOrigin::Api);
            tokens.push(Token { name, role: kept.role, hash, origin, created_at: Some(kept.created_at) });
        }
        Ok(tokens)
    }
}
