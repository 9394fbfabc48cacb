import { Buffer } from "node:buffer";
import type { Socket } from "node:net";

/** One direction of a TCP proxy; every field may be changed while connections are open. */
export class Direction {
  /** What arrives is read and lost; an end of stream too. */
  blackHole = false;
  delayMs = 0;
  /** Up to this much is added to the delay, different for each piece. Order is kept. */
  jitterMs = 0;
  /** 0: unlimited. */
  bytesPerSecond = 0;
  /** Longest single write; 0: as received. */
  splitBytes = 0;
  /** Bytes that still pass before both sides are reset. */
  cutAfterBytes = Infinity;
  /** Position, counted from the moment of setting, of a byte that is to be inverted; undefined: none. */
  flipAt: number | undefined;
  /** Bytes passed on so far, over all connections. */
  passed = 0;
  /** Bytes that went into the black hole. */
  lost = 0;
  readonly #stopped = new AbortController();

  /** Ends all waiting; nothing passes afterwards. */
  stop(): void {
    this.#stopped.abort();
  }

  /** Carries what `source` sends to `target` until either ends. */
  connect(source: Socket, target: Socket): void {
    void this.#carry(source, target).catch(() => {
      source.destroy();
      target.destroy();
    });
  }

  async #carry(source: Socket, target: Socket): Promise<void> {
    for await (const piece of source) {
      if (this.blackHole) {
        this.lost += piece.length;
        continue;
      }
      for (const part of this.#split(piece as Buffer)) {
        await this.#wait(part.length);
        if (this.#stopped.signal.aborted || this.blackHole) break;
        if (!this.#write(target, this.#flip(part))) return void source.resetAndDestroy();
        if (target.writableNeedDrain) await drained(target);
      }
    }
    if (!this.blackHole) target.end();
  }

  #split(piece: Buffer): Buffer[] {
    const paced = this.bytesPerSecond > 0 ? Math.max(1, Math.floor(this.bytesPerSecond / 50)) : Infinity;
    const size = Math.min(this.splitBytes || Infinity, paced);
    if (piece.length <= size) return [piece];
    return Array.from(
      { length: Math.ceil(piece.length / size) },
      (_, index) => piece.subarray(index * size, (index + 1) * size),
    );
  }

  #wait(bytes: number): Promise<void> | void {
    const pace = this.bytesPerSecond > 0 ? 1_000 * bytes / this.bytesPerSecond : 0;
    const ms = pace + this.delayMs + Math.random() * this.jitterMs;
    if (ms > 0) return sleep(ms, this.#stopped.signal);
  }

  #flip(part: Buffer): Buffer {
    if (this.flipAt === undefined) return part;
    if (this.flipAt >= part.length) {
      this.flipAt -= part.length;
      return part;
    }
    const flipped = Buffer.from(part);
    flipped[this.flipAt]! ^= 0xff;
    this.flipAt = undefined;
    return flipped;
  }

  /** False when the direction is cut with this part. */
  #write(target: Socket, part: Buffer): boolean {
    const allowed = part.subarray(0, Math.max(0, Math.min(part.length, this.cutAfterBytes)));
    this.passed += allowed.length;
    this.cutAfterBytes -= allowed.length;
    if (allowed.length > 0) target.write(allowed);
    if (allowed.length === part.length) return true;
    target.write("", () => target.resetAndDestroy());
    return false;
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.once("drain", done);
    socket.once("close", done);
  });
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
