import type { FetchResult } from "../observe/mod.ts";
import type { UrlPast } from "./candidates.ts";
import { HUNT, HUNT_LIMIT } from "./durations.ts";
import type { FetchOutcome } from "./ports.ts";

/** The last fetch from one URL, for the operator. */
export interface UrlReport {
  readonly url: string;
  readonly result: FetchResult;
  readonly objects: number;
  /** Wall time in milliseconds. */
  readonly at: number;
}

interface UrlRecord {
  report: UrlReport;
  /** Until when (monotonic ms) the server is not asked again, by object id. */
  readonly absent: Map<string, number>;
}

/** Results that say the next URL is the better guess. */
const FAILURES: ReadonlySet<FetchResult> = new Set<FetchResult>([
  "refused",
  "naughty",
  "network",
  "timeout",
  "blocked",
  "too_large",
]);
/** Results that say nothing about whether the data exists. */
const UNREACHABLE: ReadonlySet<FetchResult> = new Set<FetchResult>(["network", "timeout", "naughty"]);

/** What one unit remembers of the servers it asked. */
export class UrlMemory {
  /** In order of last use. */
  readonly #records = new Map<string, UrlRecord>();
  #delivered: string | undefined;
  #reached = false;

  /** Notes what a fetch came to. Times: `now` monotonic, `at` wall, both in milliseconds. */
  record(url: string, outcome: FetchOutcome, now: number, at: number): void {
    const absent = this.#records.get(url)?.absent ?? new Map<string, number>();
    this.#records.delete(url);
    this.#records.set(url, {
      report: { url, result: outcome.result, objects: outcome.obtained.size, at },
      absent,
    });
    for (const oid of outcome.absent) {
      if (absent.size < HUNT_LIMIT.absentPerUrl || absent.has(oid)) absent.set(oid, now + HUNT.absentMs);
    }
    if (outcome.obtained.size > 0) this.#delivered = url;
    if (!UNREACHABLE.has(outcome.result)) this.#reached = true;
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= HUNT_LIMIT.urlsRemembered) break;
      this.#records.delete(oldest);
    }
  }

  /** A new event arrived: what was not there may be there by this time. */
  forgetAbsent(): void {
    for (const { absent } of this.#records.values()) absent.clear();
  }

  /** True when this server said lately that it lacks the object. */
  lacks(url: string, oid: string, now: number): boolean {
    return (this.#records.get(url)?.absent.get(oid) ?? 0) > now;
  }

  /** What the order of the next hunt depends on. */
  past(url: string): UrlPast | undefined {
    const record = this.#records.get(url);
    return record && { failed: FAILURES.has(record.report.result), delivered: this.#delivered === url };
  }

  /** True when there were fetches and all of them ended without reaching a server. */
  get unreachable(): boolean {
    return this.#records.size > 0 && !this.#reached;
  }

  /** The last fetch from each URL. */
  reports(): readonly UrlReport[] {
    return [...this.#records.values()].map(({ report }) => report);
  }
}
