//! What the dashboard answers: the page at `/`, its files at `/assets/VERSION/NAME`.
//!
//! The version is a hash over all files. A file at its version never changes, so browsers keep it for
//! ever and ask only for the page; at another version, of a page that was open across an upgrade, it is
//! served as it is now and not kept.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::middleware::Compress;
use actix_web::web::{Path, ServiceConfig, resource, scope};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use sha2::{Digest, Sha256};

use super::assets::{ALL, Asset, INDEX};

/// What the page may do: load its own files, show pictures it fetched, and nothing else. Trusted types
/// with no policy make a browser refuse every text that would be parsed as HTML.
const POLICY: &str = include_str!("policy.txt");

/// How long a browser may keep a file at its version: a year, the longest in use.
const KEPT: &str = "public, max-age=31536000, immutable";

/// Hexadecimal digits of the version.
const VERSION_LENGTH: usize = 16;

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (name, text) in ALL.iter().map(|asset| (asset.name, asset.text)).chain([("index.html", INDEX)]) {
        hash.update(name);
        hash.update([0]);
        hash.update(text);
    }
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..VERSION_LENGTH].to_owned()
});

/// The page names all modules, so that a browser fetches them at once and not as one after the other asks for the next.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let link = |asset: &Asset| format!("<link rel=\"modulepreload\" href=\"/assets/{{version}}/{}\">", asset.name);
    let modules: Vec<String> = ALL.iter().filter(|asset| asset.name.ends_with(".js")).map(link).collect();
    INDEX.replace("{modules}", &modules.join("\n")).replace("{version}", &VERSION)
});

/// Adds the routes of the dashboard.
pub fn routes(config: &mut ServiceConfig) {
    let read = || guard::Any(guard::Get()).or(guard::Head());
    config.service(resource("/").wrap(Compress::default()).route(web::route().guard(read()).to(page)));
    config.service(
        scope("/assets").wrap(Compress::default()).route("/{version}/{name}", web::route().guard(read()).to(file)),
    );
}

async fn page(request: HttpRequest) -> HttpResponse {
    // Asked for anew each time: it alone says which files are the right ones.
    answer(&request, "text/html; charset=utf-8", &PAGE, "no-cache")
}

async fn file(request: HttpRequest, path: Path<(String, String)>) -> HttpResponse {
    let (version, name) = path.into_inner();
    let Ok(place) = ALL.binary_search_by(|asset| asset.name.cmp(&name)) else {
        return HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body("no such file\n");
    };
    let Asset { media_type, text, .. } = ALL[place];
    answer(&request, media_type, text, if version == *VERSION { KEPT } else { "no-cache" })
}

fn answer(request: &HttpRequest, media_type: &'static str, text: &'static str, keep: &'static str) -> HttpResponse {
    // Weak: compressed or not, it is the same file.
    let tag = format!("W/\"{}\"", *VERSION);
    let asked = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = asked.is_some_and(|asked| asked.split(',').any(|one| one.trim() == tag));
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, keep))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY.trim_end()));
    if is_known { response.finish() } else { response.content_type(media_type).body(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_module_and_shows_something_before_they_are_there() {
        for asset in ALL.iter().filter(|asset| asset.name.ends_with(".js")) {
            let link = format!("<link rel=\"modulepreload\" href=\"/assets/{}/{}\">", *VERSION, asset.name);
            assert!(PAGE.contains(&link), "{}", asset.name);
        }
        assert!(PAGE.contains("<span class=\"brand\">avwatch</span>") && !PAGE.contains('{'), "{}", *PAGE);
    }
}
