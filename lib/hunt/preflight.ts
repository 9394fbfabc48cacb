import { isOid, isValidRefName } from "../nostr/mod.ts";
import { classifyFailure, normaliseCloneUrl } from "../outgoing/mod.ts";
import type { FetchResult, NaughtyCategory } from "../observe/mod.ts";
import type { GetAnswer, NetworkFailure, NetworkFault } from "../world/mod.ts";
import { HUNT } from "./durations.ts";

/** What the first request to a clone URL is answered with, at most, in bytes. */
export const MAX_PREFLIGHT_BYTES = 16 << 20;
/** Lines of it that are read: all at once, so that more would stop everything else. */
const MAX_LINES = 50_000;
/** As git builds it: a query in the clone URL goes on. */
const SUFFIX = /\/info\/refs[?&]service=git-upload-pack$/;
const CONTENT_TYPE = "application/x-git-upload-pack-advertisement";

/** Why a URL cannot be used in this hunt. */
export interface Unusable {
  readonly ok: false;
  readonly result: FetchResult;
  readonly text: string;
  readonly category?: NaughtyCategory;
  readonly retryAfterMs?: number;
}

/** A git server that answered. */
export interface Usable {
  readonly ok: true;
  /** Clone URL after redirects. */
  readonly url: string;
  /** Object id by ref name; undefined when the server did not list refs (protocol 2). */
  readonly refs: ReadonlyMap<string, string> | undefined;
}

/** What to ask to learn whether a clone URL leads to a smart git server. */
export function preflightUrl(url: string): string {
  return `${url}/info/refs${url.includes("?") ? "&" : "?"}service=git-upload-pack`;
}

/** Reads the answer to {@link preflightUrl}; `now` is wall time in milliseconds. */
export function readPreflight(answer: GetAnswer | NetworkFailure, now: number): Usable | Unusable {
  if (!answer.ok) return failed(answer);
  const { status, headers, body } = answer;
  if (status === 429 || status === 503) {
    const retryAfterMs = retryAfter(headers.get("retry-after"), now);
    return { ok: false, result: "network", text: `HTTP ${status}`, retryAfterMs };
  }
  if (status !== 200) return unusable(status >= 500 ? "network" : "refused", `HTTP ${status}`);
  const type = headers.get("content-type")?.replace(/;.*/s, "").trim().toLowerCase();
  if (type !== CONTENT_TYPE) return unusable("refused", "no smart git server");
  const final = normaliseCloneUrl(answer.url.replace(SUFFIX, ""));
  if (!SUFFIX.test(answer.url) || !final.ok) return unusable("refused", "redirected to something else");
  return { ok: true, url: final.url, refs: advertisedRefs(body) };
}

/** What a failed connection means for the URL and its host. */
export function failed(failure: NetworkFailure): Unusable {
  const category = classifyFailure(failure);
  // Servers are left alone for names and certificates only: anything else may heal in minutes.
  const listed = category === "dns_lookup_failed" || category === "tls_certificate_invalid";
  return {
    ok: false,
    result: listed ? "naughty" : RESULT[failure.fault],
    text: failure.text,
    ...(listed && { category }),
  };
}

const RESULT: Readonly<Record<NetworkFault, FetchResult>> = {
  blocked: "blocked",
  dns: "network",
  tls: "network",
  protocol: "network",
  timeout: "timeout",
  network: "network",
  too_large: "too_large",
  aborted: "local",
};

function unusable(result: FetchResult, text: string): Unusable {
  return { ok: false, result, text };
}

/** `Retry-After` in seconds or as a date; one minute when it says nothing, one hour at most. */
function retryAfter(value: string | null, now: number): number {
  const asked = value === null
    ? NaN
    : /^\d{1,9}$/.test(value)
    ? Number(value) * 1000
    : Date.parse(value) - now;
  return Number.isNaN(asked) ? HUNT.retryAfterMs : Math.min(Math.max(asked, 0), HUNT.longestRetryAfterMs);
}

/** Refs of a protocol 0 or 1 advertisement, the first of very many; undefined for protocol 2, which lists none here. */
function advertisedRefs(body: Uint8Array): ReadonlyMap<string, string> | undefined {
  const decoder = new TextDecoder();
  const refs = new Map<string, string>();
  let flushes = 0;
  for (let at = 0, left = MAX_LINES; left > 0; left--) {
    const digits = decoder.decode(body.subarray(at, at + 4));
    const length = /^[0-9a-f]{4}$/.test(digits) ? parseInt(digits, 16) : -1;
    // One behind the name of the service, one at the end.
    if (length < 4 && (length !== 0 || ++flushes === 2)) break;
    const line = decoder.decode(body.subarray(at + 4, at + length));
    at += Math.max(length, 4);
    if (line === "version 2\n" || line === "version 2") return undefined;
    const [, oid, name] = /^([0-9a-f]{40}) ([^\0\n]+)/.exec(line) ?? [];
    if (oid !== undefined && name !== undefined && isOid(oid) && isValidRefName(name)) refs.set(name, oid);
  }
  return refs;
}
