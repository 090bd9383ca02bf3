//! The page: what may run in it.

use crate::support::*;

/// The whole policy. A change here is a change of what a hostile peer's bytes could do.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types svelte-trusted-html sockscope-worker";

#[tokio::test]
async fn the_page_needs_no_token_and_runs_under_the_strict_policy() {
    let server = TestServer::start();
    let anybody = Client::new(server.address(), "");
    let page = anybody.get("/").await;
    assert_eq!(page.status(), 200);
    assert_eq!(page.response.header("content-type"), Some("text/html; charset=utf-8"));
    let policies: Vec<_> =
        page.response.headers.iter().filter(|(name, _)| name == "content-security-policy").collect();
    assert_eq!(policies, [&("content-security-policy".to_owned(), POLICY.to_owned())]);
    // Whatever else the page is made of, a worker's script first of all, has the same rules.
    let html = page.response.text();
    for file in html.split('"').filter(|part| part.starts_with("/assets/")) {
        let file = anybody.get(file).await;
        assert_eq!((file.status(), file.response.header("content-security-policy")), (200, Some(POLICY)));
    }
}

#[tokio::test]
async fn a_path_out_of_the_page_leads_nowhere() {
    let server = TestServer::start();
    for path in [
        "/assets/../Cargo.toml",
        "/assets/..%2f..%2fCargo.toml",
        "/assets/%2e%2e/%2e%2e/package.json",
        "//etc/passwd",
        "/..%2f..%2fCargo.toml",
        "/assets/\\..\\..\\Cargo.toml",
    ] {
        let answer = server.client().get(path).await;
        assert!(matches!(answer.status(), 400 | 404), "{}: {path}", answer.status());
        assert!(answer.response.header("location").is_none(), "{path}");
    }
}
