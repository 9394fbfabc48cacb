import { createVerifier, eventHash, KIND, type NostrEvent } from "../../nostr/mod.ts";
import { syncSettings } from "../../sync/mod.ts";
import { systemRandom } from "../../world/mod.ts";
import type { DataBeside } from "../beside.ts";
import { commandLog } from "../command_log.ts";
import { relayHistory } from "../relay_history.ts";
import type { RepositoryEvents } from "./events.ts";

const VERIFY_WORKERS = 2;
/** Most announcements and states that are held. */
const MAX_EVENTS = 200_000;

/**
 * Announcements and states that a relay serves and their authors signed. Throws one sentence when not all
 * of them could be read.
 */
export async function eventsThere(
  { config, store, clock }: Pick<DataBeside, "config" | "store" | "clock">,
  url: string,
): Promise<RepositoryEvents> {
  const received = new Map<string, NostrEvent>();
  const request = (kind: number) => ({ filter: { kinds: [kind], tags: new Map() }, what: `kind ${kind}` });
  const problem = await relayHistory(
    {
      url,
      settings: syncSettings(config),
      secretKey: systemRandom.bytes(32),
      store,
      clock,
      random: systemRandom,
      log: commandLog("error"),
      skipHeld: false,
      received: (event) => {
        if (received.size === MAX_EVENTS) {
          throw new Error(`${url} sends more than ${MAX_EVENTS} announcements and states`);
        }
        received.set(event.id + event.sig, event);
      },
    },
    [KIND.announcement, KIND.state].map(request),
    () => {},
  );
  if (problem !== undefined) throw new Error(problem);
  const genuine = await genuineAmong([...received.values()], config.secp256k1Library);
  return {
    announcements: genuine.filter(({ kind }) => kind === KIND.announcement),
    states: genuine.filter(({ kind }) => kind === KIND.state),
  };
}

async function genuineAmong(events: readonly NostrEvent[], library: string): Promise<NostrEvent[]> {
  const verifier = createVerifier({ workers: VERIFY_WORKERS, library, log: commandLog("error") });
  try {
    const valid = await Promise.all(
      events.map(async (event) => eventHash(event) === event.id && await verifier.verify(event)),
    );
    return events.filter((_, index) => valid[index]);
  } finally {
    verifier.close();
  }
}
