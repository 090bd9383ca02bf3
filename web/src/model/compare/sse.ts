/** One message of a stream of server-sent events. */
export interface SseMessage {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
}

/** Takes a stream of server-sent events apart as it comes, wherever it is cut. */
export class SseReader {
  #rest = '';

  /** What is whole now. Comments, which only show that the stream lives, are left out. */
  push(text: string): SseMessage[] {
    const parts = (this.#rest + text).split('\n\n');
    this.#rest = parts.pop()!;
    return parts.map(messageOf).filter((message) => message !== undefined);
  }
}

function messageOf(text: string): SseMessage | undefined {
  let event = 'message';
  const data: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('event: ')) event = line.slice(7);
    else if (line.startsWith('data: ')) data.push(line.slice(6));
  }
  return data.length === 0 ? undefined : { event, data: data.join('\n') };
}
