import type { Clock } from "../world/mod.ts";
import { messageOf, RemoteError } from "./database_errors.ts";

/** Most requests under way; more wait their turn. */
const MAX_RUNNING = 16;
/** Most requests that wait; more are refused. */
const MAX_WAITING = 10_000;

/** Sends one HTTP request, like the platform's `fetch`. */
export type Fetch = (request: Request) => Promise<Response>;

/** What a {@link RemoteFetch} needs. */
export interface RemoteFetchOptions {
  /** `http:` or `https:` URL of the database; nothing else is asked. */
  readonly url: string;
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** Longest time for one request: its turn, the connection, the answer to its last byte. */
  readonly timeoutMs: number;
}

/** Requests to a remote database: each with a deadline, each failure a {@link RemoteError} in words. */
export class RemoteFetch {
  readonly #options: RemoteFetchOptions;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** Nothing is sent yet. */
  constructor(options: RemoteFetchOptions) {
    this.#options = options;
  }

  /** Sends `request` and reads its answer whole. Rejects with {@link RemoteError} when there is no usable one. */
  async send(request: Request): Promise<Response> {
    const { url, clock, timeoutMs } = this.#options;
    if (new URL(request.url).origin !== new URL(url).origin) {
      throw new RemoteError("the database server wants to be asked elsewhere", "refused");
    }
    const answered = new AbortController();
    const late = new AbortController();
    const deadline = clock.sleep(timeoutMs, answered.signal).then((): never => {
      if (!answered.signal.aborted) late.abort();
      throw new RemoteError(`the database server did not answer within ${timeoutMs / 1000} s`, "late");
    });
    deadline.catch(() => {}); // it also ends, with nobody listening, when an answer came
    try {
      return await Promise.race([this.#whenFree(request, late.signal), deadline]);
    } finally {
      answered.abort();
    }
  }

  async #whenFree(request: Request, signal: AbortSignal): Promise<Response> {
    if (this.#running >= MAX_RUNNING) {
      if (this.#waiting.length >= MAX_WAITING) {
        throw new RemoteError("too many requests wait for the database", "refused");
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      signal.throwIfAborted();
      return await this.#exchange(request, signal);
    } finally {
      // Whoever waits longest takes this turn over.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  async #exchange(request: Request, signal: AbortSignal): Promise<Response> {
    const { fetch } = this.#options;
    let response: Response;
    let body: ArrayBuffer;
    try {
      response = await fetch(new Request(request, { signal, redirect: "manual" }));
      body = await response.arrayBuffer();
    } catch (cause) {
      const why = messageOf(cause).replace(/^error sending request for url \(\S+\): /, "");
      throw new RemoteError(`the database server cannot be reached: ${why}`, "cut", cause);
    }
    const { status, headers } = response;
    if (status === 401 || status === 403) {
      throw new RemoteError(
        `the database server refuses us (HTTP ${status}): NGIT_DATABASE_AUTH_TOKEN has to be a token that may write`,
        "refused",
      );
    }
    // 400 is about one request, and what it says reaches the caller through the driver.
    if (status !== 200 && status !== 400) {
      throw new RemoteError(
        `the database server answered with HTTP status ${status}`,
        status >= 500 ? "cut" : "refused",
      );
    }
    return new Response(body, { status, headers });
  }
}
