//! Writes what others generate from these types: the page's TypeScript and the OpenAPI document.

/// Describes a type that is a plain string in JSON to both generators.
macro_rules! string_type {
    ($type:ident, $description:literal, $pattern:literal) => {
        impl ts_rs::TS for $type {
            type WithoutGenerics = Self;
            type OptionInnerType = Self;

            fn name(_: &ts_rs::Config) -> String {
                stringify!($type).to_owned()
            }

            fn decl(_: &ts_rs::Config) -> String {
                concat!("type ", stringify!($type), " = string;").to_owned()
            }

            fn decl_concrete(config: &ts_rs::Config) -> String {
                Self::decl(config)
            }

            fn inline(_: &ts_rs::Config) -> String {
                "string".to_owned()
            }

            fn docs() -> Option<String> {
                Some(concat!("/**\n * ", $description, "\n */\n").to_owned())
            }

            fn output_path() -> Option<std::path::PathBuf> {
                Some(concat!(stringify!($type), ".ts").into())
            }
        }

        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some($description))
                    .pattern(Some($pattern))
                    .into()
            }
        }

        impl utoipa::ToSchema for $type {}
    };
}
pub(crate) use string_type;

use std::{collections::BTreeMap, fmt::Write as _};

use ts_rs::TS;
use utoipa::{PartialSchema, ToSchema, openapi};

use crate::api;

/// Calls a macro-like closure body for every type of the contract, in alphabetical order.
macro_rules! every_type {
    ($with:ident) => {
        $with!(
            crate::About,
            crate::Arrival,
            crate::Arrivals,
            crate::BridgeKey,
            crate::ByteRange,
            crate::ClientFrame,
            crate::Clock,
            crate::CloseCommand,
            crate::Code,
            crate::Contract,
            crate::Counted,
            crate::Counters,
            crate::CrowdReport,
            crate::CrowdRequest,
            crate::CrowdStarted,
            crate::Direction,
            crate::Event,
            crate::Evidence,
            crate::Fact,
            crate::Frame,
            crate::FrameField,
            crate::FrameLayer,
            crate::Gap,
            crate::GapReason,
            crate::Hello,
            crate::How,
            crate::HttpAnswer,
            crate::HttpExchange,
            crate::HttpRequest,
            crate::Icmp,
            crate::KernelSight,
            crate::KernelTimer,
            crate::KeyList,
            crate::KeyMade,
            crate::KeyRequest,
            crate::Lane,
            crate::Level,
            crate::LogFull,
            crate::Meter,
            crate::MeterSegments,
            crate::MeterStarted,
            crate::MiddleboxSettings,
            crate::Note,
            crate::OpenRequest,
            crate::Owner,
            crate::Page,
            crate::PatchSocket,
            crate::PauseWhat,
            crate::Payload,
            crate::PayloadMode,
            crate::PeerKind,
            crate::PeerSeen,
            crate::Phase,
            crate::Policy,
            crate::PracticeCatalog,
            crate::PracticePeer,
            crate::PracticeRequest,
            crate::PracticeStarted,
            crate::Problem,
            crate::Reply,
            crate::Role,
            crate::SegmentMark,
            crate::SegmentProtocol,
            crate::SendAnswer,
            crate::SendCommand,
            crate::SendQueue,
            crate::SendRequest,
            crate::Seq,
            crate::ServerFrame,
            crate::SessionRequest,
            crate::SessionToken,
            crate::SetCommand,
            crate::ShelfName,
            crate::ShelfView,
            crate::ShutdownCommand,
            crate::ShutdownRequest,
            crate::Socket,
            crate::SocketId,
            crate::SocketList,
            crate::SocketOptions,
            crate::SocketState,
            crate::Subscribe,
            crate::TcpFlag,
            crate::TcpInfo,
            crate::TcpState,
            crate::TickerSettings,
            crate::Ticket,
            crate::TimerKind,
            crate::TrimAnswer,
            crate::TrimRequest,
            crate::WatchCommand
        )
    };
}

/// The TypeScript module the page imports its types from.
#[must_use]
pub fn typescript() -> String {
    // Every integer of the contract stays below 2^53 (µs since start, bytes, counts), so a JavaScript number holds it.
    let config = ts_rs::Config::new().with_large_int("number");
    let mut module = String::from(
        "// Generated from server/wire by `cargo xtask codegen`. Do not edit.\n/* eslint-disable */\n",
    );
    macro_rules! declare {
        ($($type:ty),*) => {
            $(write!(module, "\n{}export {}\n", <$type as TS>::docs().unwrap_or_default(), <$type as TS>::decl(&config))
                .expect("writing to a String succeeds");)*
        };
    }
    every_type!(declare);
    writeln!(module, "\n/** Every code there is. */\nexport const CODES = [")
        .expect("writing to a String succeeds");
    for code in crate::Code::ALL {
        writeln!(module, "  {:?},", code.as_str()).expect("writing to a String succeeds");
    }
    module.push_str("] as const satisfies readonly Code[];\n");
    module
}

/// The OpenAPI 3.1 document served at `/api/v1/openapi.json`.
#[must_use]
pub fn openapi() -> String {
    let mut schemas: Vec<(String, openapi::RefOr<openapi::schema::Schema>)> = Vec::new();
    macro_rules! describe {
        ($($type:ty),*) => {
            $(
                schemas.push((<$type as ToSchema>::name().into_owned(), <$type as PartialSchema>::schema()));
                <$type as ToSchema>::schemas(&mut schemas);
            )*
        };
    }
    every_type!(describe);
    let schemas: BTreeMap<_, _> = schemas.into_iter().collect();
    let mut components = openapi::ComponentsBuilder::new();
    for (name, schema) in schemas {
        components = components.schema(name, schema);
    }
    let document = openapi::OpenApiBuilder::new()
        .info(
            openapi::InfoBuilder::new()
                .title("sockscope")
                .version("1")
                .description(Some(api::DESCRIPTION))
                .license(Some(openapi::License::new("MIT OR Apache-2.0")))
                .build(),
        )
        .paths(api::paths())
        .components(Some(components.security_scheme("token", api::bearer()).build()))
        .security(Some([openapi::security::SecurityRequirement::new("token", [] as [&str; 0])]))
        .build();
    let mut json = serde_json::to_string_pretty(&document).expect("an OpenAPI document is JSON");
    json.push('\n');
    json
}
