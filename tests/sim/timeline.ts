interface Entry {
  readonly at: number;
  readonly order: number;
  work: (() => void) | undefined;
}

/** Work by due time (a binary heap); equal times keep the order in which they were added. */
export class Timeline {
  readonly #heap: Entry[] = [];
  #order = 0;
  #cancelled = 0;

  /** Adds `work`; the returned function takes it back. */
  add(at: number, work: () => void): () => void {
    const entry: Entry = { at, order: this.#order++, work };
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
    return () => {
      if (entry.work === undefined) return;
      entry.work = undefined;
      this.#cancelled++;
      if (this.#cancelled > 64 && this.#cancelled * 2 > this.#heap.length) this.#compact();
    };
  }

  /** When the next work is due; undefined when there is none. */
  nextAt(): number | undefined {
    while (this.#heap.length > 0 && this.#heap[0]!.work === undefined) this.#pop();
    return this.#heap[0]?.at;
  }

  /** Takes out what is due at or before `at`, in order. */
  takeUntil(at: number): (() => void)[] {
    const due: (() => void)[] = [];
    for (let next = this.nextAt(); next !== undefined && next <= at; next = this.nextAt()) {
      const entry = this.#pop();
      // Earlier work of the same moment may take this one back.
      due.push(() => {
        const { work } = entry;
        entry.work = undefined;
        work?.();
      });
    }
    return due;
  }

  #pop(): Entry {
    const first = this.#heap[0]!;
    const last = this.#heap.pop()!;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#down(0);
    }
    if (first.work === undefined) this.#cancelled--;
    return first;
  }

  #compact(): void {
    const left = this.#heap.filter(({ work }) => work !== undefined).sort((a, b) => before(a, b) ? -1 : 1);
    this.#heap.splice(0, this.#heap.length, ...left);
    this.#cancelled = 0;
  }

  #up(index: number): void {
    const heap = this.#heap;
    for (let at = index; at > 0;) {
      const parent = (at - 1) >> 1;
      if (!before(heap[at]!, heap[parent]!)) return;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  #down(index: number): void {
    const heap = this.#heap;
    for (let at = index;;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let least = at;
      if (left < heap.length && before(heap[left]!, heap[least]!)) least = left;
      if (right < heap.length && before(heap[right]!, heap[least]!)) least = right;
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at !== b.at ? a.at < b.at : a.order < b.order;
}
