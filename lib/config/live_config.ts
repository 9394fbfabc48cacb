import type { Config } from "./config.ts";

/**
 * The configuration of a running server, replaced as a whole when it is reloaded. Parts hold
 * {@link view}, or what {@link derive} makes of it, and read the members they need each time they
 * decide: all of them see a change at once, and a decision that awaits nothing never sees half of one.
 */
export class LiveConfig {
  #current: Config;
  /** Reads like a {@link Config}, always the present one. Copying its members keeps their present values. */
  readonly view: Config;

  constructor(config: Config) {
    this.#current = config;
    this.view = liveView(() => this.#current);
  }

  /** Replaces the configuration for everybody who reads it. */
  replace(config: Config): void {
    this.#current = config;
  }

  /** A function that returns what `make` makes of the present configuration, made once per configuration. */
  memo<T>(make: (config: Config) => T): () => T {
    let source = this.#current;
    let made = make(source);
    return () => {
      if (source !== this.#current) {
        source = this.#current;
        made = make(source);
      }
      return made;
    };
  }

  /** Reads like what `make` returns for the present configuration: a plain object with fixed members. */
  derive<T extends object>(make: (config: Config) => T): T {
    return liveView(this.memo(make));
  }
}

/** An object whose members are read from what `read` returns at that moment. */
function liveView<T extends object>(read: () => T): T {
  const keys = Object.keys(read()) as (keyof T)[];
  const getters = keys.map((key) => [key, { enumerable: true, get: () => read()[key] }]);
  return Object.defineProperties({}, Object.fromEntries(getters)) as T;
}
