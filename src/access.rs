//! Access: roles, and tokens that are known by their hash alone.
//!
//! A token is 256 bits from the system's random source, so a plain SHA-256 of it cannot be reversed;
//! what is kept, in the configuration or the store, is the hash. Pure but for making tokens.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use avwatch_actors::event::Wall;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Most tokens.
pub const TOKENS_MAX: usize = 1_000;

/// Shortest token that a configuration may give, in bytes: shorter ones can be guessed.
pub const TOKEN_BYTES_MIN: usize = 16;

/// What a token made here begins with, so that scanners for leaked secrets know it.
const PREFIX: &str = "avw_";

/// What somebody may do. Each role may do what those before it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read everything that is no secret.
    #[default]
    Viewer,
    /// Act on events: acknowledge, remark, silence; probe.
    Operator,
    /// Change what is watched and who may do what.
    Admin,
}

impl Role {
    /// Every role, the weakest first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The word in configuration and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no role.
#[derive(Debug, thiserror::Error)]
#[error("unknown role: use viewer, operator or admin")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == word).ok_or(UnknownRole)
    }
}

/// The SHA-256 of a token. Compared in constant time.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(***)")
    }
}

/// A text that is no hash of a token.
#[derive(Debug, thiserror::Error)]
#[error("must be sha256: and 64 hexadecimal digits, as 'avwatch token new' prints it")]
pub struct NoHash;

impl FromStr for TokenHash {
    type Err = NoHash;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("sha256:").ok_or(NoHash)?;
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NoHash);
        }
        let mut hash = [0; 32];
        for (place, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * place..2 * place + 2], 16).map_err(|_| NoHash)?;
        }
        Ok(Self(hash))
    }
}

/// Where a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenOrigin {
    /// The configuration.
    File,
    /// The API.
    Api,
}

/// One token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its name.
    pub name: Arc<str>,
    /// What it allows.
    pub role: Role,
    /// What it is recognised by.
    pub hash: TokenHash,
    /// Where it comes from.
    pub origin: TokenOrigin,
    /// When it was made; absent for those of the configuration.
    pub created_at: Option<Wall>,
}

/// The token that a text is, if any. Takes as long whichever it is.
pub fn recognise<'a>(tokens: &'a [Token], text: &str) -> Option<&'a Token> {
    let hash = TokenHash::of(text);
    let mut found = None;
    for token in tokens {
        let same: Choice = token.hash.0.ct_eq(&hash.0);
        if bool::from(same) {
            found = Some(token);
        }
    }
    found
}

/// A new token.
///
/// # Errors
/// The system has no random numbers.
pub fn new_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_recognised_by_its_hash_and_no_other_text_is() {
        let text = new_token().unwrap();
        assert_eq!(text.len(), PREFIX.len() + 43, "256 bits");
        assert_ne!(text, new_token().unwrap());
        let token = |name: &str, text: &str| Token {
            name: name.into(),
            role: Role::Viewer,
            hash: TokenHash::of(text),
            origin: TokenOrigin::Api,
            created_at: None,
        };
        let tokens = [token("other", "another text"), token("mine", &text)];
        assert_eq!(recognise(&tokens, &text).map(|token| &*token.name), Some("mine"));
        for wrong in ["", "avw_", &text[..text.len() - 1], &format!("{text} "), &text.to_lowercase()] {
            assert!(recognise(&tokens, wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_hash_reads_as_it_prints_and_debug_hides_it() {
        let hash = TokenHash::of("abc");
        // FIPS 180-2, appendix B.1.
        assert_eq!(hash.to_string(), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hash.to_string().parse::<TokenHash>().unwrap(), hash);
        for wrong in [
            "",
            "sha256:",
            "sha256:ba78",
            &hash.to_string()[7..],
            &format!("{hash}0"),
            &hash.to_string().replace('b', "é"),
        ] {
            assert!(wrong.parse::<TokenHash>().is_err(), "{wrong}");
        }
        assert!(!format!("{hash:?}").contains("ba78"));
    }
}
