/** Dials of one relay that ended. */
export interface Attempts {
  success: number;
  failure: number;
}

/** Relays counted; beyond it the one counted first is forgotten. */
const MAX_RELAYS = 10_000;

/**
 * Dials by relay. Relays come and go by what strangers announce, so the counts of one that is not
 * followed are dropped whenever metrics are rendered.
 */
export class AttemptTally {
  readonly #relays = new Map<string, Attempts>();

  /** Counts one dial. */
  add(relay: string, result: keyof Attempts): void {
    let counts = this.#relays.get(relay);
    if (!counts) {
      if (this.#relays.size >= MAX_RELAYS) this.#forgetFirst();
      this.#relays.set(relay, counts = { success: 0, failure: 0 });
    }
    counts[result]++;
  }

  /** Forgets all relays but these. */
  keep(relays: ReadonlySet<string>): void {
    for (const relay of this.#relays.keys()) if (!relays.has(relay)) this.#relays.delete(relay);
  }

  /** What is known of each relay. */
  entries(): Iterable<readonly [string, Readonly<Attempts>]> {
    return this.#relays;
  }

  #forgetFirst(): void {
    for (const relay of this.#relays.keys()) {
      this.#relays.delete(relay);
      return;
    }
  }
}
