import type { World } from "./world.ts";

/** One direction of a connection: everything arrives after the same time, in order, or not at all. */
export class Pipe {
  readonly #world: World;
  readonly #tripMs: number;
  readonly #deliver: (text: string) => void;
  readonly #held: string[] = [];
  #open = true;
  #paused = false;
  #close: (() => void) | undefined;

  constructor(world: World, tripMs: number, deliver: (text: string) => void) {
    this.#world = world;
    this.#tripMs = tripMs;
    this.#deliver = deliver;
  }

  /** Sends one message; false when the connection has ended. */
  send(text: string): boolean {
    if (!this.#open) return false;
    this.#world.after(this.#tripMs, () => this.#arrive(text));
    return true;
  }

  /** The reader takes nothing for a while. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    while (!this.#paused && this.#held.length > 0) this.#deliver(this.#held.shift()!);
  }

  /** What is under way is lost; `then` tells the reader, one trip later, unless nobody shall hear of it. */
  close(then: (() => void) | undefined): void {
    if (!this.#open) return;
    this.#open = false;
    this.#held.length = 0;
    this.#close = then;
    this.#world.after(this.#tripMs, () => {
      this.#close?.();
      this.#close = undefined;
    });
  }

  #arrive(text: string): void {
    if (!this.#open) return;
    if (this.#paused) this.#held.push(text);
    else this.#deliver(text);
  }
}
