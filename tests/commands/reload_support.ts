import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";

/** A server whose `.env` file a test edits. */
export interface Stage {
  /** Where its `.env` file and its data are. */
  readonly directory: string;
  readonly server: ServerProcess;
  /** Opened before every change of the settings. */
  readonly client: RelayClient;
  /** Writes the `.env` file, sends SIGHUP and waits until the log has `expected` after that. */
  reload(lines: readonly string[], expected?: RegExp): Promise<string>;
}

/** A server whose settings come from a `.env` file as far as tests change them. */
export async function withServer(
  dotenv: readonly string[],
  work: (stage: Stage) => Promise<void>,
): Promise<void> {
  await withTempDirectory(async (dataPath) => {
    const write = (lines: readonly string[]) =>
      Deno.writeTextFile(`${dataPath}/.env`, ["NGIT_BIND_ADDRESS=127.0.0.1:0", ...lines].join("\n"));
    await write(dotenv);
    const fromFile = { NGIT_BIND_ADDRESS: "", NGIT_LOG_LEVEL: "", NGIT_MAX_EVENTS_PER_MINUTE: "" };
    const server = await ServerProcess.start({ dataPath, env: fromFile });
    const client = await RelayClient.connect(server.wsUrl);
    const reload: Stage["reload"] = async (lines, expected = /configuration reloaded/) => {
      const before = server.log.length;
      await write(lines);
      Deno.kill(server.pid, "SIGHUP");
      await eventually(`the log says ${expected}`, () => expected.test(server.log.slice(before)));
      return server.log.slice(before);
    };
    try {
      await work({ directory: dataPath, server, client, reload });
      await client.close();
    } finally {
      await server.stop();
    }
  });
}
