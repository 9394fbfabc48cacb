import {
  type Config,
  type ConfigInput,
  formatProblems,
  loadConfig,
  loadRelayKey,
  PROGRAM_COMMIT,
  type RelayKey,
  resolveLogFormat,
  SECRET_VARIABLES,
} from "../config/mod.ts";
import { createLogger, LineWriter, type Logger } from "../observe/mod.ts";
import {
  type Clock,
  type Random,
  type ServiceManager,
  serviceManager,
  systemClock,
  systemRandom,
} from "../world/mod.ts";
import { announceSettings } from "./announce_settings.ts";
import { Reloader } from "./reload.ts";
import { runtimeWarning } from "./runtime.ts";

/** A server as far as the command that runs it is concerned. */
export interface Stoppable {
  readonly url: string;
  readonly domain: string;
  readonly gitDataPath: string;
  readonly relayDataPath: string | undefined;
  /** Makes every part read the reloadable options of `config`. */
  reconfigure(config: Config): void;
  /** Counts what became of a reload. */
  reloaded(result: "success" | "failure"): void;
  stop(): Promise<void>;
}

/** Starts a server; rejects with one sentence that names what is wrong. */
export type StartServer = (input: {
  readonly config: Config;
  readonly key: () => Promise<RelayKey>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly searchPath?: string;
}) => Promise<Stoppable>;

/** `serve`: runs until a signal asks to stop. Returns the exit code. */
export async function serve(input: ConfigInput, start: StartServer): Promise<number> {
  const loaded = await loadConfig(input);
  if (!loaded.ok) {
    writeError(formatProblems(loaded.problems));
    return loaded.exitCode;
  }
  for (const name of SECRET_VARIABLES) Deno.env.delete(name);
  const { config } = loaded;
  let filter = config.logLevel;
  const lines = new LineWriter(writeOutput);
  globalThis.addEventListener("unload", () => lines.flush());
  const log = createLogger({
    get filter() {
      return filter;
    },
    format: resolveLogFormat(config, Deno.stdout.isTerminal()),
    write: (line, level) => lines.add(line, level),
    clock: systemClock,
  });
  const stop = stopSignals();
  void stop.second.then(() => Deno.exit(1)); // also while starting
  // A signal during the start is answered after it.
  const reloader = Promise.withResolvers<Reloader>();
  const onReload = () => void reloader.promise.then((present) => present.request());
  Deno.addSignalListener("SIGHUP", onReload);
  try {
    announceSettings(log.target("config"), loaded);
    warn(log.target("config"), [...loaded.warnings, runtimeWarning(Deno.version.deno)]);
    const key = async () => {
      const found = await loadRelayKey(config, input.cwd, systemRandom);
      if (!found.ok) throw new Error(found.problem);
      warn(log.target("config"), found.warnings);
      return found.key;
    };
    const server = await start({
      config,
      key,
      clock: systemClock,
      random: systemRandom,
      log,
      ...(input.env["PATH"] && { searchPath: input.env["PATH"] }),
    });
    const apply = (fresh: Config) => {
      filter = fresh.logLevel;
      server.reconfigure(fresh);
    };
    reloader.resolve(
      new Reloader({
        input,
        running: loaded,
        apply,
        reloaded: (result) => server.reloaded(result),
        log: log.target("config"),
      }),
    );
    watchForBugs(log);
    announceStart(log, server);
    const stopping = reportTo(serviceManager(input.env, (sentence) => log.warn(sentence)), server);
    await stop.first;
    log.info("stopping; a second signal stops at once");
    await stopping();
    await server.stop();
    log.info("stopped");
    return 0;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  } finally {
    stop.ignore();
    Deno.removeSignalListener("SIGHUP", onReload);
  }
}

/** Tells the service manager that the server answers and lives; the result tells it that it stops. */
function reportTo(manager: ServiceManager, server: Stoppable): () => Promise<void> {
  manager.ready(`serving ${server.domain} on ${server.url}`);
  const stopping = new AbortController();
  const watched = manager.watch(systemClock, stopping.signal);
  return async () => {
    manager.stopping();
    stopping.abort();
    await watched;
  };
}

/** What an admin wants to know first. */
function announceStart(log: Logger, server: Stoppable): void {
  log.info(`listening on ${server.url}, serving as ${server.domain}`);
  log.info(`data in ${[server.gitDataPath, server.relayDataPath].filter(Boolean).join(" and ")}`);
  const demo = PROGRAM_COMMIT === undefined ? "; or watch all of that with: deno task demo" : "";
  log.info(
    `next: open ${server.url}/ in a browser; announce a repository that lists ${server.domain} in its clone ` +
      `and relays tags, publish its state and git push${demo}`,
  );
}

function warn(log: Logger, warnings: readonly (string | undefined)[]): void {
  for (const warning of warnings) if (warning !== undefined) log.warn(warning);
}

/** A fault nobody handled: logged once, then the process ends. Nothing needs saving; restart it. */
function watchForBugs(log: Logger): void {
  const crash = (cause: unknown) => {
    log.error("unhandled fault, exiting", {
      error: cause instanceof Error ? cause.stack ?? cause.message : String(cause),
    });
    Deno.exit(1);
  };
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    crash(event.reason);
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    crash(event.error);
  });
}

/** Promises of the first and second SIGTERM or SIGINT. */
function stopSignals() {
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  let count = 0;
  const onSignal = () => (++count === 1 ? first : second).resolve();
  const signals: Deno.Signal[] = ["SIGTERM", "SIGINT"];
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  const ignore = () => {
    for (const signal of signals) Deno.removeSignalListener(signal, onSignal);
  };
  return { first: first.promise, second: second.promise, ignore };
}

/** A log whose reader is gone loses its lines; the work that wrote them goes on. */
function writeOutput(text: string): void {
  try {
    for (let rest = new TextEncoder().encode(text); rest.length > 0;) {
      rest = rest.subarray(Deno.stdout.writeSync(rest));
    }
  } catch {
    // There is nowhere left to report it.
  }
}

function fail(sentence: string): number {
  writeError(`error: ${sentence}`);
  return 1;
}

function writeError(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text + "\n"));
}
