import type { Attachment } from 'svelte/attachments';

/** What hands can do to the ladder. Moving answers whether there was anywhere to go. */
export interface Hands {
  pan(pixels: number): boolean;
  zoom(factor: number, at: number): void;
}

/** A pointer that moved less than this was a click. */
const DRAG_PX = 4;

const LINE_PX = 18;

/** Wheel and touchpad, dragging, and pinching with two fingers. */
export function gestures(hands: Hands): Attachment<HTMLElement> {
  return (node) => {
    const pointers = new Map<number, number>();
    let moved = 0;
    let apart = 0;

    const at = (clientY: number): number => clientY - node.getBoundingClientRect().top;

    function wheel(event: WheelEvent): void {
      const unit = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : node.clientHeight;
      const pixels = event.deltaY * unit;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        hands.zoom(Math.exp(-Math.max(-200, Math.min(200, pixels)) / 240), at(event.clientY));
        // At an end the wheel belongs to whatever the ladder stands in.
      } else if (hands.pan(pixels)) event.preventDefault();
    }

    function down(event: PointerEvent): void {
      if (event.button !== 0) return;
      pointers.set(event.pointerId, event.clientY);
      moved = 0;
      apart = spread();
    }

    function move(event: PointerEvent): void {
      const before = pointers.get(event.pointerId);
      if (before === undefined) return;
      pointers.set(event.pointerId, event.clientY);
      if (pointers.size === 1) {
        moved += Math.abs(event.clientY - before);
        if (moved < DRAG_PX) return;
        if (!node.hasPointerCapture(event.pointerId)) node.setPointerCapture(event.pointerId);
        node.dataset.dragging = '';
        hands.pan(before - event.clientY);
        return;
      }
      moved = DRAG_PX;
      const now = spread();
      if (apart > 0 && now > 0) hands.zoom(now / apart, at(middle()));
      apart = now;
    }

    function up(event: PointerEvent): void {
      pointers.delete(event.pointerId);
      apart = spread();
      delete node.dataset.dragging;
    }

    /** The click at the end of a drag is no choice. */
    function click(event: MouseEvent): void {
      if (moved >= DRAG_PX) event.stopImmediatePropagation();
      moved = 0;
    }

    const spread = (): number => {
      const [a, b] = [...pointers.values()];
      return a === undefined || b === undefined ? 0 : Math.abs(a - b);
    };
    const middle = (): number => {
      const all = [...pointers.values()];
      return all.reduce((sum, y) => sum + y, 0) / all.length;
    };

    node.addEventListener('wheel', wheel, { passive: false });
    node.addEventListener('pointerdown', down);
    node.addEventListener('pointermove', move);
    node.addEventListener('pointerup', up);
    node.addEventListener('pointercancel', up);
    node.addEventListener('click', click, { capture: true });
    return () => {
      node.removeEventListener('wheel', wheel);
      node.removeEventListener('pointerdown', down);
      node.removeEventListener('pointermove', move);
      node.removeEventListener('pointerup', up);
      node.removeEventListener('pointercancel', up);
      node.removeEventListener('click', click, { capture: true });
    };
  };
}
