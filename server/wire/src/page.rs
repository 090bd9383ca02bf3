//! A stretch of the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Event, Seq};

/// One stretch of the log: the answer to GET events, and every text frame of events on a WebSocket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Page {
    /// The log these seqs belong to.
    pub epoch: String,
    /// The oldest conversation event still kept (`head + 1` when there is none).
    pub first: Seq,
    /// The same for every shelf.
    pub shelves: BTreeMap<ShelfName, ShelfView>,
    /// The last event there is.
    pub head: Seq,
    /// Continue after this one: past everything looked at, filtered events too.
    pub next: Seq,
    /// The events, in order.
    pub events: Vec<Event>,
    /// Stretches between the cursor and `next` that are gone.
    pub gaps: Vec<Gap>,
}

/// A part of the log with its own share of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ShelfName {
    /// What sockets did and carried.
    Conversation,
    /// What the kernel saw.
    Kernel,
}

/// What a shelf still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct ShelfView {
    /// The oldest event still kept (`head + 1` when there is none).
    pub first: Seq,
}

/// Events that cannot be had: `from` and `to` are both missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Gap {
    /// The first missing event.
    pub from: Seq,
    /// The last missing event.
    pub to: Seq,
    /// The shelf they were on, where only one is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub shelf: Option<ShelfName>,
    /// Why they are missing.
    pub reason: GapReason,
}

/// Why events are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The log was full.
    Evicted,
    /// Somebody cleared them.
    Trimmed,
    /// The cursor belongs to another epoch; the log was read from its beginning.
    WrongEpoch,
    /// The cursor lies beyond the head; the log was read from its beginning.
    BeyondHead,
}
