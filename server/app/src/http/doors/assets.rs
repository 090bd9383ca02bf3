//! The page's files, embedded in the binary.

use axum::{
    body::Body,
    extract::Path,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

/// `web/dist` as it was built; read from disk in debug builds. Empty when it was not built.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

/// What may run and load in the page: its own files, and Svelte's template policy.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types svelte-trusted-html sockscope-worker";

/// What is served instead of a page that was not built.
const STUB: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>sockscope</title>\n\
    <h1>sockscope runs, its page is not built</h1>\n<p>The whole API is here: <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a>.</p>\n\
    <p>To build the page and run both: <code>cargo xtask run</code></p>\n</html>\n";

/// Whether a path can only be one of the page's files.
pub(in crate::http) fn is_asset(path: &str) -> bool {
    let Some(name) = path.strip_prefix('/') else { return false };
    path.starts_with("/assets/")
        || (!path.starts_with("/api") && !name.contains('/') && Dist::get(name).is_some())
}

/// Whether a path is a module's for pages of any origin.
pub(in crate::http) fn is_shared(path: &str) -> bool {
    path.starts_with("/sdk/")
}

/// The page.
pub(in crate::http) async fn index(headers: HeaderMap) -> Response {
    match Dist::get("index.html") {
        Some(file) => serve("index.html", &file, &headers),
        None => page(Body::from(STUB)),
    }
}

/// One of its files.
pub(in crate::http) async fn file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    // Debug builds read the disk.
    let found = if path.contains("..") { None } else { Dist::get(&path) };
    let mut response = match found {
        Some(file) => serve(&path, &file, &headers),
        None => crate::http::answer::unknown_route().await.into_response(),
    };
    if path.starts_with("sdk/") {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        let cross = HeaderValue::from_static("cross-origin");
        headers.insert(HeaderName::from_static("cross-origin-resource-policy"), cross);
    }
    response
}

fn page(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn serve(path: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("\"{hash}\"");
    let fresh = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else if path.ends_with(".html") {
        page(Body::from(file.data.to_vec()))
    } else {
        let mut response = Response::new(Body::from(file.data.to_vec()));
        let kind = mime_guess::from_path(path).first_or_octet_stream();
        if let Ok(kind) = HeaderValue::from_str(kind.as_ref()) {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response
    };
    // Also where nothing changed: a browser takes the headers of a 304 for what it has kept (RFC 9111 §3.2). And a worker
    // is a document of its own: it inherits nothing and gets the same rules.
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    // Hashed names never change their content; everything else is asked for again.
    let caching =
        if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}
