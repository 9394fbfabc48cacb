import type {
  DialRequest,
  GetAnswer,
  GetRequest,
  Network,
  NetworkFailure,
  PeerSocket,
} from "../../lib/world/mod.ts";
import type { Dice } from "./dice.ts";
import { Pipe } from "./pipe.ts";
import type { Traffic } from "./traffic.ts";
import type { World } from "./world.ts";

/** The server side of one connection. */
export interface Acceptor {
  /** Takes a connection; `undefined` when the machine refuses it. */
  accept(socket: ServerSocket, address: string): ServerEnd | undefined;
  /** The machine's NIP-11 document, as JSON. */
  information(): string;
}

/** What a server does with what comes in. */
export interface ServerEnd {
  receive(data: string): void;
  ended(): void;
}

/** The socket a server writes to. */
export interface ServerSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code: number, reason: string): void;
}

/** What happens between two machines at present. */
export type LinkState =
  | "open"
  /** Connections break and new ones are refused. */
  | "cut"
  /** Nothing arrives and nobody is told. */
  | "hole";

/** When a server gives up a client that answers no ping. */
const SERVER_IDLE_MS = 120_000;
/** How long a close waits for the other side. */
const CLOSE_WAIT_MS = 2_000;

interface Connection {
  readonly from: string;
  readonly to: string;
  /** Ends it without a word; `told` says whether the two sides notice. */
  break(told: boolean): void;
}

/** Connections between machines: latency, order, loss; every message counted. */
export class SimNetwork {
  readonly #world: World;
  readonly #dice: Dice;
  readonly #loss: number;
  readonly #traffic: Traffic;
  readonly #machines = new Map<string, Acceptor>();
  readonly #links = new Map<string, LinkState>();
  readonly #latency = new Map<string, number>();
  readonly #connections = new Set<Connection>();
  /** Sockets of each machine that runs: a new set with every start. */
  readonly #sockets = new Map<string, Set<object>>();

  /** @param loss share of EVENT messages that vanish although their connection stays */
  constructor(world: World, dice: Dice, traffic: Traffic, loss: number) {
    this.#world = world;
    this.#loss = loss;
    this.#dice = dice;
    this.#traffic = traffic;
  }

  /** Machine `host` answers from now on. */
  up(host: string, acceptor: Acceptor): void {
    this.#machines.set(host, acceptor);
  }

  /** Machine `host` lost its power: connections of and to it break, and the others notice. */
  down(host: string): void {
    this.#machines.delete(host);
    this.#sockets.delete(host);
    this.#break((connection) => connection.from === host || connection.to === host, true);
  }

  /** Changes what happens between two machines, in both directions. */
  link(a: string, b: string, state: LinkState): void {
    this.#links.set(pairOf(a, b), state);
    if (state === "open") return;
    this.#break(({ from, to }) => pairOf(from, to) === pairOf(a, b), state === "cut");
  }

  /** How `a` reaches `b` at present. */
  reach(a: string, b: string): "open" | "cut" | "hole" | "down" {
    const state = this.#links.get(pairOf(a, b)) ?? "open";
    return state === "open" && !this.#machines.has(b) ? "down" : state;
  }

  /** Sockets machine `host` dialled that it neither closed nor was told are closed. */
  sockets(host: string): number {
    return this.#sockets.get(host)?.size ?? 0;
  }

  /** One way between two machines in milliseconds; the same for the whole run. */
  latency(a: string, b: string): number {
    const pair = pairOf(a, b);
    const known = this.#latency.get(pair);
    if (known !== undefined) return known;
    const drawn = this.#dice.between(5, 120);
    this.#latency.set(pair, drawn);
    return drawn;
  }

  /** The network as machine `host` sees it until it is dead; from then on nothing answers. */
  of(host: string, isDead: () => boolean): Network {
    const never = new Promise<never>(() => {});
    return {
      dial: (request) => isDead() ? never : this.#dial(host, isDead, request),
      get: (request) => isDead() ? never : this.#get(host, request),
      pin: (url) =>
        Promise.resolve({ ok: true, host: new URL(url).hostname, port: 443, addresses: ["192.0.2.1"] }),
    };
  }

