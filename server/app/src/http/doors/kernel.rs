//! How much of the kernel can be seen, and a captured frame taken apart.

use sockscope_sockets::kernel::layers;
use sockscope_wire::{Code, Frame, FrameField, FrameLayer, Payload};

use crate::http::{
    answer::{Answer, No, ok},
    doors::payload::PayloadQuery,
    request::{Ask, At, Room, same_epoch},
};
use crate::{log::Entry, problem::problem};

/// Which sources of facts work here.
pub(in crate::http) async fn sight(room: Room) -> Answer {
    ok(&room.workspace.kernel().sight())
}

/// The headers of a segment, field by field.
pub(in crate::http) async fn frame(room: Room, At(seq): At, Ask(query): Ask<PayloadQuery>) -> Answer {
    same_epoch(&room.workspace, query.epoch.as_deref())?;
    let record = room.workspace.record(seq)?;
    let Entry::Segment(frame) = &record.entry else {
        return Err(No(problem(Code::NoPayload, "it is no frame")));
    };
    let (seen, bytes) = (frame.seen(), frame.head());
    let layers = layers::layers(bytes, seen.len, seen.link, seen.checksum).into_iter().map(layer).collect();
    ok(&Frame { len: seen.len, bytes: Payload(bytes.into()), layers })
}

fn layer(layer: layers::Layer) -> FrameLayer {
    let layers::Layer { name, offset, len, fields } = layer;
    FrameLayer { name: name.to_owned(), offset, len, fields: fields.into_iter().map(field).collect() }
}

fn field(field: layers::Field) -> FrameField {
    let layers::Field { name, value, bit_offset, bit_len, remark } = field;
    let remark = remark.map(|remark| remark.code().to_owned());
    FrameField { name: name.to_owned(), value, bit_offset, bit_len, remark }
}
