import { Dice } from "../fuzz/dice.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { withTempDirectory } from "../support/temp.ts";
import { Client, type Life } from "./client.ts";
import { descendantsOf, killAll } from "./processes.ts";
import { makeSource } from "./source.ts";
import { expectSoundDatabase, verify } from "./verify.ts";

const CLIENTS = 4;
/** A life of the server lasts at most so long once it is ready and verified. */
const MAX_LIFE_MS = 700;

/** How to kill. */
export interface CrashOptions {
  readonly seed: number;
  readonly kills: number;
  /** False for a server that keeps no packs for later clones. */
  readonly packCache: boolean;
  /** Called after every restart that was found in order. */
  readonly progress?: (kill: number, answers: number, repositories: number) => void;
}

/**
 * Kills a server at random moments of a mixed workload, restarts it on the same data and compares it
 * with everything it acknowledged. Throws at the first broken promise. Returns the answers received.
 */
export function crash({ seed, kills, packCache, progress }: CrashOptions): Promise<number> {
  return withTempDirectory(async (directory) => {
    const dice = new Dice(seed);
    const dataPath = `${directory}/data`;
    const source = `${directory}/source.git`;
    const commits = await makeSource(source);
    const env = { ...(!packCache && { NGIT_PACK_CACHE_MB: "0" }) };
    let server = await ServerProcess.start({ dataPath, env });
    const { port, domain } = server;
    const setting = { domain, commits, source, clones: `${directory}/clones` };
    const clients = Array.from(
      { length: CLIENTS },
      (_, index) => new Client(`client${index}`, new Dice(dice.below(2 ** 31)), setting),
    );
    try {
      for (let kill = 0; kill <= kills; kill++) {
        if (kill > 0) server = await ServerProcess.start({ dataPath, env, port });
        await verifyAll(server, clients, { dataPath, commits, everything: kill === kills });
        if (kill > 0) progress?.(kill, ...totals(clients));
        if (kill < kills) await oneLife(server, clients, dice);
      }
      await server.stop();
      await expectSoundDatabase(`${dataPath}/relay/relay.db`);
    } catch (cause) {
      throw new Error(`${chain(cause)}\n${worthReading(server.log)}`, { cause });
    } finally {
      await server.stop();
    }
    return totals(clients)[0];
  });
}

/** Lets the clients work and kills the server meanwhile, in half of the cases with its git children. */
async function oneLife(server: ServerProcess, clients: readonly Client[], dice: Dice): Promise<void> {
  const life: Life = { server, killed: false };
  const relays = await Promise.all(clients.map(() => RelayClient.connect(server.wsUrl)));
  const work = Promise.allSettled(clients.map((client, index) => client.work(life, relays[index]!)));
  await new Promise((resolve) => setTimeout(resolve, dice.below(MAX_LIFE_MS)));
  const withChildren = dice.chance(50);
  life.killed = true;
  const children = withChildren ? await descendantsOf(server.pid) : [];
  await Promise.all([server.kill(), killAll(children)]);
  const failed = (await work).find((result) => result.status === "rejected");
  for (const relay of relays) await relay.close();
  if (failed) throw failed.reason;
}

async function verifyAll(
  server: ServerProcess,
  clients: readonly Client[],
  look: { readonly dataPath: string; readonly commits: readonly string[]; readonly everything: boolean },
): Promise<void> {
  const relay = await RelayClient.connect(server.wsUrl);
  try {
    const restarted = { server, relay, gitDataPath: `${look.dataPath}/git`, commits: look.commits };
    for (const project of clients.flatMap((client) => client.projects)) {
      if (!project.touched && !look.everything) continue;
      await verify(restarted, project);
      project.touched = false;
    }
  } finally {
    await relay.close();
  }
}

function totals(clients: readonly Client[]): [answers: number, repositories: number] {
  const sum = (of: (client: Client) => number) => clients.reduce((total, client) => total + of(client), 0);
  return [sum((client) => client.answers), sum((client) => client.projects.length)];
}

/** The warnings and errors of the last life, and how it ended. */
function worthReading(log: string): string {
  const lines = log.split("\n");
  const loud = lines.filter((line) => /"level":"(warn|error)"/.test(line));
  return ["warnings and errors:", ...loud.slice(-20), "last lines:", ...lines.slice(-20)].join("\n");
}

function chain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${chain(error.cause)}`;
}
