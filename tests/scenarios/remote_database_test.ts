import { match, ok, rejects, strictEqual } from "node:assert/strict";
import { commitFile, git, tryGit } from "../support/git_client.ts";
import { announce, newSigner } from "../support/keys.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { Sqld } from "../support/sqld.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { withTempDirectory } from "../support/temp.ts";
import { declareAll, hosted, pushAll } from "./support.ts";

const DEADLINE_MS = 20_000;

/** A database server behind a proxy, whose URL stands while the database server comes and goes. */
async function withDatabase(
  work: (directory: string, sqld: Sqld, proxy: TcpProxy) => Promise<void>,
): Promise<void> {
  await withTempDirectory(async (directory) => {
    const sqld = await Sqld.start({ directory });
    const proxy = await TcpProxy.start(sqld.port);
    try {
      await work(directory, sqld, proxy);
    } finally {
      await proxy.close();
      await sqld.kill();
    }
  });
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + DEADLINE_MS; !await holds();) {
    ok(Date.now() < end, "it took too long");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function readyz(server: ServerProcess): Promise<string> {
  const response = await fetch(`${server.httpUrl}/readyz`);
  return `${response.status} ${await response.text()}`;
}

Deno.test("with a database server gone EVENT, REQ and push are refused in words and readiness names the db; it all works again without a restart", () =>
  withDatabase(async (directory, _sqld, proxy) => {
    const url = `http://127.0.0.1:${proxy.port}`;
    const env = { NGIT_DATABASE_URL: url };
    const server = await ServerProcess.start({ dataPath: `${directory}/data`, env });
    const relay = await RelayClient.connect(server.wsUrl);
    try {
      const repository = await hosted({ directory, server, relay }, "remote");
      await commitFile(repository.work, "second", "second\n");

      proxy.accepting = "refuse";
      proxy.cut("rst");
      const refused = await relay.publish(announce(newSigner(), "other", { domain: server.domain }));
      strictEqual(refused.accepted, false);
      match(refused.message, /^error: /);
      relay.send(["REQ", "gone", { kinds: [30617] }]);
      const closed = await relay.waitFor((message) => message[0] === "CLOSED" && message[1] === "gone");
      match(String(closed[2]), /^error: /);
      const push = await tryGit(repository.work, "push", repository.url, "main");
      ok(push.code !== 0);
      match(push.stderr, /authorisation failed: internal error, try again/);
      await git(directory, "clone", "-q", repository.url, `${directory}/meanwhile`);
      await until(async () => /^503 .*db/s.test(await readyz(server)));

      proxy.accepting = "pass";
      await declareAll(relay, repository, "purgatory:", Math.floor(Date.now() / 1000));
      await pushAll(repository);
      await git(directory, "clone", "-q", repository.url, `${directory}/clone`);
      strictEqual((await relay.query({ kinds: [30617] })).length, 1);
      await until(async () => (await readyz(server)).startsWith("200"));
    } catch (error) {
      console.error(server.log.slice(-6_000));
      throw error;
    } finally {
      await relay.close();
      await server.stop();
    }
  }));

Deno.test("C-25 a start without its database server, or beside another server on the same database, ends at once and says why", () =>
  withDatabase(async (directory, sqld) => {
    const token = "hushhush";
    const env = { NGIT_DATABASE_URL: sqld.url, NGIT_DATABASE_AUTH_TOKEN: token };
    const first = await ServerProcess.start({ dataPath: `${directory}/first`, env });
    try {
      await rejects(ServerProcess.start({ dataPath: `${directory}/second`, env }), (error: Error) => {
        match(error.message, /error: cannot open database at http:\S+: another server uses it/);
        return true;
      });
      await first.kill();
      const again = await ServerProcess.start({ dataPath: `${directory}/first`, env });
      strictEqual(await again.stop(), 0);
      ok(!(first.log + again.log).includes(token));
    } finally {
      await first.kill();
    }
    await sqld.kill();
    await rejects(ServerProcess.start({ dataPath: `${directory}/second`, env }), (error: Error) => {
      match(
        error.message,
        /error: cannot open database at http:\S+: the database server cannot be reached: /,
      );
      ok(!error.message.includes(token));
      return true;
    });
  }));
