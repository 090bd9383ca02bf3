//! Every word said between the sockscope page, its server and any other program.
//!
//! The types here are the contract: JSON in and out of `/api/v1`. They are deliberately not the types the server
//! works with; the server converts at its edge. With the feature `codegen` the same definitions also yield the
//! page's TypeScript types and the OpenAPI document ([`codegen`]), so neither can say anything else.

mod bridge;
mod event;
mod http;
mod id;
mod kernel;
mod link;
mod meter;
mod page;
mod payload;
mod practice;
mod problem;
mod request;
mod session;
mod socket;

#[cfg(feature = "codegen")]
mod api;
#[cfg(feature = "codegen")]
pub mod codegen;

pub use bridge::{BridgeKey, Contract, KeyList, KeyMade, KeyRequest};
pub use event::{Arrival, Counted, Direction, Event, Fact, How, Note, PauseWhat};
pub use http::{HttpAnswer, HttpExchange, HttpRequest};
pub use id::{ParseIdError, Seq, SocketId};
pub use kernel::{
    Evidence, Frame, FrameField, FrameLayer, Icmp, KernelSight, KernelTimer, Level, Owner, SegmentMark,
    SegmentProtocol, TcpFlag, TcpInfo, TcpState, TimerKind, WatchCommand,
};
pub use link::{
    ClientFrame, CloseCommand, Hello, Reply, SendCommand, ServerFrame, SetCommand, ShutdownCommand,
    Subscribe, close_code,
};
pub use meter::{Clock, CrowdReport, CrowdRequest, CrowdStarted, Lane, Meter, MeterSegments, MeterStarted};
pub use page::{Gap, GapReason, Page, ShelfName, ShelfView};
pub use payload::{ByteRange, Payload, PayloadMode};
pub use practice::{
    Arrivals, MiddleboxSettings, PeerKind, PracticeCatalog, PracticePeer, PracticeRequest, PracticeStarted,
    TickerSettings,
};
pub use problem::{Code, Phase, Problem};
pub use request::{
    OpenRequest, PatchSocket, SendAnswer, SendRequest, ShutdownRequest, TrimAnswer, TrimRequest,
};
pub use session::{About, LogFull, Policy, SessionRequest, SessionToken, Ticket};
pub use socket::{Counters, PeerSeen, Role, SendQueue, Socket, SocketList, SocketOptions, SocketState};
