import type {
  Clock,
  DialRequest,
  GetRequest,
  Network,
  NetworkFailure,
  NetworkFault,
  PeerSocket,
} from "../../lib/world/mod.ts";
import { MemoryLink } from "./memory_link.ts";
import type { Road } from "./road.ts";
import type { ScriptedPeer } from "./scripted_peer.ts";
import { WireLog } from "./wire_log.ts";

interface Place {
  readonly peer: ScriptedPeer;
  readonly log: WireLog;
  readonly road: Road;
  readonly links: Set<MemoryLink>;
  dials: number[];
}

/**
 * A network without sockets on an injected clock: scripted peers by normalised URL, messages in order after
 * a latency, and every way to lose them. The wire log holds a frame when it is sent, lost or not.
 */
export class MemoryNetwork implements Network {
  readonly #clock: Clock;
  readonly #places = new Map<string, Place>();
  /** Dialled URLs at which nobody is, in order. */
  readonly unknownDials: string[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Puts a peer at a URL; one that was there is replaced for new connections. */
  add(url: string, peer: ScriptedPeer): void {
    const road: Road = {
      failure: undefined,
      hangs: false,
      losesOurs: false,
      losesTheirs: false,
      latencyMs: 5,
      bytesPerSecond: 0,
      distort: (text) => [text],
    };
    this.#places.set(url, { peer, road, log: new WireLog(), links: new Set(), dials: [] });
  }

  road(url: string): Road {
    return this.#place(url).road;
  }

  log(url: string): WireLog {
    return this.#place(url).log;
  }

  /** Monotonic times of all dials of a URL. */
  dials(url: string): readonly number[] {
    return this.#place(url).dials;
  }

  /** Sockets that are open from our point of view. */
  openSockets(url?: string): number {
    const places = url === undefined ? [...this.#places.values()] : [this.#place(url)];
    return places.reduce((sum, { links }) => sum + [...links].filter((link) => link.isOpen).length, 0);
  }

  /** All places. */
  get urls(): readonly string[] {
    return [...this.#places.keys()];
  }

  /** Ends all connections of a peer; both sides are told. */
  cut(url: string): void {
    for (const link of [...this.#place(url).links]) link.cut("connection reset by peer");
  }

  async dial(
    request: DialRequest,
  ): Promise<{ readonly ok: true; readonly socket: PeerSocket } | NetworkFailure> {
    const place = this.#places.get(request.url);
    if (!place) {
      this.unknownDials.push(request.url);
      return failed("dns", `failed to lookup address information for ${request.url}`);
    }
    const { road, peer, log, links, dials } = place;
    dials.push(this.#clock.monotonic());
    if (road.hangs) {
      await this.#clock.sleep(request.timeoutMs, request.signal);
      return request.signal.aborted ? failed("aborted", "aborted") : failed("timeout", "timed out");
    }
    await this.#clock.sleep(road.latencyMs, request.signal);
    if (request.signal.aborted) return failed("aborted", "aborted");
    if (road.failure) return failed(road.failure.fault, road.failure.text);
    if (peer.quirks.noUpgrade) return failed("protocol", "Unexpected server response: 200");
    const link = new MemoryLink({
      clock: this.#clock,
      road,
      log,
      peer,
      request,
      ended: () => links.delete(link),
    });
    links.add(link);
    return { ok: true, socket: link };
  }

  async get(request: GetRequest): ReturnType<Network["get"]> {
    const place = this.#places.get(request.url.replace(/^http/, "ws").replace(/\/$/, ""));
    if (!place) return failed("dns", "failed to lookup address information");
    if (place.road.hangs) {
      await this.#clock.sleep(request.timeoutMs, request.signal);
      return failed("timeout", "timed out");
    }
    await this.#clock.sleep(place.road.latencyMs, request.signal);
    const { information } = place.peer.quirks;
    const body = new TextEncoder().encode(information ? JSON.stringify(information) : "not found");
    const headers = new Headers({ "content-type": information ? "application/nostr+json" : "text/plain" });
    return { ok: true, status: information ? 200 : 404, headers, body, url: request.url };
  }

  pin(): ReturnType<Network["pin"]> {
    return Promise.resolve(failed("blocked", "no child process connects here"));
  }

  #place(url: string): Place {
    const place = this.#places.get(url);
    if (!place) throw new Error(`no peer at ${url}`);
    return place;
  }
}

function failed(fault: NetworkFault, text: string): NetworkFailure {
  return { ok: false, fault, text };
}