  async #dial(
    from: string,
    isDead: () => boolean,
    request: DialRequest,
  ): Promise<{ readonly ok: true; readonly socket: PeerSocket } | NetworkFailure> {
    const to = new URL(request.url).host;
    const trip = this.latency(from, to);
    const reached = this.reach(from, to);
    if (reached === "hole") {
      await this.#wait(request.timeoutMs, request.signal);
      return failure(request.signal.aborted ? "aborted" : "timeout", "no answer");
    }
    await this.#wait(3 * trip, request.signal);
    if (request.signal.aborted) return failure("aborted", "given up");
    const machine = this.#machines.get(to);
    if (this.reach(from, to) !== "open" || !machine) return failure("network", "connection refused");
    if (isDead()) return failure("aborted", "dead");
    return this.#connect(from, to, machine, isDead, request) ?? failure("network", "connection refused");
  }

  #connect(
    from: string,
    to: string,
    machine: Acceptor,
    isDead: () => boolean,
    { listener }: DialRequest,
  ): { readonly ok: true; readonly socket: PeerSocket } | undefined {
    const trip = this.latency(from, to);
    let open = true;
    let lost: (() => void) | undefined;
    const sockets = this.#sockets.get(from) ?? new Set();
    this.#sockets.set(from, sockets);
    const end = (reason: string, told = true) => {
      if (!open) return;
      open = false;
      this.#connections.delete(connection);
      const hear = () => {
        sockets.delete(connection);
        if (!isDead()) listener.closed(reason);
      };
      up.close(told ? () => server?.ended() : undefined);
      down.close(told ? hear : undefined);
      if (told) return;
      lost = hear;
      this.#world.after(SERVER_IDLE_MS, () => server?.ended());
    };
    // A side that was not told hears of the end when it closes by itself.
    const closeLost = () => {
      if (lost) this.#world.after(CLOSE_WAIT_MS, lost);
      lost = undefined;
    };
    const up = new Pipe(this.#world, trip, (text) => server?.receive(text));
    const down = new Pipe(this.#world, trip, (text) => void (isDead() || listener.message(text)));
    const connection: Connection = { from, to, break: (told) => end("connection lost", told) };
    const server = machine.accept({
      get readyState() {
        return open ? 1 : 3;
      },
      bufferedAmount: 0,
      send: (text) => {
        if (open && !this.#loses(text) && down.send(text)) this.#traffic.count(to, from, text);
      },
      close: (_code, reason) => end(reason),
    }, from);
    if (!server) return undefined;
    this.#connections.add(connection);
    sockets.add(connection);
    return {
      ok: true,
      socket: {
        send: (text) => {
          if (open && up.send(text)) this.#traffic.count(from, to, text);
        },
        queuedBytes: 0,
        pause: () => down.pause(),
        resume: () => down.resume(),
        close: () => {
          sockets.delete(connection);
          end("closed");
          closeLost();
        },
      },
    };
  }

  async #get(from: string, request: GetRequest): Promise<GetAnswer | NetworkFailure> {
    const to = new URL(request.url).host;
    if (this.reach(from, to) === "hole") {
      await this.#wait(request.timeoutMs, request.signal);
      return failure("timeout", "no answer");
    }
    await this.#wait(4 * this.latency(from, to), request.signal);
    const machine = this.#machines.get(to);
    if (request.signal.aborted) return failure("aborted", "given up");
    if (this.reach(from, to) !== "open" || !machine) return failure("network", "connection refused");
    const body = new TextEncoder().encode(machine.information());
    return { ok: true, status: 200, headers: new Headers(), body, url: request.url };
  }

  #break(which: (connection: Connection) => boolean, told: boolean): void {
    for (const connection of [...this.#connections]) if (which(connection)) connection.break(told);
  }

  #loses(text: string): boolean {
    return this.#loss > 0 && text.startsWith('["EVENT"') && this.#dice.chance(this.#loss);
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        signal.removeEventListener("abort", done);
        takeBack();
        resolve();
      };
      const takeBack = this.#world.after(ms, done);
      signal.addEventListener("abort", done, { once: true });
    });
  }
}

function failure(fault: NetworkFailure["fault"], text: string): NetworkFailure {
  return { ok: false, fault, text };
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
