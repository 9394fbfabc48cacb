import type { Clock, DialRequest, PeerSocket } from "../../lib/world/mod.ts";
import type { Road } from "./road.ts";
import type { Conversation, ScriptedPeer } from "./scripted_peer.ts";
import type { Side, WireLog } from "./wire_log.ts";

/** What a link is made of. */
export interface LinkInput {
  readonly clock: Clock;
  readonly road: Road;
  readonly log: WireLog;
  readonly peer: ScriptedPeer;
  readonly request: DialRequest;
  readonly ended: () => void;
}

/** One connection in memory: the socket as the dialler holds it, the peer at the other end. */
export class MemoryLink implements PeerSocket {
  readonly #input: LinkInput;
  readonly #connection: number;
  readonly #talk: Conversation;
  readonly #toPeer: Lane;
  readonly #toUs: Lane;
  #isOpen = true;

  constructor(input: LinkInput) {
    const { clock, road, log, peer, request } = input;
    this.#input = input;
    this.#connection = log.opened();
    this.#toPeer = new Lane(clock, road, (text) => {
      if (!road.losesOurs) this.#talk.receive(text);
    });
    this.#toUs = new Lane(clock, road, (text) => {
      if (!this.#isOpen || road.losesTheirs) return;
      for (const arriving of road.distort(text)) {
        if (arriving.length > request.maxMessageBytes) return this.cut("message too big");
        request.listener.message(arriving);
      }
    });
    this.#talk = peer.accept({
      send: (text) => {
        this.#record("peer", text);
        this.#toUs.send(text);
      },
      close: () => void this.#toUs.end(() => this.cut("closed by the peer")),
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get queuedBytes(): number {
    return this.#toPeer.bytes;
  }

  send(text: string): void {
    if (!this.#isOpen) return;
    this.#record("us", text);
    this.#toPeer.send(text);
  }

  pause(): void {
    this.#toUs.pause();
  }

  resume(): void {
    this.#toUs.resume();
  }

  close(): void {
    this.#end("closed");
  }

  /** The connection breaks; both sides notice. */
  cut(reason: string): void {
    this.#end(reason);
  }

  #end(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#input.log.closed(this.#connection);
    this.#input.ended();
    this.#toUs.stop();
    if (!this.#input.road.losesOurs) this.#talk.ended();
    queueMicrotask(() => this.#input.request.listener.closed(reason));
  }

  #record(from: Side, text: string): void {
    this.#input.log.record(this.#connection, from, text, this.#input.clock.monotonic());
  }
}

/** One direction: keeps order, takes the road's time, may be paused by its reader. */
class Lane {
  readonly #clock: Clock;
  readonly #road: Road;
  readonly #deliver: (text: string) => void;
  readonly #queue: { readonly at: number; readonly text: string; readonly after?: () => void }[] = [];
  #freeAt = 0;
  #paused: PromiseWithResolvers<void> | undefined;
  #running = false;
  readonly #stopped = new AbortController();
  bytes = 0;

  constructor(clock: Clock, road: Road, deliver: (text: string) => void) {
    this.#clock = clock;
    this.#road = road;
    this.#deliver = deliver;
  }

  send(text: string): void {
    this.#push({ text });
  }

  /** Runs after everything sent before has been delivered. */
  end(after: () => void): void {
    this.#push({ text: "", after });
  }

  pause(): void {
    this.#paused ??= Promise.withResolvers<void>();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  stop(): void {
    this.#stopped.abort();
    this.#queue.length = 0;
    this.resume();
  }

  #push(entry: { readonly text: string; readonly after?: () => void }): void {
    if (this.#stopped.signal.aborted) return;
    const { bytesPerSecond, latencyMs } = this.#road;
    const paceMs = bytesPerSecond > 0 ? 1_000 * entry.text.length / bytesPerSecond : 0;
    this.#freeAt = Math.max(this.#freeAt, this.#clock.monotonic()) + paceMs;
    this.bytes += entry.text.length;
    this.#queue.push({ ...entry, at: this.#freeAt + latencyMs });
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#queue.length > 0) {
      const wait = this.#queue[0]!.at - this.#clock.monotonic();
      if (wait > 0) await this.#clock.sleep(wait, this.#stopped.signal);
      if (this.#paused) await this.#paused.promise;
      const entry = this.#queue.shift();
      if (!entry) break;
      this.bytes -= entry.text.length;
      if (entry.after) entry.after();
      else this.#deliver(entry.text);
    }
    this.#running = false;
  }
}
