import assert from "node:assert/strict";
import { ServerProcess } from "../support/server_process.ts";
import { withTempDirectory } from "../support/temp.ts";

const CONTAINERFILE = new URL("../../docs/deploy/Containerfile", import.meta.url);

/** The health check's command, for a server on `port`. */
async function healthCheck(port: number): Promise<number> {
  const text = (await Deno.readTextFile(CONTAINERFILE)).replaceAll("\\\n", "");
  const words: unknown = JSON.parse(/^HEALTHCHECK .* CMD (\[.*\])$/m.exec(text)![1]!);
  assert.ok(Array.isArray(words));
  const [command, ...args] = words.map((word) => String(word).replace("/7334", `/${port}`));
  return (await new Deno.Command(command!, { args, stdin: "null", stderr: "null" }).output()).code;
}

Deno.test("the container's health check tells a server that answers from one that is gone", () =>
  withTempDirectory(async (directory) => {
    const server = await ServerProcess.start({ dataPath: directory });
    try {
      assert.equal(await healthCheck(server.port), 0);
    } finally {
      await server.stop();
    }
    assert.notEqual(await healthCheck(server.port), 0);
  }));

Deno.test("the container runs as a user of its own, and everything it copies is made by the packaging task", async () => {
  const text = await Deno.readTextFile(CONTAINERFILE);
  const instructions = text.split("\n").filter((line) => /^(?:USER|COPY|RUN|ENTRYPOINT|FROM)\b/.test(line));
  const user = instructions.indexOf("USER ngit-grasp");
  assert.ok(user > 0 && user < instructions.findIndex((line) => line.startsWith("ENTRYPOINT")));
  assert.deepEqual(instructions.filter((line) => line.startsWith("COPY")), [
    "COPY --chmod=0755 dist/ngit-grasp /usr/local/bin/ngit-grasp",
  ]);
});
