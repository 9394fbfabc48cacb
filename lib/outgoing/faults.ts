import type { NaughtyCategory } from "../observe/mod.ts";
import type { NetworkFailure } from "../world/mod.ts";

const DNS_WORDS = [
  "failed to lookup address",
  "name or service not known",
  "nodename nor servname provided",
  "dns error",
  "dns lookup",
  "dns resolution",
  "getaddrinfo",
  "could not resolve host",
];
/** A resolver that does not answer says nothing about the host. */
const DNS_PASSING = ["temporary failure", "try again", "eai_again", "timeout", "timed out"];

const TLS_WORDS = [
  "certificate",
  "ssl error",
  "ssl certificate",
  "ssl handshake",
  "ssl_error",
  "tls error",
  "tls handshake",
  "tls alert",
  "tls_error",
  "openssl",
  "schannel",
  "secure channel",
];
const TLS_PASSING = ["timeout", "timed out"];

const PROTOCOL_WORDS = ["websocket", "invalid frame"];
const PROTOCOL_PASSING = ["connection", "timeout", "refused"];

const URL_TEXT = /\b(?:https?|git|wss?):\/\/[^\s'"<>]+/gi;
/** Host names and file names: they may contain any of the words looked for. */
const DOTTED_NAME = /(?<![\w-])[\w-]+(?:\.[\w-]+)+/g;
const ADDRESS = /\b\d{1,3}(?:\.\d{1,3}){3}\b|\[?(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}\]?/gi;
const MAX_REASON = 120;

/**
 * The category of an error text of git or of a connection, if it names a fault that does not heal in
 * minutes. Names in the text decide nothing: URLs and host names are left out, and so are warnings.
 */
export function classifyText(text: string): NaughtyCategory | undefined {
  const lines = text.split("\n").filter((line) => !/^\s*(?:remote: warning:|warning: remote)/i.test(line));
  const said = lines.join("\n").replace(URL_TEXT, " ").replace(DOTTED_NAME, " ").toLowerCase();
  const has = (words: readonly string[]) => words.some((word) => said.includes(word));
  if (has(DNS_WORDS) && !has(DNS_PASSING)) return "dns_lookup_failed";
  if (has(TLS_WORDS) && !has(TLS_PASSING)) return "tls_certificate_invalid";
  if (has(PROTOCOL_WORDS) && !has(PROTOCOL_PASSING)) return "protocol_error";
  return undefined;
}

/** HTTP answers that say "not now" instead of "not here". */
const PASSING_STATUS = /\b(?:408|425|429|5\d\d)\b/;

/**
 * The category of a failed connection. The fault decides; of DNS and protocol faults those that pass
 * (a resolver that does not answer, a busy or restarting server) have none.
 */
export function classifyFailure(failure: NetworkFailure): NaughtyCategory | undefined {
  const said = failure.text.toLowerCase();
  switch (failure.fault) {
    case "dns":
      return DNS_PASSING.some((word) => said.includes(word)) ? undefined : "dns_lookup_failed";
    case "tls":
      return TLS_PASSING.some((word) => said.includes(word)) ? undefined : "tls_certificate_invalid";
    case "protocol":
      return PASSING_STATUS.test(said) ? undefined : "protocol_error";
    default:
      return undefined;
  }
}

/** An error text fit for a metric label: one line, at most 120 characters, without URLs and addresses. */
export function reasonText(message: string): string {
  const line = message.replace(URL_TEXT, "<url>").replace(ADDRESS, "<address>").replace(/[\s\p{Cc}]+/gu, " ");
  const chars = [...line.trim()];
  return chars.length <= MAX_REASON ? chars.join("") : chars.slice(0, MAX_REASON - 1).join("") + "…";
}
