import { RelayClient } from "../tests/support/relay_client.ts";
import type { ServerProcess } from "../tests/support/server_process.ts";
import { percentile } from "./measure.ts";

const LOOK_MS = 25;
const LOOKS_PER_SAMPLE = 20;

/** How a server fared while it followed another one. */
export interface Followed {
  readonly seconds: number;
  /** Milliseconds until `/healthz` answered, sampled all the time: what clients feel of a busy event loop. */
  readonly healthP50Ms: number;
  readonly healthP99Ms: number;
  /** Longest delay of the event loop the server itself saw, in milliseconds. */
  readonly worstLagMs: number;
  readonly maxResidentMiB: number;
}

/** Watches a server until `done` (given its metrics) says so. Throws after `deadlineMs`. */
export async function watchUntil(
  server: ServerProcess,
  deadlineMs: number,
  done: (metrics: string) => boolean,
): Promise<Followed> {
  const start = performance.now();
  const health: number[] = [];
  let worstLagMs = 0;
  let maxResident = 0;
  for (let look = 1;; look++) {
    health.push(await timeOf(`${server.httpUrl}/healthz`));
    if (look % LOOKS_PER_SAMPLE === 0) {
      const metrics = await metricsOf(server);
      worstLagMs = Math.max(worstLagMs, 1000 * valueOf(metrics, "ngit_event_loop_lag_seconds"));
      maxResident = Math.max(maxResident, await server.residentBytes());
      const seconds = (performance.now() - start) / 1000;
      if (done(metrics)) {
        return {
          seconds,
          healthP50Ms: percentile(health, 0.5),
          healthP99Ms: percentile(health, 0.99),
          worstLagMs,
          maxResidentMiB: maxResident / 2 ** 20,
        };
      }
      if (seconds * 1000 > deadlineMs) throw new Error(`not there after ${Math.round(seconds)} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** The text of a server's `/metrics`. */
export async function metricsOf(server: ServerProcess): Promise<string> {
  return await (await fetch(`${server.httpUrl}/metrics`)).text();
}

/** Value of a series (name with its labels as printed) in the text of `/metrics`; NaN when it is not there. */
export function valueOf(metrics: string, series: string): number {
  const line = metrics.split("\n").find((text) => text.startsWith(`${series} `));
  return line === undefined ? NaN : Number(line.slice(series.length + 1));
}

/** Status gauge of one followed relay: 3 is Connected, all its history is here. */
export function statusOf(metrics: string, relay: string): number {
  return valueOf(metrics, `ngit_sync_relay_connected{relay="${relay}"}`);
}

/** Number of served events that match a filter. */
export async function countOf(server: ServerProcess, filter: Record<string, unknown>): Promise<number> {
  const relay = await RelayClient.connect(server.wsUrl);
  relay.send(["COUNT", "all", filter]);
  const [, , answer] = await relay.waitFor(([type]) => type === "COUNT" || type === "CLOSED");
  await relay.close();
  return (answer as { count?: number }).count ?? 0;
}

async function timeOf(url: string): Promise<number> {
  const start = performance.now();
  await (await fetch(url)).body?.cancel();
  return performance.now() - start;
}
