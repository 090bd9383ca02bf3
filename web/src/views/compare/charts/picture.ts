/** Room around and between the charts of a picture, and for the words above each, in CSS pixels. */
const GAP = 24;
const WORDS = 44;

/** The charts that are on the page, one below the other, with their titles and what their lines mean; null where the browser cannot. */
export function picture(title: string): Promise<Blob | null> {
  const figures = [...document.querySelectorAll<HTMLElement>('figure:has([data-chart])')];
  const canvases = figures.map((figure) => figure.querySelector('canvas')!);
  const scale = devicePixelRatio;
  const width = Math.max(...canvases.map((canvas) => canvas.width)) + 2 * GAP * scale;
  const height = canvases.reduce((sum, canvas) => sum + canvas.height + (WORDS + GAP) * scale, 2 * GAP * scale);
  const whole = document.createElement('canvas');
  [whole.width, whole.height] = [width, height];
  const context = whole.getContext('2d')!;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const font = getComputedStyle(document.body).fontFamily;
  const write = (text: string, x: number, y: number, size: number, ink: string, weight = ''): number => {
    context.font = `${weight} ${String(size * scale)}px ${font}`;
    context.fillStyle = ink;
    context.fillText(text, x, y);
    return context.measureText(text).width;
  };
  context.fillStyle = colour('surface');
  context.fillRect(0, 0, width, height);
  write(title, GAP * scale, GAP * scale, 15, colour('text'), '600');
  let top = (GAP + 16) * scale;
  figures.forEach((figure, i) => {
    write(figure.querySelector('h3')!.textContent, GAP * scale, top + 16 * scale, 13, colour('text'), '600');
    let x = GAP * scale;
    for (const item of figure.querySelectorAll('li')) {
      // A dot of the line's colour, then its name.
      const swatch = item.querySelector('svg')!;
      context.fillStyle = getComputedStyle(swatch).color;
      context.fillRect(x, top + 27 * scale, 12 * scale, 3 * scale);
      x += 17 * scale;
      x += write(item.textContent.trim(), x, top + 32 * scale, 11, colour('text')) + 16 * scale;
    }
    context.drawImage(canvases[i]!, GAP * scale, top + WORDS * scale);
    top += canvases[i]!.height + (WORDS + GAP) * scale;
  });
  return new Promise((resolve) => {
    whole.toBlob(resolve, 'image/png');
  });
}
