import type { GitResult } from "../git/mod.ts";
import { classifyText } from "../outgoing/mod.ts";
import type { FetchResult, NaughtyCategory } from "../observe/mod.ts";
import { HUNT } from "./durations.ts";

/** What a failed fetch by git means. */
export type GitFailure =
  /** The server lacks this object and said so. */
  | { readonly type: "absent"; readonly oid: string }
  /** The server has rules about what may be asked for by id. */
  | { readonly type: "policy" }
  | {
    readonly type: "failed";
    readonly result: FetchResult;
    readonly category?: NaughtyCategory;
    readonly retryAfterMs?: number;
  };

const ABSENT = /(?:not our ref |want )([0-9a-f]{40})\b/;
const POLICY = /does not allow request for unadvertised object/i;
const LOCAL = /no space left|disk quota|unable to create|unable to write|cannot store|not a git repository/i;
/** Text a server made git print: side band, and errors it names. */
const REMOTE_LINE = /^.*\bremote(?: error)?:.*$/gim;
const STATUS = /requested url returned error: (\d{3})/i;
const TIMEOUT = /timed out|timeout|operation too slow/i;
const REFUSED = /authentication failed|could not read username|repository not found|\bnot found\b/i;

/** Reads what git printed; git runs in the C locale. */
export function readGitFailure({ stderr, stopped }: GitResult): GitFailure {
  if (stopped === "timeout") return { type: "failed", result: "timeout" };
  if (stopped === "aborted" || stopped === "output") return { type: "failed", result: "local" };
  const absent = ABSENT.exec(stderr)?.[1];
  if (absent !== undefined) return { type: "absent", oid: absent };
  if (POLICY.test(stderr)) return { type: "policy" };
  const status = Number(STATUS.exec(stderr)?.[1] ?? 0);
  if (status === 429 || status === 503) {
    return { type: "failed", result: "network", retryAfterMs: HUNT.retryAfterMs };
  }
  if (status >= 500) return { type: "failed", result: "network" };
  if (status >= 400 || REFUSED.test(stderr)) return { type: "failed", result: "refused" };
  if (TIMEOUT.test(stderr)) return { type: "failed", result: "timeout" };
  const own = stderr.replace(REMOTE_LINE, "");
  if (LOCAL.test(own)) return { type: "failed", result: "local" };
  const category = classifyText(own);
  if (category === "dns_lookup_failed" || category === "tls_certificate_invalid") {
    return { type: "failed", result: "naughty", category };
  }
  return { type: "failed", result: "network" };
}
