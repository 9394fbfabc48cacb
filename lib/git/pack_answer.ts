import { type GitHttpContext, IdleWatch } from "./http_context.ts";
import type { Joined } from "./pack_cache.ts";

/** Who hears of one client's part in an answer. */
export interface PartObserver {
  readonly onBytes: (count: number) => void;
  /** Called once: `error` when the client has not got everything, or git failed; undefined when there was no git. */
  readonly onEnd: (status: "success" | "error" | undefined) => void;
}

/**
 * The response of a client that takes part in an answer of the pack cache. The client leaves when `signal`
 * aborts, when it takes nothing for as long as a child may be silent, and when the service ends everything.
 */
export async function partResponse(
  context: GitHttpContext,
  joined: Joined,
  signal: AbortSignal,
  observer: PartObserver,
): Promise<Response> {
  const part = new Part(context, joined, signal, observer);
  const { status, headers } = await joined.begun;
  return new Response(part.stream(), { status, headers });
}

class Part {
  readonly #joined: Joined;
  readonly #observer: PartObserver;
  readonly #signals: readonly AbortSignal[];
  readonly #ended = Promise.withResolvers<void>();
  readonly #onAbort = () => this.#leave("error");
  readonly #context: GitHttpContext;
  #watch: IdleWatch | undefined;
  #hasLeft = false;

  constructor(context: GitHttpContext, joined: Joined, signal: AbortSignal, observer: PartObserver) {
    this.#context = context;
    this.#joined = joined;
    this.#observer = observer;
    this.#signals = [signal, context.stopping.signal];
    context.track(this.#ended.promise);
    for (const one of this.#signals) one.addEventListener("abort", this.#onAbort, { once: true });
    if (this.#signals.some((one) => one.aborted)) this.#leave("error");
  }

  /** A broken-off answer is an error, so that no client takes half a pack for a whole one. */
  stream(): ReadableStream<Uint8Array> {
    const { clock, limits } = this.#context;
    if (!this.#hasLeft) this.#watch = new IdleWatch(clock, limits.gitTimeoutMs, this.#onAbort);
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        this.#watch?.touch();
        const found = await this.#joined.reader.read();
        this.#watch?.touch();
        if (found instanceof Uint8Array) {
          this.#observer.onBytes(found.length);
          controller.enqueue(found); // the runtime has taken it before it pulls again, as the reader demands
        } else if (found === "whole") {
          this.#leave(this.#joined.outcome());
          controller.close();
        } else {
          this.#leave("error");
          controller.error(new Error("git was ended"));
        }
      },
      cancel: () => this.#leave("error"),
    }, { highWaterMark: 0 });
  }

  #leave(status: "success" | "error" | undefined): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#watch?.stop();
    for (const one of this.#signals) one.removeEventListener("abort", this.#onAbort);
    this.#joined.reader.cut();
    this.#observer.onEnd(status);
    this.#ended.resolve();
  }
}
