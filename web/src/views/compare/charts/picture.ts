import { flow } from '../../../model/compare/flow';
import { drawings } from './drawing';

/** All measures in CSS pixels: the room around and between, the least width, the height of a line of words. */
const GAP = 24;
const LEAST = 960;
const LINE = 18;

/** A picture's heading: its title, and below it what it was measured with and when. */
export interface Heading {
  readonly title: string;
  readonly facts: readonly string[];
}

/** A canvas that is written on in CSS pixels, whatever the screen's are. */
class Sheet {
  readonly #context: CanvasRenderingContext2D;
  readonly #style = getComputedStyle(document.documentElement);
  readonly #font = getComputedStyle(document.body).fontFamily;

  constructor(readonly canvas: HTMLCanvasElement) {
    this.#context = canvas.getContext('2d')!;
  }

  size(width: number, height: number): void {
    [this.canvas.width, this.canvas.height] = [Math.ceil(width * devicePixelRatio), Math.ceil(height * devicePixelRatio)];
    this.#context.scale(devicePixelRatio, devicePixelRatio);
    this.#context.fillStyle = this.#colour('surface');
    this.#context.fillRect(0, 0, width, height);
  }

  width(text: string, size: number): number {
    this.#context.font = `${String(size)}px ${this.#font}`;
    return this.#context.measureText(text).width;
  }

  write(text: string, x: number, y: number, size: number, { ink = 'text', bold = false } = {}): void {
    this.#context.font = `${bold ? '600 ' : ''}${String(size)}px ${this.#font}`;
    this.#context.fillStyle = this.#colour(ink);
    this.#context.fillText(text, x, y);
  }

  /** The sign of a line, as its legend on the page has it: its dash, or a point. */
  sign(sign: SVGElement, x: number, y: number): void {
    const context = this.#context;
    context.save();
    context.strokeStyle = context.fillStyle = getComputedStyle(sign).color;
    context.lineWidth = 2;
    context.beginPath();
    if (sign.querySelector('circle') !== null) {
      context.arc(x + SIGN / 2, y, 3, 0, 2 * Math.PI);
      context.fill();
    } else {
      const dash = sign.querySelector('path')?.getAttribute('stroke-dasharray') ?? '';
      context.setLineDash(dash === '' ? [] : dash.split(' ').map(Number));
      context.moveTo(x, y);
      context.lineTo(x + SIGN, y);
      context.stroke();
    }
    context.restore();
  }

  place(drawing: HTMLCanvasElement, x: number, y: number): void {
    this.#context.drawImage(drawing, x, y, drawing.width / devicePixelRatio, drawing.height / devicePixelRatio);
  }

  #colour(name: string): string {
    return this.#style.getPropertyValue(`--${name}`).trim();
  }
}

/** How long the sign of a line is, and what lies between it and its name, and between two of them. */
const SIGN = 26;
const SPACE = 6;
const APART = 18;

/** The charts that are on the page, one below the other, with their titles and what their lines mean; null where the browser cannot. */
export async function picture({ title, facts }: Heading): Promise<Blob | null> {
  const figures = [...document.querySelectorAll<HTMLElement>('figure:has([data-chart])')];
  const places = figures.map((figure) => figure.querySelector('[data-chart]')!);
  const width = Math.max(LEAST, ...places.map((place) => place.clientWidth + 2 * GAP));
  const room = width - 2 * GAP;
  const drawn = await Promise.all(places.map((place) => drawings.get(place)!(room)));
  const sheet = new Sheet(document.createElement('canvas'));
  const said = flow(facts.map((fact) => sheet.width(fact, 12)), room, APART);
  const charts = figures.map((figure, i) => {
    const items = [...figure.querySelectorAll('li')].map((item) => ({ sign: item.querySelector('svg')!, name: item.textContent.trim() }));
    const legend = flow(items.map(({ name }) => SIGN + SPACE + sheet.width(name, 12)), room, APART);
    const canvas = drawn[i]!;
    return { title: figure.querySelector('h3')!.textContent, items, legend, canvas, height: LINE * (1 + legend.rows) + SPACE + canvas.height / devicePixelRatio + GAP };
  });
  const head = GAP + LINE * (1 + said.rows) + GAP;
  sheet.size(width, charts.reduce((sum, { height }) => sum + height, head));
  sheet.write(title, GAP, GAP + 12, 16, { bold: true });
  for (const [i, { x, row }] of said.places.entries()) sheet.write(facts[i]!, GAP + x, GAP + LINE * (row + 2), 12, { ink: 'muted' });
  let top = head;
  for (const chart of charts) {
    sheet.write(chart.title, GAP, top + 12, 14, { bold: true });
    for (const [i, { x, row }] of chart.legend.places.entries()) {
      const { sign, name } = chart.items[i]!;
      const line = top + LINE * (row + 1) + 13;
      sheet.sign(sign, GAP + x, line - 4);
      sheet.write(name, GAP + x + SIGN + SPACE, line, 12);
    }
    sheet.place(chart.canvas, GAP, top + LINE * (1 + chart.legend.rows) + SPACE);
    top += chart.height;
  }
  return new Promise((resolve) => {
    sheet.canvas.toBlob(resolve, 'image/png');
  });
}
