import type { NostrEvent } from "../lib/nostr/mod.ts";
import { declareAll, publish, pushAll } from "../tests/scenarios/support.ts";
import { announceOn } from "../tests/support/announce_on.ts";
import { newWorkTree } from "../tests/support/git_client.ts";
import { newSigner } from "../tests/support/keys.ts";
import { RelayClient } from "../tests/support/relay_client.ts";
import { type ServerOptions, ServerProcess } from "../tests/support/server_process.ts";
import { TcpProxy } from "../tests/support/tcp_proxy.ts";
import { fillStore } from "./filled_store.ts";
import { SERVER_ENV } from "./relay_site.ts";
import { cachedDiscussion } from "./sync_events.ts";

/** The owner of the repository has the same key each time, so that signed events can be kept. */
const OWNER_KEY = new Uint8Array(32).fill(7);
const IDENTIFIER = "bench";

/** A source with many events, and servers that follow it. */
export interface SyncSite {
  /** `30617:<owner>:<identifier>` of the repository everything is about. */
  readonly coordinate: string;
  /** Events about it on the source at the start. */
  readonly count: number;
  /** The source's public name; every byte to and from its followers passes here. */
  readonly proxy: TcpProxy;
  /** The source itself, until events are added: then it is another process. */
  readonly source: ServerProcess;
  /** Name of the source as followers use it. */
  readonly sourceUrl: string;
  /** Stops the source, puts events into its database and starts it again. */
  add(events: readonly NostrEvent[]): Promise<void>;
  /** Starts the following server on a data directory; the caller stops it. */
  follow(dataPath: string, env?: ServerOptions["env"]): Promise<ServerProcess>;
  close(): Promise<void>;
}

/** Starts a {@link SyncSite} with everything below `directory`, its servers by `program` if need be. */
export async function openSyncSite(
  directory: string,
  count: number,
  program?: ServerOptions["program"],
): Promise<SyncSite> {
  const [proxy, followerName] = await Promise.all([TcpProxy.start(), TcpProxy.start()]);
  const owner = newSigner(OWNER_KEY);
  const coordinate = `30617:${owner.pubkey}:${IDENTIFIER}`;
  const sourceUrl = `ws://localhost:${proxy.port}`;
  let source: ServerProcess | undefined;

  const startSource = async () => {
    source = await ServerProcess.start({
      dataPath: `${directory}/source`,
      env: { ...SERVER_ENV, NGIT_DOMAIN: `localhost:${proxy.port}`, NGIT_SYNC_ENABLE: "false" },
      ...(program && { program }),
    });
    proxy.backendPort = source.port;
    return source;
  };
  const add = async (events: readonly NostrEvent[]) => {
    await source?.stop();
    await fillStore(`${directory}/source`, events.map((event) => ({ insertEvents: [{ event }] })));
    await startSource();
  };
  const close = async () => {
    await source?.stop();
    await Promise.all([proxy.close(), followerName.close()]);
  };
  try {
    const relay = await RelayClient.connect((await startSource()).wsUrl);
    const work = await newWorkTree(`${directory}/work`);
    const domains = [proxy, followerName].map(({ port }) => `localhost:${port}`);
    const url = source!.cloneUrl(owner.npub, IDENTIFIER);
    const hosted = { owner, identifier: IDENTIFIER, work, url };
    await publish(relay, announceOn(owner, IDENTIFIER, domains), "purgatory:");
    await declareAll(relay, hosted, "purgatory:");
    await pushAll(hosted);
    await relay.close();
    await add(await cachedDiscussion(coordinate, count));
  } catch (error) {
    await close();
    throw error;
  }
  const follow = (dataPath: string, env: ServerOptions["env"] = {}) =>
    ServerProcess.start({
      dataPath,
      env: {
        ...SERVER_ENV,
        NGIT_DOMAIN: `localhost:${followerName.port}`,
        NGIT_SYNC_BOOTSTRAP_RELAY_URL: sourceUrl,
        ...env,
      },
      ...(program && { program }),
    });
  return {
    coordinate,
    count,
    proxy,
    get source() {
      return source!;
    },
    sourceUrl,
    add,
    follow,
    close,
  };
}
