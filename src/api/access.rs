//! Who asks, and what they may.

use actix_web::{HttpMessage, HttpRequest};
use serde::{Deserialize, Serialize};

/// What somebody may do. Each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read everything that is no secret.
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

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Principal {
    /// What they may do.
    pub role: Role,
    /// The token's name; absent where none is needed.
    pub token: Option<String>,
    /// The user's name, as a trusted proxy says.
    pub user: Option<String>,
}

impl Principal {
    /// Whoever reaches a service that has no tokens and listens on loopback.
    pub(super) fn local() -> Self {
        Self { role: Role::Admin, token: None, user: None }
    }

    /// Who asked, as the guard found out; nobody in particular before it.
    pub(super) fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(Self::local)
    }

    /// The name that goes into events and the log. A name that a proxy vouches for cannot be
    /// overridden; one that the client gives is told with its token.
    pub(super) fn name(&self, given: Option<&str>) -> String {
        match (&self.user, given, &self.token) {
            (Some(user), _, _) => user.clone(),
            (None, Some(given), Some(token)) => format!("{given} ({token})"),
            (None, Some(given), None) => given.to_owned(),
            (None, None, Some(token)) => token.clone(),
            (None, None, None) => "local".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vouched_name_cannot_be_overridden_and_a_given_one_names_its_token() {
        let of = |user: Option<&str>, token: Option<&str>| Principal {
            role: Role::Operator,
            token: token.map(str::to_owned),
            user: user.map(str::to_owned),
        };
        assert_eq!(of(Some("anna"), Some("desk")).name(Some("mallory")), "anna");
        assert_eq!(of(None, Some("desk")).name(Some("anna")), "anna (desk)");
        assert_eq!(of(None, Some("desk")).name(None), "desk");
        assert_eq!(of(None, None).name(Some("anna")), "anna");
        assert_eq!(of(None, None).name(None), "local");
    }
}
