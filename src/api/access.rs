//! Who asks: from the headers of a request to a principal with a role.
//!
//! Part of the guard. A token comes as `Authorization: Bearer TOKEN`, or as the password of Basic
//! authentication, which browsers ask for themselves. A user's name comes from a header of a trusted
//! proxy, and says nothing of the role.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{HttpMessage, HttpRequest};
use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::problem::Problem;
use crate::access::{Role, Token, recognise};
use crate::cidr::Cidr;

/// Longest name of a user that is taken from a header, in bytes.
const USER_BYTES_MAX: usize = 128;

/// Longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 1_024;

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
    /// Who asked, as the guard found out; nobody who may do anything much where it did not look.
    pub(super) fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(Self::anybody)
    }

    /// Whoever asks for what is told to anybody.
    pub(super) fn anybody() -> Self {
        Self { role: Role::Viewer, token: None, user: None }
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

/// How it is found out who asks.
pub(super) struct Access {
    /// Every token; while there is none, whoever reaches the service is an administrator.
    pub tokens: Arc<ArcSwap<Vec<Token>>>,
    /// The header in which a trusted proxy names the user.
    pub user_header: Option<HeaderName>,
    /// Addresses of trusted proxies.
    pub proxies: Vec<Cidr>,
}

impl Access {
    /// Who asks, or why they may not.
    pub(super) fn principal(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<Principal, Problem> {
        let user = self.user(headers, peer);
        let tokens = self.tokens.load();
        if tokens.is_empty() {
            return Ok(Principal { role: Role::Admin, token: None, user });
        }
        let given = token_of(headers).ok_or_else(|| refused("a token is needed: Authorization: Bearer TOKEN"))?;
        let token = recognise(&tokens, &given).ok_or_else(|| refused("the token is not known"))?;
        Ok(Principal { role: token.role, token: Some(token.name.to_string()), user })
    }

    /// The user's name, when a trusted proxy says it.
    fn user(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<String> {
        let header = self.user_header.as_ref()?;
        let peer = peer?;
        if !self.proxies.iter().any(|range| range.contains(peer)) {
            return None;
        }
        let mut values = headers.get_all(header);
        let (Some(name), None) = (values.next(), values.next()) else { return None };
        let name = std::str::from_utf8(name.as_bytes()).ok()?.trim();
        let fits = !name.is_empty() && name.len() <= USER_BYTES_MAX && !name.chars().any(char::is_control);
        fits.then(|| name.to_owned())
    }
}

fn refused(why: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, why)
        .with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"avwatch\"")
        // For browsers: any user name, the token as the password.
        .with_header(header::WWW_AUTHENTICATE, "Basic realm=\"avwatch\", charset=\"UTF-8\"")
}

/// The token of a request's only `Authorization` header.
fn token_of(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    if rest.len() > 2 * TOKEN_BYTES_MAX {
        return None;
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        return text.split_once(':').map(|(_, password)| password.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{TokenHash, TokenOrigin};
    use actix_web::http::header::HeaderValue;

    const TOKEN: &str = "a-token-of-good-length";

    fn access() -> Access {
        let token = Token {
            name: "desk".into(),
            role: Role::Operator,
            hash: TokenHash::of(TOKEN),
            origin: TokenOrigin::File,
            created_at: None,
        };
        Access {
            tokens: Arc::new(ArcSwap::from_pointee(vec![token])),
            user_header: Some(HeaderName::from_static("x-remote-user")),
            proxies: vec!["192.0.2.0/24".parse().unwrap()],
        }
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse().unwrap(), value.parse().unwrap());
        }
        headers
    }

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

    #[test]
    fn a_token_comes_as_bearer_or_as_the_password_of_basic() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (value, is_known) in [
            (format!("Bearer {TOKEN}"), true),
            (format!("bearer  {TOKEN} "), true),
            (basic(&format!("anyone:{TOKEN}")), true),
            (basic(&format!("{TOKEN}:")), false),
            (basic(TOKEN), false),
            ("Basic ???".to_owned(), false),
            (format!("Digest {TOKEN}"), false),
            (TOKEN.to_owned(), false),
            (format!("Bearer {TOKEN}x"), false),
            ("Bearer ".to_owned(), false),
        ] {
            let found = access().principal(&headers(&[("authorization", &value)]), None);
            assert_eq!(found.is_ok(), is_known, "{value}");
        }
        assert!(access().principal(&headers(&[]), None).is_err());
        let twice = [("authorization", &*format!("Bearer {TOKEN}")), ("authorization", "Bearer x")];
        assert!(access().principal(&headers(&twice), None).is_err());
    }

    #[test]
    fn a_users_name_counts_from_a_trusted_proxy_only() {
        let bearer = format!("Bearer {TOKEN}");
        let user = |pairs: &[(&str, &str)], peer: &str| {
            let all: Vec<(&str, &str)> = pairs.iter().copied().chain([("authorization", &*bearer)]).collect();
            access().principal(&headers(&all), Some(peer.parse().unwrap())).unwrap().user
        };
        let named = [("x-remote-user", "anna")];
        assert_eq!(user(&named, "192.0.2.9").as_deref(), Some("anna"));
        assert_eq!(user(&named, "::ffff:192.0.2.9").as_deref(), Some("anna"));
        assert_eq!(user(&named, "192.0.3.9"), None);
        assert_eq!(user(&[("x-remote-user", "anna"), ("x-remote-user", "mallory")], "192.0.2.9"), None);
        let mut unlike_ascii = headers(&[("authorization", &bearer)]);
        unlike_ascii.append(HeaderName::from_static("x-remote-user"), HeaderValue::from_bytes(b"Zo\xc3\xab").unwrap());
        let found = access().principal(&unlike_ascii, Some([192, 0, 2, 9].into())).unwrap();
        assert_eq!(found.name(Some("mallory")), "Zoë", "nobody slips in under another name");
    }
}
