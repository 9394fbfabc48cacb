import assert from "node:assert/strict";
import { announce, newSigner } from "../support/keys.ts";
import { RelayClient } from "../support/relay_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { eventually } from "../support/temp.ts";
import { withServer } from "./reload_support.ts";

/** A handshake of its own, so that the answer to a refused one can be seen. */
async function handshake(server: ServerProcess): Promise<number> {
  const response = await fetch(server.httpUrl, {
    headers: {
      connection: "upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": btoa("0123456789abcdef"),
    },
  });
  await response.body?.cancel();
  return response.status;
}

async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(url, { headers });
  await response.body?.cancel();
  return response.status;
}

async function nip11(server: ServerProcess): Promise<Record<string, unknown>> {
  const response = await fetch(server.httpUrl, { headers: { accept: "application/nostr+json" } });
  return await response.json();
}

Deno.test("C-42 lists edited in .env take effect on SIGHUP without dropping connections, and an invalid edit changes nothing", () =>
  withServer(["NGIT_RELAY_NAME=one"], async ({ server, client, reload }) => {
    const signer = newSigner();
    const publish = async (identifier: string) =>
      await client.publish(announce(signer, identifier, { domain: server.domain }));
    assert.match((await publish("first")).message, /purgatory/);

    const log = await reload(["NGIT_RELAY_NAME=one", "NGIT_REPOSITORY_BLACKLIST=second,third"]);
    assert.match(log, /NGIT_REPOSITORY_BLACKLIST: 0 → 2: second, third/);
    assert.match((await publish("second")).message, /Repository identifier second is blacklisted/);

    const rejected = await reload(
      [
        "NGIT_RELAY_NAME=two",
        "NGIT_REPOSITORY_BLACKLIST=",
        "NGIT_EVENT_BLACKLIST=foo",
        "NGIT_MAX_PUSH_BYTES=-1",
      ],
      /configuration not reloaded/,
    );
    assert.match(rejected, /"level":"error".*NGIT_EVENT_BLACKLIST.*foo/);
    assert.match(rejected, /"level":"error".*NGIT_MAX_PUSH_BYTES.*\(from \.env:5\)/);
    assert.match((await publish("third")).message, /Repository identifier third is blacklisted/);
    assert.equal((await nip11(server)).name, "one");
    const metrics = await (await fetch(`${server.httpUrl}/metrics`)).text();
    assert.match(metrics, /^ngit_config_reload_total\{result="success"\} 1$/m);
    assert.match(metrics, /^ngit_config_reload_total\{result="failure"\} 1$/m);

    await reload([`NGIT_EVENT_BLACKLIST=${signer.npub}`]);
    assert.match((await publish("fourth")).message, /Event author .* is blacklisted/);
    await reload([`NGIT_REPOSITORY_WHITELIST=fifth`]);
    assert.match((await publish("sixth")).message, /^blocked/);
    assert.match((await publish("fifth")).message, /purgatory/);
    await reload(["NGIT_ARCHIVE_WHITELIST=seventh"]);
    assert.match((await publish("eighth")).message, /archive whitelist/);
    await reload(["NGIT_ARCHIVE_GRASP_SERVICES=other.example"]);
    const elsewhere = announce(signer, "ninth", { domain: "other.example" });
    assert.match((await client.publish(elsewhere)).message, /purgatory/);
    await reload(["NGIT_OPEN_GRASP_LISTS=false"]);
    assert.match((await client.publish(signer.sign({ kind: 10317 }))).message, /^blocked/);
  }));

