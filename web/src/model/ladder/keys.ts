import type { Item } from './layout';

/** A label, and the element it is drawn in. */
export interface Keyed {
  readonly item: Item;
  readonly key: number;
}

/**
 * Gives labels elements, in their order: a label that begins with the same rung as before keeps its own, so that a step of
 * a zoom moves it and writes nothing anew; what comes between two that stay takes the elements of what went from there.
 */
export class Keys {
  #before: readonly Keyed[] = [];
  #next = 0;

  give(items: readonly Item[]): readonly Keyed[] {
    const places = new Map(this.#before.map(({ item }, place) => [nameOf(item), place]));
    const given: Keyed[] = [];
    // The elements before this one are taken or gone: a key that went backwards would move elements in the document.
    let free = 0;
    for (let i = 0; i < items.length; ) {
      let stays = i;
      let place = -1;
      for (; stays < items.length; stays += 1) {
        place = places.get(nameOf(items[stays]!)) ?? -1;
        if (place >= free) break;
      }
      const until = stays < items.length ? place : this.#before.length;
      for (; i < stays; i += 1) given.push({ item: items[i]!, key: free < until ? this.#before[free++]!.key : this.#next++ });
      if (i < items.length) {
        given.push({ item: items[i]!, key: this.#before[place]!.key });
        free = place + 1;
        i += 1;
      }
    }
    this.#before = given;
    return given;
  }
}

const nameOf = (item: Item): string => `${item.side} ${String(item.from)}`;
