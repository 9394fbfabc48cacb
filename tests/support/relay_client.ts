import type { NostrEvent } from "../../lib/nostr/mod.ts";

/** A parsed relay message: `["OK", …]`, `["EVENT", …]`, … */
export type RelayMessage = readonly unknown[];

const TIMEOUT_MS = 15_000;

/** A plain NIP-01 client over one WebSocket, for tests and the demo. */
export class RelayClient {
  readonly #socket: WebSocket;
  readonly #messages: RelayMessage[] = [];
  readonly #waiters = new Set<() => void>();
  #closed: CloseEvent | undefined;
  #nextSubscription = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      this.#messages.push(JSON.parse(String(data)));
      this.#wake();
    };
    socket.onclose = (event) => {
      this.#closed = event;
      this.#wake();
    };
  }

  /** Connects to `url` (`ws://…`). */
  static connect(url: string): Promise<RelayClient> {
    const socket = new WebSocket(url);
    return new Promise((resolve, reject) => {
      socket.onopen = () => {
        socket.onerror = null;
        resolve(new RelayClient(socket));
      };
      socket.onerror = () => reject(new Error(`cannot connect to ${url}`));
    });
  }

  /** Everything received so far, oldest first. */
  get messages(): readonly RelayMessage[] {
    return this.#messages;
  }

  /** Sends one message, or raw text. */
  send(message: RelayMessage | string): void {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Publishes an event and waits for its OK. */
  async publish(event: NostrEvent): Promise<{ accepted: boolean; message: string }> {
    const from = this.#messages.length;
    this.send(["EVENT", event]);
    const ok = await this.waitFor((message) => message[0] === "OK" && message[1] === event.id, from);
    return { accepted: ok[2] === true, message: String(ok[3]) };
  }

  /** Stored events matching `filters`, as sent before EOSE. */
  async query(...filters: Record<string, unknown>[]): Promise<NostrEvent[]> {
    const id = `q${this.#nextSubscription++}`;
    const from = this.#messages.length;
    this.send(["REQ", id, ...filters]);
    const end = await this.waitFor(
      ([type, sub]) => (type === "EOSE" || type === "CLOSED") && sub === id,
      from,
    );
    this.send(["CLOSE", id]);
    if (end[0] === "CLOSED") throw new Error(`CLOSED: ${end[2]}`);
    return this.#messages.slice(from, this.#messages.indexOf(end))
      .filter(([type, sub]) => type === "EVENT" && sub === id).map((message) => message[2] as NostrEvent);
  }

  /** Opens a live subscription and waits for EOSE; returns its id. */
  async subscribe(...filters: Record<string, unknown>[]): Promise<string> {
    const id = `s${this.#nextSubscription++}`;
    this.send(["REQ", id, ...filters]);
    await this.waitFor(([type, sub]) => type === "EOSE" && sub === id);
    return id;
  }

  /** Events received on subscription `id` so far. */
  received(id: string): NostrEvent[] {
    return this.#messages.filter(([type, sub]) => type === "EVENT" && sub === id)
      .map((message) => message[2] as NostrEvent);
  }

  /** Waits for a message (already received from index `from` on, or to come). */
  async waitFor(accepts: (message: RelayMessage) => boolean, from = 0): Promise<RelayMessage> {
    const deadline = Date.now() + TIMEOUT_MS;
    for (;;) {
      const found = this.#messages.slice(from).find(accepts);
      if (found) return found;
      if (this.#closed) throw new Error(`connection closed: ${this.#closed.code} ${this.#closed.reason}`);
      if (Date.now() > deadline) {
        throw new Error(
          `no such message within ${TIMEOUT_MS} ms; got ${JSON.stringify(this.#messages.slice(-5))}`,
        );
      }
      await this.#change(deadline - Date.now());
    }
  }

  /** Waits until the server closed the connection. */
  async waitForClose(): Promise<CloseEvent> {
    const deadline = Date.now() + TIMEOUT_MS;
    while (!this.#closed) {
      if (Date.now() > deadline) throw new Error("connection was not closed");
      await this.#change(deadline - Date.now());
    }
    return this.#closed;
  }

  /** Closes the connection and waits for it. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#socket.close();
    await this.waitForClose();
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
