import type { Attachment } from 'svelte/attachments';

/** What hands can do to the rulers. Moving answers whether there was anywhere to go. */
export interface Hands {
  pan(pixels: number): boolean;
  zoom(factor: number, at: number): void;
  click(target: Element): void;
}

/** A pointer that moved less than this was a click. */
const DRAG_PX = 4;

/** Dragging and wheels, from left to right; Ctrl with the wheel zooms where the pointer is. */
export function swipes(hands: Hands): Attachment<HTMLElement> {
  return (node) => {
    let at: number | undefined;
    let moved = 0;

    function wheel(event: WheelEvent): void {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        hands.zoom(Math.exp(Math.max(-200, Math.min(200, event.deltaY)) / 240), event.clientX - node.getBoundingClientRect().left);
        return;
      }
      // Up and down belongs to what the rulers stand in, unless Shift turns it.
      const pixels = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
      if (pixels !== 0 && hands.pan(pixels)) event.preventDefault();
    }

    function down(event: PointerEvent): void {
      if (event.button !== 0) return;
      at = event.clientX;
      moved = 0;
    }

    function move(event: PointerEvent): void {
      if (at === undefined) return;
      moved += Math.abs(event.clientX - at);
      if (moved >= DRAG_PX) {
        if (!node.hasPointerCapture(event.pointerId)) node.setPointerCapture(event.pointerId);
        hands.pan(at - event.clientX);
      }
      at = event.clientX;
    }

    function up(event: PointerEvent): void {
      if (at !== undefined && moved < DRAG_PX && event.type === 'pointerup') hands.click(event.target as Element);
      at = undefined;
    }

    node.addEventListener('wheel', wheel, { passive: false });
    node.addEventListener('pointerdown', down);
    node.addEventListener('pointermove', move);
    node.addEventListener('pointerup', up);
    node.addEventListener('pointercancel', up);
    return () => {
      node.removeEventListener('wheel', wheel);
      node.removeEventListener('pointerdown', down);
      node.removeEventListener('pointermove', move);
      node.removeEventListener('pointerup', up);
      node.removeEventListener('pointercancel', up);
    };
  };
}
