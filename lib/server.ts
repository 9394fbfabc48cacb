import { startBackground } from "./background.ts";
import { orUndo, undoAll } from "./clean_up.ts";
import { type Config, formatAddress, LiveConfig, type RelayKey, withBoundPort } from "./config/mod.ts";
import { layGround, type Surroundings } from "./ground.ts";
import { openListeners } from "./listeners.ts";
import { routesOf } from "./routes.ts";
import { createServices, recover } from "./services.ts";
import type { CleanUp } from "./store/mod.ts";

/** What a server is started with. */
export interface ServerInput extends Surroundings {
  readonly config: Config;
  /** Asked for once the port is bound: a start that fails before that makes no key. */
  readonly key: () => Promise<RelayKey>;
}

/** A server that accepts requests. */
export interface RunningServer {
  /** `http://host:port` it listens on. */
  readonly url: string;
  /** Public `host[:port]`, with the real port when it was derived. */
  readonly domain: string;
  readonly gitDataPath: string;
  /** Undefined with the memory backend. */
  readonly relayDataPath: string | undefined;
  /** Applies the reloadable options of `config`; the others are those the server was started with. */
  reconfigure(config: Config): void;
  /** Counts what became of a reload. */
  reloaded(result: "success" | "failure"): void;
  /** Finishes what is in flight within the configured time, then closes everything. */
  stop(): Promise<void>;
}

/**
 * The composition root: builds every part in the order in which they depend on each other and wires
 * them together. Rejects with one sentence that names the setting or file at fault; nothing is left
 * running then.
 */
export async function startServer(input: ServerInput): Promise<RunningServer> {
  return await orUndo(input.log, (cleanUp) => compose(input, cleanUp));
}

async function compose(input: ServerInput, cleanUp: CleanUp): Promise<RunningServer> {
  const { clock, log } = input;
  const live = new LiveConfig(input.config);
  const config = live.view;
  const graceMs = config.shutdownTimeoutSecs * 1000;
  const listeners = openListeners(config, clock, log.target("http"), cleanUp);
  const reconfigure = (next: Config) => live.replace(withBoundPort(next, listeners.port));
  reconfigure(input.config);
  const key = await input.key();
  const ground = await layGround({ ...input, live }, listeners.close, cleanUp);
  const services = createServices(ground);
  const { relay, gitHttp, engine: { intake } } = services;
  await recover(ground, services);
  const stopping = new AbortController();
  cleanUp.push(() => stopping.abort());
  const background = await startBackground(ground, services, key, stopping.signal);
  const { jobs, replication } = background;
  cleanUp.push(() => replication.stop());
  const operatorPages = !listeners.hasOperatorPort;
  listeners.serve(routesOf(ground, services, background, { key, operatorPages, stopping: stopping.signal }));
  const address = formatAddress({ ...config.bindAddress, port: listeners.port });
  const addressFile = `${ground.statePath}/bound-address`;
  await Deno.writeTextFile(addressFile, `${address}\n`);
  cleanUp.push(() => Deno.remove(addressFile));

  return {
    url: `http://${address}`,
    domain: config.domain,
    gitDataPath: ground.gitDataPath,
    relayDataPath: ground.relayDataPath,
    reconfigure: (next) => {
      reconfigure(next);
      jobs.reschedule();
    },
    reloaded: (result) => ground.metrics.config.reloaded(result),
    stop: async () => {
      const deadline = clock.now() + graceMs;
      stopping.abort();
      listeners.refuseUntil(deadline);
      await replication.stop();
      await relay.stop();
      await gitHttp.stop(Math.max(0, deadline - clock.now()));
      await background.ended();
      await intake.stop();
      await undoAll(cleanUp, log);
    },
  };
}
