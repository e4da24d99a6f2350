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

/// The name of whoever gives none and needs no token.
const NOBODY: &str = "local";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Principal {
    /// What they may do.
    pub role: Role,
    /// The token's name; absent where none is needed.
    pub token: Option<String>,
    /// What a trusted proxy says of the user.
    pub user: User,
}

/// What a trusted proxy says of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// No trusted proxy is asked, or the request came past it: the client's word counts.
    Unasked,
    /// The proxy names nobody, as for programs that it lets through. Also what remains when a client has the proxy take
    /// its header away (`Connection: X-Remote-User`): the client's word is marked, so that it looks like nobody vouched for it.
    Unnamed,
    /// The proxy vouches for this name.
    Named(String),
}

impl Principal {
    /// Who asked, as the guard found out; nobody who may do anything much where it did not look.
    pub(super) fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(Self::anybody)
    }

    /// Whoever asks for what is told to anybody.
    pub(super) fn anybody() -> Self {
        Self { role: Role::Viewer, token: None, user: User::Unasked }
    }

    /// The name that goes into events and the log. A name that a proxy vouches for cannot be
    /// overridden; one that the client gives is told with its token, or as `local` where a proxy could have vouched for it.
    pub(super) fn name(&self, given: Option<&str>) -> String {
        let behind = self.token.as_deref();
        match (&self.user, given) {
            (User::Named(user), _) => user.clone(),
            (User::Unasked, Some(given)) if behind.is_none() => given.to_owned(),
            (User::Unasked | User::Unnamed, Some(given)) => format!("{given} ({})", behind.unwrap_or(NOBODY)),
            (User::Unasked | User::Unnamed, None) => behind.unwrap_or(NOBODY).to_owned(),
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
        let tokens = self.tokens.load();
        if tokens.is_empty() {
            return Ok(Principal { role: Role::Admin, token: None, user: self.user(headers, peer)? });
        }
        let given = token_of(headers).ok_or_else(|| refused("a token is needed: Authorization: Bearer TOKEN"))?;
        let token = recognise(&tokens, &given).ok_or_else(|| refused("the token is not known"))?;
        Ok(Principal { role: token.role, token: Some(token.name.to_string()), user: self.user(headers, peer)? })
    }

    /// What a trusted proxy says of the user. Words of it that leave open who it is are refused: of two names one may be
    /// the client's own.
    fn user(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<User, Problem> {
        let (Some(header), Some(peer)) = (&self.user_header, peer) else { return Ok(User::Unasked) };
        if !self.proxies.iter().any(|range| range.contains(peer)) {
            return Ok(User::Unasked);
        }
        let mut values = headers.get_all(header);
        let name = match (values.next(), values.next()) {
            (None, _) => return Ok(User::Unnamed),
            (Some(name), None) => std::str::from_utf8(name.as_bytes()).map(str::trim),
            (Some(_), Some(_)) => return Err(unclear(header, "names the user more than once")),
        };
        match name {
            Ok("") => Ok(User::Unnamed),
            Ok(name) if name.len() <= USER_BYTES_MAX && !name.chars().any(char::is_control) => {
                Ok(User::Named(name.to_owned()))
            }
            Ok(_) | Err(_) => Err(unclear(header, "names no user that can be read")),
        }
    }
}

/// What a trusted proxy has to be told to do.
fn unclear(header: &HeaderName, why: &str) -> Problem {
    Problem::bad_request(format!(
        "the header '{header}' (server.user_header) {why}: have the proxy replace what the client sends with one name of at \
         most {USER_BYTES_MAX} bytes in UTF-8, not add to it"
    ))
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
        let told = |user: &User, token: Option<&str>, given: Option<&str>| {
            Principal { role: Role::Operator, token: token.map(str::to_owned), user: user.clone() }.name(given)
        };
        assert_eq!(told(&User::Named("anna".to_owned()), Some("desk"), Some("mallory")), "anna");
        for user in [User::Unasked, User::Unnamed] {
            assert_eq!(told(&user, Some("desk"), Some("anna")), "anna (desk)");
            assert_eq!(told(&user, Some("desk"), None), "desk");
            assert_eq!(told(&user, None, None), "local");
        }
        assert_eq!(told(&User::Unasked, None, Some("anna")), "anna");
        assert_eq!(told(&User::Unnamed, None, Some("anna")), "anna (local)", "no proxy vouched for it");
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
        let user = |value: &[u8], peer: &str| {
            let mut all = headers(&[("authorization", &bearer)]);
            all.append(HeaderName::from_static("x-remote-user"), HeaderValue::from_bytes(value).unwrap());
            access().principal(&all, Some(peer.parse().unwrap())).unwrap().user
        };
        let named = |name: &str| User::Named(name.to_owned());
        assert_eq!(user(b"anna", "192.0.2.9"), named("anna"));
        assert_eq!(user(b"anna", "::ffff:192.0.2.9"), named("anna"));
        assert_eq!(user("Zoë".as_bytes(), "192.0.2.9"), named("Zoë"));
        assert_eq!(user(b"anna", "192.0.3.9"), User::Unasked);
        assert_eq!(user(b" ", "192.0.2.9"), User::Unnamed);
        let silent = access().principal(&headers(&[("authorization", &bearer)]), Some([192, 0, 2, 9].into())).unwrap();
        assert_eq!(silent.user, User::Unnamed);
    }

    #[test]
    fn nobody_acts_under_a_name_of_their_own_when_the_proxy_leaves_open_who_it_is() {
        let refused = |values: &[&[u8]], peer: [u8; 4], tokens: bool| {
            let mut all = headers(&[("authorization", &format!("Bearer {TOKEN}"))]);
            for value in values {
                all.append(HeaderName::from_static("x-remote-user"), HeaderValue::from_bytes(value).unwrap());
            }
            let access = access();
            if !tokens {
                access.tokens.store(Arc::default());
            }
            access.principal(&all, Some(peer.into())).err().map(|problem| problem.to_string())
        };
        for tokens in [true, false] {
            for (values, why) in [
                (&[b"mallory" as &[u8], b"anna"][..], "more than once"),
                (&[b"anna", b""], "more than once"),
                (&[b"\xff\xfe"], "no user that can be read"),
                (&[b"an\tna"], "no user that can be read"),
                (&[&[b'a'; USER_BYTES_MAX + 1]], "no user that can be read"),
            ] {
                let told = refused(values, [192, 0, 2, 9], tokens).expect("it is refused");
                assert!(told.contains(why) && told.contains("server.user_header"), "{told}");
                assert!(!told.contains("anna"), "{told}");
                assert_eq!(refused(values, [192, 0, 3, 9], tokens), None, "whoever else sends it is not asked");
            }
        }
    }
}
