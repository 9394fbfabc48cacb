/** Who sent a frame: the relay under test, or the peer it dialled. */
export type Side = "us" | "peer";

/** A filter as it was on the wire. */
export type WireFilter = Readonly<Record<string, unknown>>;

/** One WebSocket text message. */
export interface Frame {
  /** Milliseconds of the clock of whoever records. */
  readonly at: number;
  /** Connections are numbered from 1 in the order in which they opened. */
  readonly connection: number;
  readonly from: Side;
  readonly text: string;
  /** The parsed array; empty when the text is none. */
  readonly message: readonly unknown[];
}

/** One filter that was asked for, by REQ or by NEG-OPEN. */
export interface Asked {
  readonly at: number;
  readonly connection: number;
  readonly via: "REQ" | "NEG-OPEN";
  readonly id: string;
  readonly filter: WireFilter;
}

/** Every frame between us and one peer, with what scenarios ask about them. */
export class WireLog {
  readonly frames: Frame[] = [];
  /** Opened and not closed. */
  readonly open = new Set<number>();
  #connections = 0;
  readonly #waiters = new Set<() => void>();

  /** Number of connections so far. */
  get connections(): number {
    return this.#connections;
  }

  /** Where the next frame will stand: the `from` of later questions. */
  get mark(): number {
    return this.frames.length;
  }

  /** A connection opened; returns its number. */
  opened(): number {
    this.open.add(++this.#connections);
    this.#wake();
    return this.#connections;
  }

  closed(connection: number): void {
    this.open.delete(connection);
    this.#wake();
  }

  record(connection: number, from: Side, text: string, at: number): void {
    this.frames.push({ at, connection, from, text, message: parseArray(text) });
    this.#wake();
  }

  /** Messages of one side and type from frame `from` on. */
  of(side: Side, type: string, from = 0): readonly Frame[] {
    return this.frames.slice(from).filter((frame) => frame.from === side && frame.message[0] === type);
  }

  /** Every filter we asked for. */
  asked(from = 0): readonly Asked[] {
    return this.frames.slice(from).filter(({ from }) => from === "us").flatMap(askedIn);
  }

  /** Live subscriptions: REQs that want nothing stored. */
  live(from = 0): readonly Asked[] {
    return this.asked(from).filter(isLive);
  }

  /** History by meaning: REQs and negotiations, without fetches of ids and keep-alive probes. */
  historic(from = 0): readonly Asked[] {
    return this.asked(from).filter((asked) =>
      !isLive(asked) && !asked.id.startsWith("ka-") && asked.filter.ids === undefined
    );
  }

  /** Ids we asked for by name. */
  requestedIds(from = 0): readonly string[] {
    return this.asked(from).flatMap(({ filter }) => (filter.ids ?? []) as string[]);
  }

  /** Ids of the events the peer sent. */
  deliveredIds(from = 0): readonly string[] {
    return this.of("peer", "EVENT", from).map(({ message }) => (message[2] as { id: string }).id);
  }

  /** The most subscriptions and negotiations that were open at once on one connection. */
  mostOpen(): number {
    const open = new Map<number, Set<string>>();
    let most = 0;
    for (const { connection, from, message: [type, id] } of this.frames) {
      const ids = open.get(connection) ?? new Set<string>();
      open.set(connection, ids);
      if (from === "us" && (type === "REQ" || type === "NEG-OPEN")) ids.add(String(id));
      if (
        from === "us" ? type === "CLOSE" || type === "NEG-CLOSE" : type === "CLOSED" || type === "NEG-ERR"
      ) {
        ids.delete(String(id));
      }
      most = Math.max(most, ids.size);
    }
    return most;
  }

  /** Resolves once `condition` holds, looking again at every frame; rejects after `timeoutMs` of real time. */
  async waitFor(what: string, condition: () => boolean, timeoutMs = 15_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!condition()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`not on the wire: ${what}; last frames:\n${this.tail()}`);
      await this.#change(left);
    }
  }

  /** The last frames, shortened, for messages of failed tests. */
  tail(count = 15): string {
    return this.frames.slice(-count)
      .map(({ at, connection, from, text }) => `${at} #${connection} ${from}: ${text.slice(0, 160)}`).join(
        "\n",
      );
  }

  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#waiters.add(done);
    });
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }
}

function askedIn({ at, connection, message }: Frame): Asked[] {
  const [type, id, ...rest] = message;
  if (type === "REQ") {
    return rest.map((filter) => ({
      at,
      connection,
      via: type,
      id: String(id),
      filter: filter as WireFilter,
    }));
  }
  if (type !== "NEG-OPEN") return [];
  return [{ at, connection, via: type, id: String(id), filter: rest[0] as WireFilter }];
}

function isLive({ via, id, filter }: Asked): boolean {
  return via === "REQ" && (filter.limit === 0 || id.includes("live"));
}

function parseArray(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
