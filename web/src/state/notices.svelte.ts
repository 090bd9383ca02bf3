/** How long a remark stays, in ms; what went wrong stays until it is dismissed. */
const REMARK_MS = 4000;

/** Notices shown at once; the oldest go. */
const MOST = 4;

/** Something said to the person at the page. */
export interface Notice {
  readonly id: number;
  readonly kind: 'remark' | 'error';
  readonly text: string;
}

class Notices {
  list = $state.raw<readonly Notice[]>([]);
  #next = 1;

  /** Says that something was done. */
  remark(text: string): void {
    const id = this.#add('remark', text);
    setTimeout(() => {
      this.dismiss(id);
    }, REMARK_MS);
  }

  /** Says that something was not done, and why. */
  error(text: string): void {
    if (this.list.some((notice) => notice.text === text)) return;
    this.#add('error', text);
  }

  /** Takes a notice away. */
  dismiss(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id);
  }

  #add(kind: Notice['kind'], text: string): number {
    const id = this.#next;
    this.#next += 1;
    this.list = [...this.list, { id, kind, text }].slice(-MOST);
    return id;
  }
}

/** What is said to the person at the page. */
export const notices = new Notices();
