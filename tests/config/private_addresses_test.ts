import assert from "node:assert/strict";
import { allowsPrivateAddresses } from "../../lib/config/mod.ts";
import { dialing, getting, testNetwork, withHttp, withPeer } from "../outgoing/support.ts";
import { load, loadValid } from "./support.ts";

Deno.test("private addresses are allowed as set, else in test mode or when our own domain is one", async () => {
  const table: readonly (readonly [string, string, string | undefined, boolean])[] = [
    ["auto", "git.example", undefined, false],
    ["auto", "git.example", "1", true],
    ["auto", "git.example:8443", undefined, false],
    ["auto", "localhost:7334", undefined, true],
    ["auto", "127.0.0.5", undefined, true],
    ["auto", "[::1]:7334", undefined, true],
    ["auto", "192.168.1.4:7334", undefined, true],
    ["auto", "10.0.0.1", undefined, true],
    ["auto", "[fd00::1]", undefined, true],
    ["auto", "93.184.215.14", undefined, false],
    ["true", "git.example", undefined, true],
    ["false", "localhost:7334", "1", false],
  ];
  for (const [word, domain, test, expected] of table) {
    const env = { NGIT_ALLOW_PRIVATE_ADDRESSES: word, NGIT_DOMAIN: domain, ...(test && { NGIT_TEST: test }) };
    assert.equal(allowsPrivateAddresses(await loadValid({ env })), expected, `${word} ${domain} ${test}`);
  }
  assert.equal(allowsPrivateAddresses(await loadValid({})), true, "the derived domain is localhost");
});

Deno.test("C-45 the old name alone allows private addresses to relays and git hosts alike, with one warning", async () => {
  const env = { NGIT_DOMAIN: "git.example", NGIT_SYNC_ALLOW_PRIVATE_RELAYS: "true" };
  const config = await loadValid({ env });
  assert.equal(config.warnings.length, 1);
  assert.match(
    config.warnings[0]!,
    /NGIT_SYNC_ALLOW_PRIVATE_RELAYS is an old name of NGIT_ALLOW_PRIVATE_ADDRESSES/,
  );
  const limits = { signal: new AbortController().signal, timeoutMs: 1_000 };
  for (const allowPrivate of [allowsPrivateAddresses(config), false]) {
    const { network } = testNetwork({ allowPrivate });
    await withPeer(() => {}, async (port) => {
      const dialled = await network.dial(dialing(`ws://127.0.0.1:${port}`));
      assert.equal(dialled.ok, allowPrivate);
      if (dialled.ok) dialled.socket.close();
    });
    await withHttp(() => new Response("refs"), async (port) => {
      assert.equal((await network.get(getting(`http://127.0.0.1:${port}/`))).ok, allowPrivate);
      assert.equal((await network.pin(`http://127.0.0.1:${port}/x.git`, limits)).ok, allowPrivate);
    });
  }
});

Deno.test("aliases, the private address switch, the naughty list and the pace per git host take effect without a warning", async () => {
  const loaded = await load({
    env: {
      NGIT_DOMAIN: "git.example",
      NGIT_DOMAIN_ALIASES: "other.example,Third.example:8443",
      NGIT_ALLOW_PRIVATE_ADDRESSES: "false",
      NGIT_NAUGHTY_LIST_EXPIRATION_HOURS: "0",
      NGIT_SYNC_GIT_MAX_CONCURRENT_PER_HOST: "1",
      NGIT_SYNC_GIT_MAX_PER_MINUTE_PER_HOST: "2",
    },
  });
  assert.ok(loaded.ok);
  assert.deepEqual(loaded.warnings, []);
  assert.deepEqual(loaded.config.domainAliases, ["other.example", "third.example:8443"]);
  assert.equal(loaded.config.naughtyListExpirationHours, 0);
});
