import { initNostrWasm } from "nostr-wasm";
import type { NostrEvent } from "../lib/nostr/mod.ts";
import { hosted } from "../tests/scenarios/support.ts";
import { RelayClient } from "../tests/support/relay_client.ts";
import { ServerProcess } from "../tests/support/server_process.ts";

/** Environment of measured servers: what a busy public server would set. */
export const SERVER_ENV = {
  NGIT_LOG_LEVEL: "info",
  NGIT_MAX_EVENTS_PER_MINUTE: "100000",
};

/** A running server with one hosted repository that events can refer to. */
export interface RelaySite {
  readonly server: ServerProcess;
  /** `30617:<owner>:<identifier>` */
  readonly coordinate: string;
  /** Signs `count` events that the server will accept; each call makes new ones. */
  sign(count: number): Promise<NostrEvent[]>;
  close(): Promise<void>;
}

/** Starts a {@link RelaySite} with its data below `directory`, and with more options if need be. */
export async function openRelaySite(
  directory: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RelaySite> {
  const server = await ServerProcess.start({ dataPath: `${directory}/data`, env: { ...SERVER_ENV, ...env } });
  const close = async () => void await server.stop();
  try {
    const relay = await RelayClient.connect(server.wsUrl);
    const { owner, identifier } = await hosted({ directory, server, relay }, "bench");
    await relay.close();
    const coordinate = `30617:${owner.pubkey}:${identifier}`;
    let batch = 0;
    return { server, coordinate, sign: (count) => signIssues(coordinate, count, batch++), close };
  } catch (error) {
    await close();
    throw error;
  }
}

const AUTHORS = 50;
const TEXT = "The build fails on a clean checkout when the cache directory does not exist yet. ".repeat(4);

/** Issues (NIP-34, kind 1621) of several authors about one repository, about 900 bytes each. */
export async function signIssues(coordinate: string, count: number, batch: number): Promise<NostrEvent[]> {
  const wasm = await initNostrWasm();
  const keys = Array.from({ length: AUTHORS }, () => wasm.generateSecretKey());
  const owner = coordinate.split(":")[1]!;
  const firstSecond = Math.floor(Date.now() / 1000) - 100_000 + batch;
  return Array.from({ length: count }, (_, index) => {
    const event = {
      kind: 1621,
      created_at: firstSecond + (index % 90_000),
      tags: [["a", coordinate], ["p", owner], ["subject", `issue ${batch}/${index}`], ["t", "bug"]],
      content: `${index}: ${TEXT}`,
      id: "",
      pubkey: "",
      sig: "",
    };
    wasm.finalizeEvent(event, keys[index % AUTHORS]!);
    return event;
  });
}
