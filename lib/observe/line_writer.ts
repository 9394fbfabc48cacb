import type { LogLevel } from "./log.ts";

/** More text than this does not wait. */
const MAX_WAITING_CHARS = 64 * 1024;

/**
 * Writes lines in their order, those of one turn of the event loop at once: a write costs a good part of what
 * answering a small request does. Errors and warnings wait for nothing, and nothing before them does. What still
 * waits when the process exits in the middle of a turn is written by {@link LineWriter.flush}.
 */
export class LineWriter {
  readonly #write: (text: string) => void;
  #waiting = "";

  /** `write` takes whole lines, with their ends. */
  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Takes a line without its end. */
  add(line: string, level: LogLevel): void {
    if (this.#waiting === "") queueMicrotask(() => this.flush());
    this.#waiting += line + "\n";
    if (level === "error" || level === "warn" || this.#waiting.length > MAX_WAITING_CHARS) this.flush();
  }

  /** Writes what waits. */
  flush(): void {
    const text = this.#waiting;
    this.#waiting = "";
    if (text !== "") this.#write(text);
  }
}
