/** Severity, most severe first. */
export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";

/** Flat fields of one log line; undefined values are left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** One line per fact. Never pass secrets, event content or whole client addresses. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  trace(message: string, fields?: LogFields): void;
  /** The same log under a module name (`http`, `git`, `relay`, `purgatory`, `policy`, `db`, `jobs`, `config`). */
  target(name: string): Logger;
}
