import { type Bar, bars } from '../../model/ladder/bars';
import { type Item, Layout, TILE_PX, tileOf } from '../../model/ladder/layout';
import { type Link, links, rungBySeq } from '../../model/ladder/links';
import { findPeers, type Peer } from '../../model/ladder/peers';
import { type Rails, rails } from '../../model/ladder/rails';
import { type Rail, RAILS, type Rung, Rungs, type Side } from '../../model/ladder/rungs';
import { type Tick, ticks } from '../../model/ladder/ticks';
import { lastIndex } from '../../model/ladder/timemap';
import { Viewport } from '../../model/ladder/viewport';
import type { EventLog } from '../../model/log/log';
import type { Socket } from '../../wire/generated';

/** A rung somebody walks to or points at. */
export interface Place {
  readonly side: Rail;
  readonly seq: number;
}

/** While somebody zooms only what is in sight is drawn; this long after the last step in ms, what lies around it too. */
const PAUSE_MS = 250;

/**
 * A ladder being looked at: its rungs, the view of them, and what of it is to be drawn. Rungs and view are plain
 * objects; `learned` goes up when rungs change, `changed` when they or the scale do, and `moved` when the view only
 * moves, so that panning draws nothing anew until it enters another tile.
 */
export class Scene {
  readonly view = new Viewport();
  rungs: Rungs | undefined;
  peers = $state.raw<readonly Peer[]>([]);
  /** Somebody is zooming: what is drawn changes with every step, and is drawn as cheaply as it can be. */
  zooming = $state(false);
  /** The rung the keyboard is on. */
  active = $state.raw<Place | undefined>(undefined);
  #learned = $state(0);
  #changed = $state(0);
  #moved = $state(0);
  #width = $state(0);
  #layout: Layout | undefined;
  #socket = '';
  #peerKey = '';
  #pause: ReturnType<typeof setTimeout> | undefined;

