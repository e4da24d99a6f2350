//! The HTTP server of the plan: where it listens, and who may ask.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use url::Url;

use crate::access::{TOKEN_BYTES_MIN, TOKENS_MAX, Token, TokenHash, TokenOrigin};
use crate::api::is_loopback;
use crate::cidr::Cidr;
use crate::config::origin::KeyPath;
use crate::config::plan::{Building, check_name};
use crate::config::settings::TokenSettings;

/// The HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerPlan {
    /// Address to listen on; no server when absent.
    pub listen: Option<SocketAddr>,
    /// Further names under which it may be asked for.
    pub hosts: Vec<String>,
    /// Address under which people reach the service, with a path that ends in a slash; absent when it was
    /// not said.
    pub external_url: Option<Url>,
    /// How HTTPS is spoken; plain HTTP when absent.
    pub tls: Option<TlsPlan>,
    /// The header in which a trusted proxy names the user, in lower case.
    pub user_header: Option<String>,
    /// Addresses of trusted proxies.
    pub proxies: Vec<Cidr>,
    /// Requests a second of one address.
    pub requests_per_second: u32,
    /// Tokens of the configuration, by name.
    pub tokens: Vec<Token>,
}

/// How HTTPS is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPlan {
    /// File with the certificate chain.
    pub certificate: PathBuf,
    /// File with the private key.
    pub key: PathBuf,
}

pub(super) fn build(building: &mut Building<'_>) -> ServerPlan {
    let tokens = tokens(building);
    ServerPlan {
        listen: listen(building, tokens.is_empty()),
        hosts: hosts(building),
        external_url: external_url(building),
        tls: tls(building),
        user_header: user_header(building),
        proxies: proxies(building),
        requests_per_second: building.settings.server.requests_per_second,
        tokens,
    }
}

fn path(key: &str) -> KeyPath {
    KeyPath::of(&["server", key])
}

fn listen(building: &mut Building<'_>, without_tokens: bool) -> Option<SocketAddr> {
    let text = building.settings.server.listen.as_str();
    if text.is_empty() || text == "off" {
        return None;
    }
    let by_name = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let by_name = by_name.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    let address = text.parse().ok().or(by_name);
    match address {
        None => {
            let why = "must be IP:PORT such as 127.0.0.1:8080 or [::1]:8080, localhost:PORT, or \"off\"";
            building.invalid(&path("listen"), why);
        }
        Some(address) if !is_loopback(address.ip()) && without_tokens => {
            // Only a warning: the store may hold tokens that were made over the API.
            let why = "is beyond loopback and server.tokens holds none: the start is refused unless one was made over the API";
            building.warn(&path("listen"), why);
        }
        Some(_) => {}
    }
    address
}

fn hosts(building: &mut Building<'_>) -> Vec<String> {
    let settings = building.settings;
    for (index, name) in settings.server.hosts.iter().enumerate() {
        let fits =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte));
        if !fits {
            building.invalid(&path("hosts").index(index), "must be the name or address of a host");
        }
    }
    settings.server.hosts.clone()
}

fn external_url(building: &mut Building<'_>) -> Option<Url> {
    let text = building.settings.server.external_url.as_deref()?;
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let is_plain = |url: &Url| url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let Some(mut url) = url.filter(is_plain) else {
        building.invalid(&path("external_url"), "must be an http or https URL without user, password and query");
        return None;
    };
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Some(url)
}

fn tls(building: &mut Building<'_>) -> Option<TlsPlan> {
    let server = &building.settings.server;
    match (&server.tls_certificate, &server.tls_key) {
        (Some(certificate), Some(key)) => Some(TlsPlan { certificate: certificate.clone(), key: key.clone() }),
        (None, None) => None,
        (Some(_), None) => {
            building.missing(&path("tls_key"));
            None
        }
        (None, Some(_)) => {
            building.missing(&path("tls_certificate"));
            None
        }
    }
}

fn user_header(building: &mut Building<'_>) -> Option<String> {
    let name = building.settings.server.user_header.as_deref()?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.is_empty() || !name.bytes().all(is_token) {
        building.invalid(&path("user_header"), "is no name of an HTTP header");
    } else if building.settings.server.trusted_proxies.is_empty() {
        building.warn(&path("user_header"), "has no effect without server.trusted_proxies");
    }
    Some(name.to_ascii_lowercase())
}

fn proxies(building: &mut Building<'_>) -> Vec<Cidr> {
    let mut ranges = Vec::new();
    for (index, text) in building.settings.server.trusted_proxies.iter().enumerate() {
        match text.parse() {
            Ok(range) => ranges.push(range),
            Err(error) => building.invalid(&path("trusted_proxies").index(index), format!("{error}")),
        }
    }
    ranges
}

fn tokens(building: &mut Building<'_>) -> Vec<Token> {
    let settings = building.settings;
    let path = path("tokens");
    if settings.server.tokens.len() > TOKENS_MAX {
        building.invalid(&path, format!("more than {TOKENS_MAX} tokens"));
    }
    let mut tokens: Vec<Token> = Vec::new();
    for (name, token) in &settings.server.tokens {
        let path = path.key(name);
        check_name(building, name, &path, "token");
        let Some(hash) = hash(building, token, &path) else { continue };
        if tokens.iter().any(|other| other.hash == hash) {
            building.invalid(&path, "is the same token as another one");
        }
        let (role, origin) = (token.role, TokenOrigin::File);
        tokens.push(Token { name: name.as_str().into(), role, hash, origin, created_at: None });
    }
    tokens
}

fn hash(building: &mut Building<'_>, token: &TokenSettings, path: &KeyPath) -> Option<TokenHash> {
    match (&token.token, &token.hash) {
        (Some(_), Some(_)) => {
            building.invalid(path, "has both token and hash; write one of them");
            None
        }
        (None, None) => {
            building.missing(&path.key("token"));
            None
        }
        (Some(secret), None) => {
            let text = secret.0.trim_end_matches(['\r', '\n']);
            if text.len() < TOKEN_BYTES_MIN || text.bytes().any(|byte| !byte.is_ascii_graphic()) {
                let why =
                    format!("must have at least {TOKEN_BYTES_MIN} bytes, all of them printable ASCII without blanks");
                building.invalid(&path.key("token"), why);
                return None;
            }
            Some(TokenHash::of(text))
        }
        (None, Some(hash)) => match hash.parse() {
            Ok(hash) => Some(hash),
            Err(error) => {
                building.invalid(&path.key("hash"), error.to_string());
                None
            }
        },
    }
}
