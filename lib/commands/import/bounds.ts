import { diskSpace } from "../../world/mod.ts";

const MEBIBYTE = 1 << 20;
/** The disk is looked at again after this much was taken, in bytes. */
const LOOK_EVERY = 16 * MEBIBYTE;

/** What an import may take. */
export interface ImportBounds {
  /** Where it writes. */
  readonly folder: string;
  /** MiB that stay free there; with 0 nobody looks. */
  readonly minFreeMb: number;
  /** Most events that are taken from the source, repeated ones included. */
  readonly maxEvents: number;
}

/** Ends an import before it fills the disk, and before a relay sends more than anybody expected. */
export class Bounds {
  readonly #bounds: ImportBounds;
  #events = 0;
  #unseenBytes = 0;
  #problem: string | undefined;

  constructor(bounds: ImportBounds) {
    this.#bounds = bounds;
  }

  /** Looks at the disk; rejects with one sentence when it is too full. */
  async look(): Promise<void> {
    const { folder, minFreeMb } = this.#bounds;
    this.#unseenBytes = 0;
    if (minFreeMb === 0) return;
    const { free } = await diskSpace(folder);
    if (free >= minFreeMb * MEBIBYTE) return;
    this.#problem =
      `import stopped: less than ${minFreeMb} MiB are free on the disk of ${folder} (NGIT_MIN_FREE_DISK_MB)`;
    throw new Error(this.#problem);
  }

  /** Counts one event of `bytes` bytes; throws one sentence when that was too much. */
  take(bytes: number): void {
    const { maxEvents } = this.#bounds;
    if (++this.#events > maxEvents) {
      throw new Error(
        `import stopped: the source sends more than ${maxEvents} events; --max-events N allows more`,
      );
    }
    this.#unseenBytes += bytes;
    // Nobody can wait here: what is found ends the next call.
    if (this.#unseenBytes >= LOOK_EVERY) void this.look().catch((error) => this.#problem ??= String(error));
    if (this.#problem !== undefined) throw new Error(this.#problem);
  }
}
