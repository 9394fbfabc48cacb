import type { Clock } from "../world/mod.ts";
import type { RelayBounds, RelayMetrics, SentType } from "./ports.ts";

/** The part of a WebSocket that sending needs. */
export interface OutboxSocket {
  readonly readyState: number;
  /** Bytes handed to `send` that the operating system has not taken. */
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code: number, reason: string): void;
}

const OPEN = 1;
/** Most bytes of UTF-8 for one UTF-16 unit. */
const MAX_UNIT_BYTES = 3;
/** WebSocket close code for a client that broke a rule of ours (RFC 6455, 7.4.1). */
const POLICY_VIOLATION = 1008;

/**
 * The outgoing side of one connection. `send` of a socket never blocks and queues without bound,
 * so this watches the queue: a reader that stays behind, or falls too far behind, is closed.
 * Nothing is ever dropped silently.
 */
export class Outbox {
  readonly #socket: OutboxSocket;
  readonly #clock: Clock;
  readonly #bounds: RelayBounds;
  readonly #metrics: RelayMetrics;
  readonly #ended = new AbortController();
  #draining: Promise<boolean> | undefined;
  /** At least what is queued: the amount when it was last asked for, and the most that was sent since. */
  #queuedAtMost = 0;

  constructor(socket: OutboxSocket, clock: Clock, bounds: RelayBounds, metrics: RelayMetrics) {
    this.#socket = socket;
    this.#clock = clock;
    this.#bounds = bounds;
    this.#metrics = metrics;
  }

  /** Aborts once nothing can be sent any more. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Queues one frame; false when the connection is closed, or closed because of this frame. */
  send(type: SentType, frame: string): boolean {
    if (this.#ended.signal.aborted || this.#socket.readyState !== OPEN) return false;
    const { pauseAboveBytes, closeAboveBytes } = this.#bounds;
    // Asking the socket is dear, and needless while no bound can be near.
    const atMost = this.#queuedAtMost + frame.length * MAX_UNIT_BYTES;
    const mayMatter = atMost > Math.min(pauseAboveBytes, closeAboveBytes);
    if (mayMatter) {
      const queued = this.#socket.bufferedAmount;
      if (queued > 0 && queued + frame.length > closeAboveBytes) {
        this.close(POLICY_VIOLATION, "reader fell behind");
        return false;
      }
    }
    this.#socket.send(frame);
    this.#metrics.sent(type);
    this.#queuedAtMost = mayMatter ? this.#socket.bufferedAmount : atMost;
    if (this.#queuedAtMost > pauseAboveBytes) void this.drained();
    return true;
  }

  /** True from the frame that made the queue too long until it is short again. */
  get isDraining(): boolean {
    return this.#draining !== undefined;
  }

  /** True while more is queued than a sender of many frames should add to. */
  get isFull(): boolean {
    return this.#socket.bufferedAmount > this.#bounds.pauseAboveBytes;
  }

  /** Resolves to true when the queue is short again, to false when the connection ended instead. */
  drained(): Promise<boolean> {
    return this.#draining ??= this.#watch().finally(() => this.#draining = undefined);
  }

  async #watch(): Promise<boolean> {
    const deadline = this.#clock.now() + this.#bounds.drainDeadlineMs;
    while (!this.#ended.signal.aborted && this.#socket.readyState === OPEN) {
      if (!this.isFull) return true;
      if (this.#clock.now() >= deadline) {
        this.close(POLICY_VIOLATION, "reader fell behind");
        break;
      }
      await this.#clock.sleep(this.#bounds.drainPollMs, this.#ended.signal);
    }
    return false;
  }

  /** Closes the connection after what is queued; nothing is sent from here on. */
  close(code: number, reason: string): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    if (this.#socket.readyState <= OPEN) this.#socket.close(code, reason);
  }

  /** To be called when the socket has closed by itself. */
  end(): void {
    this.#ended.abort();
  }
}
