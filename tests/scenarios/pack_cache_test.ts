import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { git, tryGit } from "../support/git_client.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";
import { type Hosted, hosted, packRequests } from "./support.ts";

for (const [label, size] of [["with", "64"], ["without", "0"]] as const) {
  Deno.test(`G-14 G-16 clones ${label} a pack cache: a restart, a deletion request and a blacklist end them`, () =>
    withTempDirectory(async (directory) => {
      const dataPath = `${directory}/data`;
      const folder = `${dataPath}/git/.pack-cache`;
      const files = async () =>
        (await Array.fromAsync(Deno.readDir(folder)).catch(() => [])).map(({ name }) => name);
      let server = await ServerProcess.start({ dataPath, env: { NGIT_PACK_CACHE_MB: size } });
      let clones = 0;
      const clone = async ({ url }: Hosted) => {
        const target = `${directory}/clone-${clones++}`;
        const { code, stderr } = await tryGit(directory, "clone", "-q", url, target);
        if (code === 0) await git(target, "fsck", "--full");
        return { code, stderr };
      };
      try {
        let relay = await RelayClient.connect(server.wsUrl);
        const one = await hosted({ directory, server, relay }, "one");
        const two = await hosted({ directory, server, relay }, "two");
        await relay.close();
        await new Promise((resolve) => setTimeout(resolve, 60));
        for (const repository of [one, two, one, two]) strictEqual((await clone(repository)).code, 0);
        const isOn = size !== "0";
        strictEqual(await packRequests(server, "bypass") > 0, !isOn);
        strictEqual(await packRequests(server, "hit") >= 2, isOn);
        strictEqual((await files()).length > 0, isOn);

        // A power cut in the middle of a clone leaves a part of a file.
        await server.kill();
        await Deno.mkdir(folder, { recursive: true });
        await Deno.writeTextFile(`${folder}/9.part`, "half a pack");
        const env = { NGIT_PACK_CACHE_MB: size };
        server = await ServerProcess.start({ dataPath, port: server.port, env });
        deepStrictEqual(await files(), []);
        for (const repository of [one, one, two]) strictEqual((await clone(repository)).code, 0);

        relay = await RelayClient.connect(server.wsUrl);
        const { owner, identifier } = one;
        const address = `30617:${owner.pubkey}:${identifier}`;
        ok((await relay.publish(owner.sign({ kind: 5, tags: [["a", address]] }))).accepted);
        await relay.close();
        match((await clone(one)).stderr, /not found/);
        await eventually("only the other one's pack is kept", async () => (await files()).length <= 1);
        strictEqual((await clone(two)).code, 0);

        await server.stop();
        const blacklist = { ...env, NGIT_REPOSITORY_BLACKLIST: two.owner.npub };
        server = await ServerProcess.start({ dataPath, port: server.port, env: blacklist });
        match((await clone(two)).stderr, /not found/);
      } finally {
        await server.stop();
      }
    }));
}
