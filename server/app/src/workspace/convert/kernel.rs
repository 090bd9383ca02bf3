//! What the kernel and the wire did, as it is said on the wire.

use sockscope_sockets::kernel::{
    flow::{Mark, Segment},
    info::TcpInfo,
    packet::Flags,
    state::{TcpState, Timer, TimerKind},
};
use sockscope_wire as wire;

use crate::log::{Carried, Kernel, Queues, Seen};

/// What happened.
pub(super) fn fact(kernel: &Kernel) -> wire::Fact {
    match kernel {
        Kernel::State { end, state, evidence, timer, owner } => wire::Fact::KernelState {
            end: *end,
            state: state.map(self::state),
            evidence: *evidence,
            timer: timer.map(self::timer),
            owner: owner.clone(),
        },
        Kernel::Info { end, info, queues } => {
            let Queues { receive, send } = *queues;
            wire::Fact::TcpInfo {
                end: *end,
                info: Box::new(self::info(info)),
                receive_queue: receive,
                send_queue: send,
            }
        }
        Kernel::AcceptQueue(length, limit) => wire::Fact::AcceptQueue { length: *length, limit: *limit },
        Kernel::Lost(count, total) => wire::Fact::CaptureLost { count: *count, total: *total },
    }
}

/// A frame was seen.
pub(super) fn segment(seen: &Seen) -> wire::Fact {
    let Seen { sender, interface, far, carried, len: frame_len, link: _, checksum: _ } = seen;
    let (protocol, segment, len, icmp) = match carried {
        Carried::Tcp(segment) => (wire::SegmentProtocol::Tcp, Some(segment), segment.len, None),
        Carried::Udp { len } => (wire::SegmentProtocol::Udp, None, *len, None),
        Carried::Icmp { kind, code, from, len } => {
            let icmp = wire::Icmp { kind: *kind, code: *code, from: Some(from.to_string()) };
            (wire::SegmentProtocol::Icmp, None, *len, Some(icmp))
        }
    };
    wire::Fact::Segment {
        sender: *sender,
        protocol,
        interface: interface.to_string(),
        far: *far,
        flags: segment.map(|segment| flags(segment.flags)).unwrap_or_default(),
        seq_number: segment.map(|segment| segment.seq),
        ack_number: segment.and_then(|segment| segment.ack),
        seq_relative: segment.and_then(|segment| segment.seq_relative),
        ack_relative: segment.and_then(|segment| segment.ack_relative),
        window: segment.map(|segment| segment.window),
        len,
        offset: segment.and_then(|segment| segment.offset),
        pieces: segment.and_then(|segment| segment.pieces),
        mss: segment.and_then(|segment| segment.mss).map(u32::from),
        marks: segment.map(marks).unwrap_or_default(),
        icmp,
        frame_len: *frame_len,
    }
}

fn flags(flags: Flags) -> Vec<wire::TcpFlag> {
    let Flags { syn, ack, psh, fin, rst, urg, ece, cwr } = flags;
    [
        (syn, wire::TcpFlag::Syn),
        (fin, wire::TcpFlag::Fin),
        (rst, wire::TcpFlag::Rst),
        (psh, wire::TcpFlag::Psh),
        (ack, wire::TcpFlag::Ack),
        (urg, wire::TcpFlag::Urg),
        (ece, wire::TcpFlag::Ece),
        (cwr, wire::TcpFlag::Cwr),
    ]
    .into_iter()
    .filter_map(|(set, flag)| set.then_some(flag))
    .collect()
}

fn marks(segment: &Segment) -> Vec<wire::SegmentMark> {
    let mark = |mark: &Mark| match mark {
        Mark::Retransmission => wire::SegmentMark::Retransmission,
        Mark::OutOfOrder => wire::SegmentMark::OutOfOrder,
        Mark::DuplicateAck => wire::SegmentMark::DuplicateAck,
        Mark::ZeroWindow => wire::SegmentMark::ZeroWindow,
        Mark::WindowUpdate => wire::SegmentMark::WindowUpdate,
        Mark::ZeroWindowProbe => wire::SegmentMark::ZeroWindowProbe,
        Mark::Keepalive => wire::SegmentMark::Keepalive,
        Mark::KeepaliveAck => wire::SegmentMark::KeepaliveAck,
    };
    segment.marks.iter().map(mark).collect()
}

fn state(state: TcpState) -> wire::TcpState {
    match state {
        TcpState::Closed => wire::TcpState::Closed,
        TcpState::Listen => wire::TcpState::Listen,
        TcpState::SynSent => wire::TcpState::SynSent,
        TcpState::SynReceived => wire::TcpState::SynReceived,
        TcpState::Established => wire::TcpState::Established,
        TcpState::FinWait1 => wire::TcpState::FinWait1,
        TcpState::FinWait2 => wire::TcpState::FinWait2,
        TcpState::Closing => wire::TcpState::Closing,
        TcpState::CloseWait => wire::TcpState::CloseWait,
        TcpState::LastAck => wire::TcpState::LastAck,
        TcpState::TimeWait => wire::TcpState::TimeWait,
    }
}

fn timer(timer: Timer) -> wire::KernelTimer {
    let Timer { kind, expires_ms, retransmits } = timer;
    let kind = match kind {
        TimerKind::Retransmit => wire::TimerKind::Retransmit,
        TimerKind::Keepalive => wire::TimerKind::Keepalive,
        TimerKind::TimeWait => wire::TimerKind::TimeWait,
        TimerKind::ZeroWindowProbe => wire::TimerKind::ZeroWindowProbe,
    };
    wire::KernelTimer { kind, expires_ms, retransmits }
}

fn info(info: &TcpInfo) -> wire::TcpInfo {
    let TcpInfo {
        state: _,
        rtt_us,
        rtt_var_us,
        min_rtt_us,
        rto_us,
        retransmits,
        total_retransmits,
        send_mss,
        receive_mss,
        path_mtu,
        congestion_window,
        slow_start_threshold,
        unacked,
        sacked,
        lost,
        send_window,
        receive_space,
        bytes_acked,
        bytes_received,
        bytes_sent,
        bytes_retransmitted,
        not_sent,
        segments_out,
        segments_in,
        data_segments_out,
        data_segments_in,
        delivery_rate,
        pacing_rate,
        busy_us,
        window_limited_us,
        buffer_limited_us,
        out_of_order,
    } = *info;
    wire::TcpInfo {
        rtt_us,
        rtt_var_us,
        min_rtt_us,
        rto_us,
        retransmits,
        total_retransmits,
        send_mss,
        receive_mss,
        path_mtu,
        congestion_window,
        slow_start_threshold,
        unacked,
        sacked,
        lost,
        send_window,
        receive_space,
        bytes_acked,
        bytes_received,
        bytes_sent,
        bytes_retransmitted,
        not_sent,
        segments_out,
        segments_in,
        data_segments_out,
        data_segments_in,
        delivery_rate,
        pacing_rate,
        busy_us,
        window_limited_us,
        buffer_limited_us,
        out_of_order,
    }
}
