import { ok, strictEqual } from "node:assert/strict";
import { packOf, refsOf } from "../support/git_client.ts";
import { announced, declareAll, isServed, scene } from "./support.ts";
import { withTempDirectory } from "../support/temp.ts";

/** Longer than the five seconds after which a client has to hear something. */
const INDEXING_SECONDS = 12;

/** A git whose pack indexing takes its time; everything else is the real one. */
async function slowGit(directory: string): Promise<string> {
  const script = `#!/bin/sh
case "$*" in *index-pack*|*unpack-objects*) sleep ${INDEXING_SECONDS} ;; esac
GIT_EXEC_PATH=${directory}/bin exec /usr/bin/git "$@"
`;
  await Deno.mkdir(`${directory}/bin`);
  await Deno.writeTextFile(`${directory}/bin/git`, script, { mode: 0o755 });
  return `${directory}/bin/git`;
}

Deno.test("IO-22 G-64 while git indexes a push the client hears something at least every five seconds", () =>
  withTempDirectory(async (tools) => {
    const binary = await slowGit(tools);
    await scene(async (stage) => {
      const repository = await announced(stage, "slow");
      const stateId = await declareAll(stage.relay, repository, "purgatory:");
      const oid = (await refsOf(repository.work))["refs/heads/main"]!;
      const command = `${"0".repeat(40)} ${oid} refs/heads/main\0 report-status side-band-64k\n`;
      const head = new TextEncoder().encode(
        `${(command.length + 4).toString(16).padStart(4, "0")}${command}0000`,
      );
      const pack = await packOf(repository.work, oid);
      const response = await fetch(`${repository.url}/git-receive-pack`, {
        method: "POST",
        headers: { "Content-Type": "application/x-git-receive-pack-request" },
        body: new Blob([head, pack]),
      });
      strictEqual(response.status, 200);
      let chunks = 0;
      let text = "";
      for await (const chunk of response.body!) {
        chunks++;
        text += new TextDecoder().decode(chunk);
      }
      ok(text.includes("ok refs/heads/main"), text);
      ok(chunks > INDEXING_SECONDS / 5, `only ${chunks} pieces in ${INDEXING_SECONDS} s`);
      ok(await isServed(stage.relay, stateId));
    }, { NGIT_GIT_BINARY: binary });
  }));
