import type { Frame, FrameField, FrameLayer } from '../../wire/generated';
import { decodeBase64 } from '../bytes/base64';

/** Bytes of one row of the hex view. */
export const ROW_BYTES = 8;

/** Rows of one layer that are drawn; a payload may be longer. */
export const ROWS_DRAWN = 48;

/** A layer with its bytes at hand. */
export interface LayerView {
  readonly name: string;
  /** Where it begins in the frame. */
  readonly offset: number;
  /** How long it is in the frame, and how much of that is here. */
  readonly len: number;
  readonly bytes: Uint8Array;
  readonly fields: readonly FieldView[];
}

/** A field with the bytes it touches, counted in its layer: from `first` up to and including `last`. */
export interface FieldView extends FrameField {
  readonly first: number;
  readonly last: number;
}

/** The layers of a frame, each with its bytes. Bytes that were not captured are missing at the end. */
export function layersOf(frame: Frame): LayerView[] {
  const parsed = decodeBase64(frame.bytes);
  const bytes = parsed.ok ? parsed.bytes : new Uint8Array(0);
  return frame.layers.map((layer) => ({
    name: layer.name,
    offset: layer.offset,
    len: layer.len,
    bytes: bytes.subarray(layer.offset, layer.offset + layer.len),
    fields: layer.fields.map((field) => ({ ...field, ...touched(field, layer) })),
  }));
}

/** The fields that lie in a byte of their layer: several share one where they are shorter than a byte. */
export function fieldsAt(layer: LayerView, byte: number): FieldView[] {
  return layer.fields.filter((field) => byte >= field.first && byte <= field.last);
}

/** How many bytes of a layer were not captured. */
export function missing(layer: LayerView): number {
  return Math.max(0, layer.len - layer.bytes.length);
}

/** Where a field lies, as an RFC would say it: `bytes 4–7`, or with bits where it is no whole byte. */
export function bitsOf(field: FrameField, layer: { readonly offset: number }): { readonly byte: number; readonly bit: number; readonly len: number; readonly whole: boolean } {
  const from = field.bit_offset - layer.offset * 8;
  return { byte: Math.floor(from / 8), bit: from % 8, len: field.bit_len, whole: from % 8 === 0 && field.bit_len % 8 === 0 };
}

function touched(field: FrameField, layer: FrameLayer): { first: number; last: number } {
  const from = field.bit_offset - layer.offset * 8;
  return { first: Math.floor(from / 8), last: Math.floor((from + Math.max(1, field.bit_len) - 1) / 8) };
}
