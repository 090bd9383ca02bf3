/** Wall-clock µs as RFC 3339, UTC, six digits. */
export function isoOf(wallUs: number): string {
  const seconds = Math.floor(wallUs / 1e6);
  const micros = Math.floor(wallUs - seconds * 1e6);
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(micros).padStart(6, '0')}Z`;
}

/** The wall-clock µs of RFC 3339 with up to six digits; NaN for anything else. */
export function wallOf(iso: string): number {
  const dot = iso.indexOf('.');
  if (dot < 0) return Date.parse(iso) * 1000;
  const digits = iso.slice(dot + 1).replace(/\D.*$/u, '');
  return Date.parse(`${iso.slice(0, dot)}Z`) * 1000 + Number(digits.padEnd(6, '0').slice(0, 6));
}

/** A duration in µs as an instrument would print it: `41 µs`, `1.20 ms`, `3.456 s`, `2 min 05 s`. */
export function duration(us: number): string {
  if (us < 1000) return `${String(Math.round(us))} µs`;
  if (us < 1e6) return `${(us / 1000).toPrecision(3)} ms`.replace(/(\d{3})\.? ms/u, '$1 ms');
  if (us < 60e6) return `${(us / 1e6).toFixed(us < 10e6 ? 3 : 2)} s`;
  const minutes = Math.floor(us / 60e6);
  return `${String(minutes)} min ${String(Math.floor(us / 1e6 - minutes * 60)).padStart(2, '0')} s`;
}

/** What is left of a countdown, in whole seconds and never `0 s` before it is over. */
export function countdown(us: number): string {
  return `${String(us > 0 ? Math.max(1, Math.round(us / 1e6)) : 0)} s`;
}

/** A time since the epoch began: `0.512345`, in seconds with six digits. */
export function relative(us: number): string {
  return (us / 1e6).toFixed(6);
}

/** The local time of day of wall-clock µs, with six digits. */
export function clock(wallUs: number): string {
  const seconds = Math.floor(wallUs / 1e6);
  const date = new Date(seconds * 1000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const micros = String(Math.floor(wallUs - seconds * 1e6)).padStart(6, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${micros}`;
}
