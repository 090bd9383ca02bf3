//! The routes, as the OpenAPI document tells them. The server's own table is held against this one by a test.

use utoipa::openapi::{
    self, HttpMethod, PathItem, Paths, PathsBuilder, Ref, Required, ResponseBuilder,
    content::ContentBuilder,
    path::{OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    schema::{ObjectBuilder, Type},
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};

/// What a reader of the document needs to know first.
pub(crate) const DESCRIPTION: &str = "Real sockets, driven and recorded. JSON in and out; unknown request fields are \
    refused, unknown response fields are to be ignored. Errors are RFC 9457 problems. `default` names the workspace of \
    the token. A seq is only meaningful with its epoch. Every path of /bridge, /wisp and /websockify stands also behind \
    /k/{secret}: that is a bridge key's, and opens nothing else.";

/// How a request is let in.
pub(crate) fn bearer() -> SecurityScheme {
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build())
}

/// One route: what it takes, what it answers.
struct Route {
    method: HttpMethod,
    path: &'static str,
    summary: &'static str,
    body: Body,
    query: &'static [(&'static str, &'static str)],
    answer: Answer,
    /// Let in without a token.
    open: bool,
}

enum Body {
    None,
    Json(&'static str),
    /// JSON of that type, or the bytes themselves.
    JsonOrBytes(&'static str),
}

enum Answer {
    Json(u16, &'static str),
    /// JSON of that type, or `text/event-stream`.
    Feed(&'static str),
    Bytes,
    Text,
    /// Lines, or a capture.
    Export,
    Upgrade,
    Empty(u16),
}

use Answer::{Bytes, Empty, Export, Feed, Json, Text, Upgrade};
use HttpMethod::{Delete, Get, Patch, Post};

const EPOCH: (&str, &str) = ("epoch", "The log the seq belongs to; another one is told, not ignored.");
const OF_EPOCH: (&str, &str) = ("epoch", "The log the id was learned from; in another one nothing is ended.");
const EVENTS: &[(&str, &str)] = &[
    ("after", "Only events after this seq; absent = 0, `head` = only new ones."),
    EPOCH,
    ("limit", "At most so many events (1 to 10,000; default 1,000)."),
    ("wait", "Seconds to wait for the first event (0 to 60): a long poll."),
    ("socket", "Only this socket."),
    ("type", "Only these types, separated by commas."),
    ("hidden", "false leaves practice peers out."),
    ("kernel", "false leaves the kernel's shelf out."),
    ("payload", "`full`, `none` or `preview:N`."),
    ("meter", "A meter to count this under."),
];
const TOKEN: &[(&str, &str)] =
    &[("token", "A token of `--websockify-token-file`, or a JWT (docs/BRIDGES.md).")];
const VIEW: &[(&str, &str)] = &[
    ("after", "Only events after this seq; absent = 0, `head` = only new ones."),
    EPOCH,
    ("payload", "`full`, `none` or `preview:N`."),
    ("binary", "1 for binary batches with raw payload bytes (docs/PROTOCOL.md)."),
    ("socket", "Only this socket."),
    ("type", "Only these types, separated by commas."),
    ("hidden", "false leaves practice peers out."),
    ("kernel", "false leaves the kernel's shelf out."),
    ("meter", "A meter to count this under."),
];

macro_rules! route {
    ($method:ident $path:literal $summary:literal, $body:expr, $query:expr, $answer:expr) => {
        Route {
            method: $method,
            path: $path,
            summary: $summary,
            body: $body,
            query: $query,
            answer: $answer,
            open: false,
        }
    };
    (open $method:ident $path:literal $summary:literal, $body:expr, $query:expr, $answer:expr) => {
        Route {
            method: $method,
            path: $path,
            summary: $summary,
            body: $body,
            query: $query,
            answer: $answer,
            open: true,
        }
    };
}

const ROUTES: &[Route] = &[
    route!(open Get "/healthz" "Alive", Body::None, &[], Text),
    route!(open Get "/readyz" "Ready for connections", Body::None, &[], Text),
    route!(Get "/metrics" "Counters as Prometheus text", Body::None, &[], Text),
    route!(open Post "/api/v1/session" "Exchange a launch code for the token", Body::Json("SessionRequest"), &[], Json(200, "SessionToken")),
    route!(Post "/api/v1/tickets" "A ticket for one WebSocket", Body::None, &[], Json(200, "Ticket")),
    route!(Get "/api/v1/about" "Version, policy and what is recorded", Body::None, &[], Json(200, "About")),
    route!(Get "/api/v1/openapi.json" "This document", Body::None, &[], Json(200, "object")),
    route!(Get "/api/v1/practice" "The practice peers there are", Body::None, &[], Json(200, "PracticeCatalog")),
    route!(Post "/api/v1/workspaces/{ws}/practice" "Start a practice peer", Body::Json("PracticeRequest"), &[], Json(201, "PracticeStarted")),
    route!(Delete "/api/v1/workspaces/{ws}/practice/{id}" "Stop a practice peer and its connections", Body::None, &[OF_EPOCH], Empty(204)),
    route!(Get "/api/v1/workspaces/{ws}/sockets" "List sockets", Body::None, &[("hidden", "true lists practice peers too.")], Json(200, "SocketList")),
    route!(Post "/api/v1/workspaces/{ws}/sockets" "Open a socket", Body::Json("OpenRequest"), &[], Json(201, "Socket")),
    route!(Get "/api/v1/workspaces/{ws}/sockets/{id}" "One socket", Body::None, &[], Json(200, "Socket")),
    route!(Patch "/api/v1/workspaces/{ws}/sockets/{id}" "Rename it or set options", Body::Json("PatchSocket"), &[], Json(200, "Socket")),
    route!(Delete "/api/v1/workspaces/{ws}/sockets/{id}" "Close it; remove it when it is closed already", Body::None,
        &[("reset", "true sends RST instead of FIN."), ("children", "true closes what a listener accepted, too."), OF_EPOCH], Empty(204)),
    route!(Post "/api/v1/workspaces/{ws}/sockets/{id}/send" "Send bytes", Body::JsonOrBytes("SendRequest"),
        &[("to", "Where a datagram of an unconnected socket goes (raw body)."), ("timeout", "Seconds to wait for the kernel to take all of it (0 to 60; default 10).")], Json(200, "SendAnswer")),
    route!(Post "/api/v1/workspaces/{ws}/sockets/{id}/shutdown" "Half-close", Body::Json("ShutdownRequest"), &[], Json(200, "Socket")),
    route!(Post "/api/v1/workspaces/{ws}/http" "Ask over a recorded socket as an HTTP client does", Body::Json("HttpRequest"), &[], Json(200, "HttpAnswer")),
    route!(Get "/api/v1/workspaces/{ws}/events" "Events: a page now, a long poll, or a stream", Body::None, EVENTS, Feed("Page")),
    route!(Get "/api/v1/workspaces/{ws}/events/{seq}/payload" "The bytes of one event; takes Range", Body::None, &[EPOCH], Bytes),
    route!(Get "/api/v1/workspaces/{ws}/events/{seq}/frame" "A captured frame, taken apart", Body::None, &[EPOCH], Json(200, "Frame")),
    route!(Get "/api/v1/workspaces/{ws}/kernel" "How much of the kernel can be seen", Body::None, &[], Json(200, "KernelSight")),
    route!(Get "/api/v1/workspaces/{ws}/export" "The log to take away", Body::None,
        &[("format", "`jsonl`, `text` or `pcapng`."), ("follow", "true goes on with what happens, of `pcapng`."), ("socket", "Only this socket."), ("hidden", "false leaves practice peers out."), ("kernel", "false leaves the kernel's shelf out.")], Export),
    route!(Post "/api/v1/workspaces/{ws}/log/trim" "Clear the log up to a seq", Body::Json("TrimRequest"), &[], Json(200, "TrimAnswer")),
    route!(Get "/api/v1/workspaces/{ws}/clock" "The clock of every `t_us`, now", Body::None, &[], Json(200, "Clock")),
    route!(Post "/api/v1/workspaces/{ws}/meters" "Begin to count what requests cost", Body::None, &[], Json(201, "MeterStarted")),
    route!(Get "/api/v1/workspaces/{ws}/meters/{id}" "What was counted", Body::None, &[], Json(200, "Meter")),
    route!(Delete "/api/v1/workspaces/{ws}/meters/{id}" "Forget it", Body::None, &[OF_EPOCH], Empty(204)),
    route!(Post "/api/v1/workspaces/{ws}/crowds" "Start many clients of one lane", Body::Json("CrowdRequest"), &[], Json(201, "CrowdStarted")),
    route!(Get "/api/v1/workspaces/{ws}/crowds/{id}" "How they are", Body::None, &[], Json(200, "CrowdReport")),
    route!(Delete "/api/v1/workspaces/{ws}/crowds/{id}" "End them", Body::None, &[OF_EPOCH], Empty(204)),
    route!(Get "/api/v1/workspaces/{ws}/keys" "Keys for bridges", Body::None, &[], Json(200, "KeyList")),
    route!(Post "/api/v1/workspaces/{ws}/keys" "Make a key for bridges", Body::Json("KeyRequest"), &[], Json(201, "KeyMade")),
    route!(Delete "/api/v1/workspaces/{ws}/keys/{id}" "Revoke a key and close its sockets", Body::None, &[], Empty(204)),
    route!(Get "/api/v1/workspaces/{ws}/ws" "Events down, commands up", Body::None, VIEW, Upgrade),
    route!(Get "/bridge/tcp/{host}/{port}" "Bytes to and from a TCP port", Body::None, &[], Upgrade),
    route!(Get "/bridge/udp/{host}/{port}" "Datagrams to and from a UDP port, one a message", Body::None, &[], Upgrade),
    route!(Get "/bridge/sockets" "Many sockets over one WebSocket, listeners among them (docs/BRIDGES.md)", Body::None, &[], Upgrade),
    route!(Get "/wisp/" "Many streams over one WebSocket (Wisp 1.2 and 2.0)", Body::None, &[], Upgrade),
    route!(Get "/wisp/{target}" "Bytes to and from host:port, as wsproxy has it", Body::None, &[], Upgrade),
    route!(Get "/bridge/websockify" "Bytes to and from the target of a token", Body::None, TOKEN, Upgrade),
    route!(Get "/bridge/{target}" "Bytes to and from host:port", Body::None, &[], Upgrade),
    route!(Get "/websockify" "The same, where its clients look for it", Body::None, TOKEN, Upgrade),
];

fn named(name: &str) -> openapi::RefOr<openapi::schema::Schema> {
    match name {
        "object" => ObjectBuilder::new().schema_type(Type::Object).into(),
        _ => Ref::from_schema_name(name).into(),
    }
}

fn content(name: &str) -> openapi::Content {
    ContentBuilder::new().schema(Some(named(name))).build()
}

fn string() -> openapi::Content {
    ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String).build())).build()
}

fn operation(route: &Route) -> OperationBuilder {
    let mut operation = OperationBuilder::new().summary(Some(route.summary));
    for segment in route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        operation = operation.parameter(
            ParameterBuilder::new()
                .name(segment)
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(ObjectBuilder::new().schema_type(Type::String).build())),
        );
    }
    for (name, description) in route.query {
        operation = operation.parameter(
            ParameterBuilder::new()
                .name(*name)
                .parameter_in(ParameterIn::Query)
                .description(Some(*description))
                .schema(Some(ObjectBuilder::new().schema_type(Type::String).build())),
        );
    }
    let body = RequestBodyBuilder::new().required(Some(Required::True));
    operation = match route.body {
        Body::None => operation,
        Body::Json(name) => {
            operation.request_body(Some(body.content("application/json", content(name)).build()))
        }
        Body::JsonOrBytes(name) => operation.request_body(Some(
            body.content("application/json", content(name))
                .content("application/octet-stream", string())
                .build(),
        )),
    };
    let ok = ResponseBuilder::new();
    operation = match route.answer {
        Json(status, name) => operation
            .response(status.to_string(), ok.description("Done").content("application/json", content(name))),
        Feed(name) => operation.response(
            "200",
            ok.description("A page, or with `Accept: text/event-stream` a stream of events")
                .content("application/json", content(name))
                .content("text/event-stream", string()),
        ),
        Bytes => operation
            .response("200", ok.description("The bytes").content("application/octet-stream", string()))
            .response("206", ResponseBuilder::new().description("The range asked for")),
        Text => operation.response("200", ok.description("Text").content("text/plain", string())),
        Export => operation.response(
            "200",
            ok.description("A file")
                .content("application/jsonl", string())
                .content("text/plain", string())
                .content("application/x-pcapng", string()),
        ),
        Upgrade => {
            operation.response("101", ok.description("WebSocket; see docs/PROTOCOL.md and docs/BRIDGES.md"))
        }
        Empty(status) => operation.response(status.to_string(), ok.description("Done")),
    };
    if route.open {
        operation = operation.securities(Some([SecurityRequirement::default()]));
    }
    operation.response(
        "default",
        ResponseBuilder::new()
            .description("A problem")
            .content("application/problem+json", content("Problem")),
    )
}

/// Every path with its operations.
pub(crate) fn paths() -> Paths {
    let mut paths = PathsBuilder::new();
    for route in ROUTES {
        // utoipa merges path items of one path; each item carries one method.
        paths = paths.path(route.path, PathItem::new(route.method.clone(), operation(route).build()));
    }
    paths.build()
}
