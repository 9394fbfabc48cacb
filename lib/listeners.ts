import { type Config, formatAddress } from "./config/mod.ts";
import { bind, createHandler, createOperatorHandler, type Listener, type Routes } from "./http/mod.ts";
import type { Logger } from "./observe/mod.ts";
import type { CleanUp } from "./store/mod.ts";
import type { Clock } from "./world/mod.ts";

/** What requests in flight get when there is no deadline yet, and the operator's at any time. */
const SHORT_GRACE_MS = 1_000;

/** The ports of a server: the public one, and one of the operator's own where configured. */
export interface Listeners {
  /** Of the public one. */
  readonly port: number;
  /** True when the operator's pages have a port of their own. */
  readonly hasOperatorPort: boolean;
  /** Starts answering; until then requests get 503. */
  serve(routes: Routes): void;
  /** New requests get 503; the ports close by `deadline`, in milliseconds since the epoch. */
  refuseUntil(deadline: number): void;
  /** Closes both once what is in flight has been answered; safe to call again. */
  close(): Promise<void>;
}

/** Binds the ports; throws one sentence when that cannot be. `cleanUp` closes what is open. */
export function openListeners(config: Config, clock: Clock, log: Logger, cleanUp: CleanUp): Listeners {
  let deadline = 0;
  const main = bind(config.bindAddress, clock);
  let operator: Listener | undefined;
  const close = async () => {
    const graceMs = Math.max(SHORT_GRACE_MS, deadline - clock.now());
    await Promise.all([main.close(graceMs), operator?.close(SHORT_GRACE_MS)]);
  };
  cleanUp.push(close);
  if (config.metricsBindAddress) operator = bind(config.metricsBindAddress, clock);
  if (!main.noDelay) log.debug("TCP_NODELAY could not be set: small answers may wait 40 ms");
  return {
    port: main.port,
    hasOperatorPort: operator !== undefined,
    serve(routes) {
      main.serve(createHandler(routes));
      if (!operator) return;
      operator.serve(createOperatorHandler(routes));
      const place = formatAddress({ ...config.metricsBindAddress!, port: operator.port });
      log.info(`metrics, status and health on http://${place}`);
    },
    refuseUntil(end) {
      deadline = end;
      main.refuse();
    },
    close,
  };
}
