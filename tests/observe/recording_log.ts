import type { LogFields, Logger, LogLevel } from "../../lib/observe/log.ts";

/** A log that keeps its records, whatever their target. */
export class RecordingLog implements Logger {
  readonly records: { readonly level: LogLevel; readonly message: string; readonly fields: LogFields }[] = [];
  readonly error = this.#at("error");
  readonly warn = this.#at("warn");
  readonly info = this.#at("info");
  readonly debug = this.#at("debug");
  readonly trace = this.#at("trace");

  target(): Logger {
    return this;
  }

  #at(level: LogLevel) {
    return (message: string, fields: LogFields = {}) => void this.records.push({ level, message, fields });
  }
}
