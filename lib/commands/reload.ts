import {
  type Config,
  type ConfigInput,
  formatProblem,
  reloadConfig,
  type RunningConfig,
} from "../config/mod.ts";
import type { Logger } from "../observe/mod.ts";

/** What {@link Reloader} works with. */
export interface ReloaderParts {
  /** Flags and environment as they were at start; the `.env` file is read again. */
  readonly input: ConfigInput;
  readonly running: RunningConfig;
  /** Makes everything read the options of a valid configuration. */
  readonly apply: (config: Config) => void;
  /** Told once about the end of every reload. */
  readonly reloaded: (result: "success" | "failure") => void;
  readonly log: Logger;
}

/** Reads the configuration again when asked; what is wrong with it is logged and changes nothing. */
export class Reloader {
  readonly #parts: ReloaderParts;
  #running: RunningConfig;
  #work: Promise<void> = Promise.resolve();
  #waiting = false;

  constructor(parts: ReloaderParts) {
    this.#parts = parts;
    this.#running = parts.running;
  }

  /** Reloads after the reload under way; requests that come while one waits are the same request. */
  request(): Promise<void> {
    if (!this.#waiting) {
      this.#waiting = true;
      this.#work = this.#work.then(() => this.#reload()).then((isDone) =>
        this.#parts.reloaded(isDone ? "success" : "failure")
      );
    }
    return this.#work;
  }

  /** True when the settings were replaced. */
  async #reload(): Promise<boolean> {
    this.#waiting = false;
    const { input, apply, log } = this.#parts;
    try {
      const reloaded = await reloadConfig(this.#running, input);
      if (!reloaded.ok) {
        for (const problem of reloaded.problems) log.error(`reload: ${formatProblem(problem)}`);
        log.error("configuration not reloaded: the settings in use stay");
        return false;
      }
      this.#running = reloaded.running;
      apply(reloaded.running.config);
      for (const warning of reloaded.warnings) log.warn(warning);
      for (const { name, from, to, applied } of reloaded.changes) {
        if (applied) log.info(`${name}: ${from} → ${to}`);
        else log.warn(`${name}: ${from} → ${to}: restart required, the old value stays`);
      }
      const count = reloaded.changes.filter((change) => change.applied).length;
      log.info("configuration reloaded", { changed: count });
      return true;
    } catch (error) {
      log.error("configuration not reloaded", { error: String(error) });
      return false;
    }
  }
}
