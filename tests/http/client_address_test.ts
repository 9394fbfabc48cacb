import { strictEqual } from "node:assert/strict";
import { loadConfig } from "../../lib/config/mod.ts";
import { clientAddress } from "../../lib/http/mod.ts";

async function ranges(list: string) {
  const loaded = await loadConfig({
    args: [],
    env: { NGIT_TRUSTED_PROXIES: list },
    readTextFile: () => Promise.reject(new Deno.errors.NotFound()),
    cwd: "/",
  });
  if (!loaded.ok) throw new Error("configuration refused");
  return loaded.config.trustedProxies;
}

Deno.test("H-28 forwarded addresses are believed only from trusted peers, right-most untrusted first", async () => {
  const trusted = await ranges("loopback, 10.0.0.0/8");
  const at = (peer: string, header?: string, name = "x-forwarded-for") =>
    clientAddress(new Headers(header === undefined ? {} : { [name]: header }), peer, trusted);
  strictEqual(at("203.0.113.9", "198.51.100.1"), "203.0.113.9");
  strictEqual(at("127.0.0.1", "198.51.100.1"), "198.51.100.1");
  strictEqual(at("::ffff:127.0.0.1", "192.0.2.7, 198.51.100.1, 10.1.1.1"), "198.51.100.1");
  strictEqual(at("127.0.0.1", "evil, 198.51.100.1"), "198.51.100.1");
  strictEqual(at("127.0.0.1", "198.51.100.1, garbage"), "127.0.0.1");
  strictEqual(at("127.0.0.1", "999.1.1.1"), "127.0.0.1");
  strictEqual(at("127.0.0.1", 'for="[2001:db8::1]:4711";proto=https', "forwarded"), "2001:db8::1");
  strictEqual(at("127.0.0.1"), "127.0.0.1");
});
