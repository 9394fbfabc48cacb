import { loadConfig, loadRelayKey } from "../../lib/config/mod.ts";
import type { Logger } from "../../lib/observe/mod.ts";
import { type RunningServer, startServer } from "../../lib/server.ts";
import { type Clock, systemClock, systemRandom } from "../../lib/world/mod.ts";
import { silentLog } from "./silent_log.ts";

/** How to start a server in the process of the test. */
export interface HereOptions {
  /** Working directory; data goes below it. */
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** Runs `play` with a server of this process, whose clock and log the test may choose, and stops it. */
export async function withServerHere(
  { directory, env, clock = systemClock, log = silentLog }: HereOptions,
  play: (server: RunningServer) => Promise<void>,
): Promise<void> {
  const loaded = await loadConfig({
    args: [],
    env: { NGIT_BIND_ADDRESS: "127.0.0.1:0", ...env },
    cwd: directory,
    readTextFile: Deno.readTextFile,
  });
  if (!loaded.ok) throw new Error(loaded.problems.map((problem) => JSON.stringify(problem)).join());
  const { config } = loaded;
  const key = await loadRelayKey(config, directory, systemRandom);
  if (!key.ok) throw new Error(key.problem);
  const paths = { gitDataPath: `${directory}/git`, relayDataPath: `${directory}/relay` };
  const server = await startServer({
    config: { ...config, ...paths },
    key: () => Promise.resolve(key.key),
    clock,
    random: systemRandom,
    log,
    searchPath: Deno.env.get("PATH") ?? "/usr/bin:/bin",
  });
  try {
    await play(server);
  } finally {
    await server.stop();
  }
}
