import type { Clock } from "../world/mod.ts";
import type { LogFields, Logger, LogLevel } from "./log.ts";
import { type LogFilter, passesFilter, PROGRAM_TARGET } from "./log_filter.ts";

/** What {@link createLogger} needs. */
export interface LoggerOptions {
  readonly filter: LogFilter;
  readonly format: "text" | "json";
  /** Receives one record without line ending. */
  readonly write: (line: string, level: LogLevel) => void;
  readonly clock: Clock;
}

interface LogRecord {
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  readonly level: LogLevel;
  readonly target: string;
  readonly message: string;
  readonly fields: readonly (readonly [string, string | number | boolean])[];
}

/** Longest value of a field, in characters; a stack trace may be longer. */
const MAX_VALUE = 512;
const MAX_STACK = 4096;
/** Bound of the message itself, which is ours but may quote others. */
const MAX_MESSAGE = 2048;

/** Control characters, line separators and the marks that reorder text on a terminal. */
// deno-lint-ignore no-control-regex -- finding control characters is the purpose
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]|[\ud800-\udfff]/gu;
/** The same without the C0 range, which JSON escapes itself. */
const UNSAFE_IN_JSON = /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Field names a record already has in its JSON form. */
const RESERVED = new Set(["ts", "level", "target", "msg"]);

/**
 * A logger of one record per line. Untrusted text cannot forge a line or steer a terminal: control
 * characters are escaped and every value is cut to 512 characters.
 */
export function createLogger(options: LoggerOptions): Logger {
  const render = options.format === "json" ? renderJson : renderText;
  const forTarget = (target: string): Logger => {
    const at = (level: LogLevel) => (message: string, fields: LogFields = {}) => {
      if (!passesFilter(options.filter, target, level)) return;
      const time = new Date(options.clock.now()).toISOString();
      options.write(
        render({ time, level, target, message: cut(message, MAX_MESSAGE), fields: present(fields) }),
        level,
      );
    };
    return {
      error: at("error"),
      warn: at("warn"),
      info: at("info"),
      debug: at("debug"),
      trace: at("trace"),
      target: forTarget,
    };
  };
  return forTarget(PROGRAM_TARGET);
}

function present(fields: LogFields): LogRecord["fields"] {
  const kept: [string, string | number | boolean][] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const limit = name === "stack" ? MAX_STACK : MAX_VALUE;
    kept.push([name, typeof value === "string" ? cut(value, limit) : value]);
  }
  return kept;
}

function renderText(record: LogRecord): string {
  return `${record.time} ${record.level.toUpperCase()} ${record.target}: ${sentence(record)}`;
}

function renderJson(record: LogRecord): string {
  // A message that starts with a bracketed tag is grepped for as a whole line, in both forms.
  const msg = record.message.startsWith("[") ? sentence(record) : record.message;
  const json: Record<string, string | number | boolean> = {
    ts: record.time,
    level: record.level,
    target: record.target,
    msg,
  };
  for (const [name, value] of record.fields) json[RESERVED.has(name) ? `field_${name}` : name] = value;
  return JSON.stringify(json).replace(UNSAFE_IN_JSON, escapeChar);
}

function sentence(record: LogRecord): string {
  const parts = [escapeText(record.message)];
  for (const [name, value] of record.fields) parts.push(`${name}=${fieldText(name, value)}`);
  return parts.join(" ");
}

function fieldText(name: string, value: string | number | boolean): string {
  const text = escapeText(String(value));
  // `reason` is quoted always, because tools that read the journal expect reason="…".
  if (name !== "reason" && text !== "" && !/[\s"=\\]/.test(text)) return text;
  return `"${text.replace(/["\\](?!u[0-9a-f]{4})/g, "\\$&")}"`;
}

/** `text` on one line: unsafe characters as `\u00XX`. */
function escapeText(text: string): string {
  return text.replace(UNSAFE, escapeChar);
}

function escapeChar(char: string): string {
  return "\\u" + char.charCodeAt(0).toString(16).padStart(4, "0");
}

function cut(text: string, limit: number): string {
  return text.length <= limit ? text : text.slice(0, limit - 3) + "...";
}