  /** Where everything stands from left to right. */
  readonly rails: Rails = $derived.by(() => {
    void this.#learned;
    return rails(this.#width, { ours: this.#lanes('ours'), peer: this.#lanes('peer') }, this.peers.length > 0 || (this.rungs?.peer.length ?? 0) > 0, this.captured > 0);
  });
  /** How many captured segments there are. */
  readonly captured: number = $derived.by(() => (void this.#learned, this.rungs?.wire.length ?? 0));
  readonly top = $derived.by(() => (this.#read(), this.view.top));
  readonly height = $derived.by(() => (this.#read(), this.view.height));
  readonly scale = $derived.by(() => (this.#read(), this.view.scale));
  readonly compress = $derived.by(() => (this.#read(), this.view.compress));
  readonly whole = $derived.by(() => (this.#read(), this.view.whole));
  readonly extent = $derived.by(() => (this.#read(), this.view.extent));
  readonly count = $derived.by(() => (void this.#learned, (this.rungs?.ours.length ?? 0) + (this.rungs?.peer.length ?? 0) + (this.rungs?.wire.length ?? 0)));
  readonly left = $derived.by(() => (void this.#learned, this.rungs?.left ?? 0));
  readonly firstSeq = $derived.by(() => (void this.#learned, this.rungs?.ours[0]?.seq));

  // A third of a tile around what is in sight is drawn too: a pan shows it before anything is computed.
  readonly firstTile = $derived(tileOf(this.top - TILE_PX / 3));
  readonly lastTile = $derived(tileOf(Math.max(0, this.top + this.height + TILE_PX / 3)));
  /** The pixel of the map from which everything drawn is counted, so that numbers stay small at any zoom. */
  readonly origin = $derived(this.firstTile * TILE_PX);
  /** The pixels that are drawn: whole tiles, or as long as every step changes all of them, what is in sight. */
  readonly #from = $derived(this.zooming ? Math.max(this.origin, this.top) : this.origin);
  readonly #bottom = $derived(this.zooming ? this.top + this.height : (this.lastTile + 1) * TILE_PX);

  readonly items: readonly Item[] = $derived.by(() => {
    void this.#changed;
    const layout = this.#layoutNow(this.rails.rowHeight);
    if (layout === undefined) return [];
    const items = RAILS.flatMap((side) => layout.items(side, this.firstTile, this.lastTile));
    const [above, below] = [this.#from - layout.rowHeight, this.#bottom + layout.rowHeight];
    return this.zooming ? items.filter((item) => Math.max(item.label, item.bottom) > above && Math.min(item.label, item.top) < below) : items;
  });
  readonly bars: Readonly<Record<Side, readonly Bar[]>> = $derived.by(() => {
    void this.#changed;
    const of = (side: Side): Bar[] => bars(this.rungs?.side(side) ?? [], this.view.map, this.#from, this.#bottom);
    return { ours: of('ours'), peer: of('peer') };
  });
  readonly links: readonly Link[] = $derived.by(() => {
    void this.#changed;
    if (this.rungs === undefined) return [];
    const alone = new Set<number>();
    for (const item of this.items) if (item.to - item.from === 1) alone.add(this.firstOf(item)!.seq);
    return links(this.rungs.ours, this.rungs.peer, this.view.map, this.#from, this.#bottom, (seq) => alone.has(seq));
  });
  readonly ticks: readonly Tick[] = $derived.by(() => (void this.#changed, ticks(this.view.map, this.#from, this.#bottom)));
  readonly breaks = $derived.by(() => (void this.#changed, this.view.map.breaksIn(this.#from, this.#bottom)));
  readonly end = $derived.by(() => (void this.#changed, Math.min(this.#bottom, this.view.map.height)));

  /** Takes in what the log has learned since. */
  follow(socket: Socket, sockets: ReadonlyMap<string, Socket>, log: EventLog): void {
    const peers = findPeers(socket, sockets);
    const key = peers.map((peer) => `${peer.socket.id} ${peer.only ?? ''}`).join();
    const other = this.#socket !== socket.id;
    if (other) {
      this.#socket = socket.id;
      this.active = undefined;
      this.view.auto = true;
      this.view.whole = false;
    }
    if (other || this.rungs === undefined || this.rungs.stale || key !== this.#peerKey) {
      this.#peerKey = key;
      this.peers = peers;
      this.rungs = new Rungs(log, socket.id, peers);
    }
    if (this.rungs.update() || other) this.#data();
  }

  /** The room there is. */
  resize(width: number, height: number): void {
    const narrow = this.rails.narrow;
    this.#width = width;
    this.view.resize(height);
    if (this.rails.narrow !== narrow) this.#data();
    else this.#redraw();
  }

  pan(pixels: number): boolean {
    const went = this.view.pan(pixels);
    if (went) this.#move();
    return went;
  }

  panTo(above: number): void {
    this.view.panTo(above);
    this.#move();
  }

  zoom(factor: number, at = this.view.height / 2): void {
    this.view.zoom(factor, at);
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => (this.zooming = false), PAUSE_MS);
    this.zooming = true;
    this.#redraw();
  }

  fit(): void {
    this.view.fit();
    this.#redraw();
  }

  setCompress(compress: boolean): void {
    this.view.setCompress(compress);
    this.#redraw();
  }

  /** The rungs under a label. */
  rungsOf(item: Item): readonly Rung[] {
    return this.rungs?.side(item.side).slice(item.from, item.to) ?? [];
  }

  /** The first rung under a label. */
  firstOf(item: Item): Rung | undefined {
    return this.rungs?.side(item.side)[item.from];
  }

  /** The label a rung is under. */
  itemAt(place: Place): Item | undefined {
    const layout = this.#layoutNow(this.rails.rowHeight);
    const rungs = this.rungs?.side(place.side) ?? [];
    return layout?.itemOf(place.side, rungBySeq(rungs, place.seq));
  }

  /** Looks closer at what a group stands for; answers whether that was possible. */
  open(item: Item): boolean {
    const rungs = this.rungsOf(item);
    const [from, to] = [rungs[0]?.end ?? 0, rungs.at(-1)?.end ?? 0];
    const before = this.view.scale;
    if (to > from) this.view.show(from, to);
    this.#redraw();
    return this.view.scale < before;
  }

  /** Goes to the rung before or after, a group being one step. */
  step(by: 1 | -1): void {
    const from = this.active;
    if (from === undefined) {
      this.#enter();
      return;
    }
    const item = this.itemAt(from);
    if (item === undefined) return;
    this.#go(item.side, by === 1 ? item.to : item.from - 1, by);
  }

  /** Goes to the next rail in a direction that has anything on it. */
  sideways(by: 1 | -1): void {
    const from = this.active === undefined ? (by === 1 ? -1 : RAILS.length) : RAILS.indexOf(this.active.side);
    for (let at = from + by; at >= 0 && at < RAILS.length; at += by) {
      if ((this.rungs?.side(RAILS[at]!).length ?? 0) === 0) continue;
      this.cross(RAILS[at]!);
      return;
    }
  }

  /** The last state of an end, as far as anybody knows. */
  stateOf(side: Side): NonNullable<Rung['state']> | undefined {
    void this.#learned;
    return this.rungs?.side(side).findLast((rung) => rung.state !== undefined)?.state;
  }

  /** Goes to the rung of another rail that is nearest in time. */
  cross(to: Rail): void {
    const rungs = this.rungs?.side(to) ?? [];
    const from = this.active;
    if (rungs.length === 0 || from?.side === to) return;
    const here = from === undefined ? undefined : this.rungs?.side(from.side)[rungBySeq(this.rungs.side(from.side), from.seq)];
    const time = here?.end ?? this.view.map.t(this.view.top);
    const before = lastIndex(rungs, (rung) => rung.end <= time);
    const after = rungs[before + 1];
    const near = before < 0 || (after !== undefined && after.end - time < time - rungs[before]!.end) ? before + 1 : before;
    this.#go(to, near, 1);
  }

  /** Goes to the first or the last rung of the side one is on. */
  far(end: 'first' | 'last'): void {
    const side = this.active?.side ?? 'ours';
    const count = this.rungs?.side(side).length ?? 0;
    this.#go(side, end === 'first' ? 0 : count - 1, 1);
  }

  /** Brings a rung into sight, wherever it is; answers whether it is on this ladder. */
  show(seq: number): boolean {
    for (const side of RAILS) {
      const index = rungBySeq(this.rungs?.side(side) ?? [], seq);
      if (index < 0) continue;
      this.#go(side, index, 1);
      return true;
    }
    return false;
  }

  #enter(): void {
    const side = RAILS.find((rail) => (this.rungs?.side(rail).length ?? 0) > 0) ?? 'ours';
    this.#go(side, this.#layoutNow(this.rails.rowHeight)?.firstAt(side, this.view.top) ?? 0, 1);
  }

  #go(side: Rail, index: number, by: 1 | -1): void {
    const rungs = this.rungs?.side(side) ?? [];
    const item = this.#layoutNow(this.rails.rowHeight)?.itemOf(side, Math.max(0, Math.min(rungs.length - 1, index)));
    if (item === undefined) return;
    const seq = rungs[item.from]!.seq;
    if (by === -1 && index < 0 && this.active?.seq === seq) return;
    this.active = { side, seq };
    const half = this.rails.rowHeight / 2;
    this.view.reveal(Math.min(item.top, item.label - half), Math.max(item.bottom, item.label + half));
    this.#move();
  }

  #move(): void {
    this.zooming = false;
    this.#moved += 1;
  }

  #data(): void {
    this.#learned += 1;
    if (this.rungs !== undefined) this.view.data(this.rungs, this.rails.rowHeight);
    this.#redraw();
  }

  #redraw(): void {
    this.#layout = undefined;
    this.#changed += 1;
  }

  #layoutNow(rowHeight: number): Layout | undefined {
    if (this.#layout?.rowHeight !== rowHeight && this.rungs !== undefined) this.#layout = new Layout(this.rungs, this.view.map, rowHeight);
    return this.#layout;
  }

  #lanes(side: Side): number {
    let most = 0;
    for (const rung of this.rungs?.side(side) ?? []) most = Math.max(most, rung.lane + 1);
    return most;
  }

  #read(): void {
    void this.#changed;
    void this.#moved;
  }
}