Deno.test("C-22 the start tells which file was read and what is set, by group and without secrets", () =>
  withServer(
    ["NGIT_REPOSITORY_BLACKLIST=a,b,c,d", "NGIT_DATABASE_AUTH_TOKEN=hushhush"],
    ({ directory, server: { log } }) => {
      assert.match(
        log,
        new RegExp(`"level":"info","target":"config","msg":"settings read from ${directory}/.env"`),
      );
      assert.match(log, /"msg":"settings: Network and storage".*"NGIT_DATABASE_BACKEND":"libsql"/);
      assert.match(log, /"msg":"settings: Curation.*"NGIT_REPOSITORY_BLACKLIST":"4: a, b, c, \.\.\."/);
      assert.match(log, /"NGIT_DATABASE_AUTH_TOKEN":"set"/);
      assert.doesNotMatch(log, /hushhush/);
      return Promise.resolve();
    },
  ));

Deno.test("C-43 a changed listener address on SIGHUP logs that a restart is required, and the old listener stays", () =>
  withServer(["NGIT_MAX_MESSAGE_BYTES=2000000"], async ({ server, client, reload }) => {
    const log = await reload(["NGIT_BIND_ADDRESS=127.0.0.1:1", "NGIT_SHUTDOWN_TIMEOUT_SECS=5"]);
    assert.match(log, /"level":"warn".*NGIT_BIND_ADDRESS: 127\.0\.0\.1:0 → 127\.0\.0\.1:1: restart required/);
    assert.match(log, /"level":"warn".*NGIT_SHUTDOWN_TIMEOUT_SECS: 30 → 5: restart required/);
    assert.match(log, /NGIT_MAX_MESSAGE_BYTES: 2000000 → 16777216: restart required/);
    assert.deepEqual(await client.query({ kinds: [1] }), []);
    assert.equal(await statusOf(`${server.httpUrl}/healthz`), 200);
  }));

Deno.test("C-42 limits, NIP-11 texts, log level, proxies and readers of metrics follow a SIGHUP on open connections", () =>
  withServer([], async ({ server, client, reload }) => {
    const refused = async (id: string, ...filters: unknown[]) => {
      const from = client.messages.length;
      client.send(["REQ", id, ...filters]);
      const [type, , reason] = await client.waitFor(
        ([kind, sub]) => (kind === "EOSE" || kind === "CLOSED") && sub === id,
        from,
      );
      return type === "CLOSED" ? String(reason) : "";
    };
    assert.equal(await refused("0123456789", {}, {}), "");
    assert.equal(await statusOf(`${server.httpUrl}/metrics`), 200);
    const far = newSigner().sign({ kind: 10317, created_at: Math.floor(Date.now() / 1000) + 1_700 });
    await reload([
      "NGIT_MAX_CONNECTIONS=1",
      "NGIT_MAX_SUBID_LENGTH=9",
      "NGIT_MAX_FILTERS_PER_REQ=1",
      "NGIT_MAX_SUBSCRIPTIONS=2",
      "NGIT_MAX_EVENT_FUTURE_SECS=900",
      "NGIT_DEFAULT_FILTER_LIMIT=80",
      "NGIT_MAX_FILTER_LIMIT=301",
      "NGIT_RELAY_NAME=Renamed",
      "NGIT_RELAY_DESCRIPTION=Described",
      "NGIT_RELAY_CONTACT=mailto:a@b.example",
      "NGIT_RELAY_ICON_URL=https://i.example/i.png",
      "NGIT_RELAY_POSTING_POLICY=https://p.example/",
      "NGIT_RELAY_PRIVACY_POLICY=https://q.example/",
      "NGIT_RELAY_TERMS_OF_SERVICE=https://t.example/",
      "NGIT_REPO_ACCEPTANCE_CRITERIA=friends",
      "NGIT_CURATION=by hand",
      "NGIT_OWNER_NPUB=" + newSigner(new Uint8Array(32).fill(7)).npub,
      "NGIT_LOG_LEVEL=debug",
    ]);
    assert.match(await refused("0123456789", {}), /invalid/);
    assert.match(await refused("two", {}, {}), /filters/);
    assert.deepEqual([await refused("one", {}), await refused("more", {})], ["", ""]);
    assert.match(await refused("many", {}), /subscriptions/);
    assert.match((await client.publish(far)).message, /too far in the future/);
    assert.equal(await handshake(server), 503);
    const { limitation, ...texts } = await nip11(server);
    assert.deepEqual(
      [texts.name, texts.description, texts.contact, texts.icon, texts.posting_policy, texts.privacy_policy],
      [
        "Renamed",
        "Described",
        "mailto:a@b.example",
        "https://i.example/i.png",
        "https://p.example/",
        "https://q.example/",
      ],
    );
    assert.deepEqual(
      [texts.terms_of_service, texts.repo_acceptance_criteria, texts.curation, texts.pubkey !== texts.self],
      ["https://t.example/", "friends", "by hand", true],
    );
    const { max_limit, default_limit, max_subscriptions, max_subid_length } = limitation as Record<
      string,
      number
    >;
    assert.deepEqual([max_limit, default_limit, max_subscriptions, max_subid_length], [301, 80, 2, 9]);
    assert.match(await (await fetch(server.httpUrl)).text(), /Renamed/);
    await eventually("requests are logged", () => /"level":"debug","target":"http"/.test(server.log));

    await reload(["NGIT_MAX_CONNECTIONS_PER_IP=1", "NGIT_METRICS_ALLOW_FROM=192.0.2.0/24"]);
    assert.equal(await handshake(server), 429);
    const metrics = `${server.httpUrl}/metrics`;
    const viaProxy = { "x-forwarded-for": "192.0.2.7" };
    assert.deepEqual([await statusOf(metrics), await statusOf(metrics, viaProxy)], [404, 200]);
    await reload(["NGIT_TRUSTED_PROXIES=none", "NGIT_METRICS_ALLOW_FROM=192.0.2.0/24"]);
    assert.equal(await statusOf(metrics, viaProxy), 404);

    await reload(["NGIT_MAX_EVENTS_PER_MINUTE=1"]);
    const signer = newSigner();
    const answers = await Promise.all(
      [1, 2].map((number) => client.publish(signer.sign({ kind: 10317, content: String(number) }))),
    );
    assert.ok(answers.some(({ message }) => message.startsWith("rate-limited")), JSON.stringify(answers));

    await reload(["NGIT_LOG_IP=full", "NGIT_METRICS_CONNECTION_PER_IP_ABUSE_THRESHOLD=1"]);
    await (await RelayClient.connect(server.wsUrl)).close();
    await eventually("it is flagged", () => /Potential abuse.*"ip":"127\.0\.0\.1"/.test(server.log));
  }));

Deno.test("C-42 two signals at once and one that finds no .env file leave a server that runs", () =>
  withServer(["NGIT_RELAY_NAME=kept"], async ({ directory, server, reload }) => {
    Deno.kill(server.pid, "SIGHUP");
    await reload(["NGIT_RELAY_NAME=next"], /NGIT_RELAY_NAME: kept → next/);
    await Deno.remove(`${directory}/.env`);
    const before = server.log.length;
    Deno.kill(server.pid, "SIGHUP");
    await eventually("it is refused", () => /was read at start and is gone/.test(server.log.slice(before)));
    assert.equal((await nip11(server)).name, "next");
  }));
