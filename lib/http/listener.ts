import type { Clock } from "../world/mod.ts";
import { plain, setCommonHeaders } from "./common_headers.ts";
import { setNoDelay } from "./no_delay.ts";
import { rawPathOf } from "./raw_path.ts";

/** Answers one request; `peer` is the address of the TCP peer. */
export type Handler = (request: Request, peer: string) => Promise<Response>;

/** A bound port. Requests get 503 until {@link Listener.serve} and after {@link Listener.refuse}. */
export interface Listener {
  readonly port: number;
  /** Whether small writes are sent at once; see {@link setNoDelay}. */
  readonly noDelay: boolean;
  /** Starts answering. */
  serve(handler: Handler): void;
  /** New requests get 503, the health paths excepted; what is in flight goes on. */
  refuse(): void;
  /**
   * Closes the port and waits for requests in flight, at most `graceMs`; what is left ends with the
   * process. Further calls wait with the first one.
   */
  close(graceMs: number): Promise<void>;
}

const HEALTH_PATHS = /^\/(?:healthz?|readyz?)$/;

/**
 * Binds before anything else is touched, so that a second instance changes nothing.
 * Throws one sentence when the address cannot be bound.
 */
export function bind(
  address: { readonly hostname: string; readonly port: number },
  clock: Clock,
): Listener {
  let handler: Handler | undefined;
  let refusing = false;
  let closing: Promise<void> | undefined;
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({
      ...address,
      onListen: () => {},
      onError: () => unavailable(),
      handler: (request, { remoteAddr }) => {
        const admitted = handler && (!refusing || HEALTH_PATHS.test(rawPathOf(request)));
        return admitted ? handler!(request, (remoteAddr as Deno.NetAddr).hostname) : unavailable();
      },
    });
  } catch (error) {
    const reason = error instanceof Deno.errors.AddrInUse ? "address in use" : String(error);
    throw new Error(`cannot listen on ${address.hostname}:${address.port}: ${reason}`);
  }
  return {
    port: server.addr.port,
    noDelay: setNoDelay(server.addr.port),
    serve: (next) => void (handler = next),
    refuse: () => void (refusing = true),
    close: (graceMs) => closing ??= shutdown(server, clock, graceMs),
  };
}

async function shutdown(server: Deno.HttpServer, clock: Clock, graceMs: number): Promise<void> {
  const closed = new AbortController();
  // A connection with half a request never ends by itself, and the runtime cannot abort a shutdown.
  await Promise.race([server.shutdown(), clock.sleep(graceMs, closed.signal)]);
  closed.abort();
}

function unavailable(): Response {
  const response = plain(503, "not serving requests now", { "Retry-After": "5", Connection: "close" });
  setCommonHeaders(response.headers);
  return response;
}
