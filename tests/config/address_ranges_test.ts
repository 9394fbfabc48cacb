import assert from "node:assert/strict";
import { inRanges } from "../../lib/config/mod.ts";
import { loadInvalid, loadValid } from "./support.ts";

Deno.test("address lists: words, prefixes and single addresses of both families", async () => {
  const text = "loopback, 10.1.0.0/16, 2001:db8::/33, 192.0.2.7";
  const { trustedProxies } = await loadValid({ env: { NGIT_TRUSTED_PROXIES: text } });
  for (
    const inside of ["127.9.9.9", "::1", "10.1.255.1", "2001:db8:7fff::1", "192.0.2.7", "::ffff:10.1.2.3"]
  ) {
    assert.ok(inRanges(trustedProxies, inside), inside);
  }
  for (const outside of ["10.2.0.1", "2001:db8:8000::1", "192.0.2.8", "::2", "", "localhost", "10.1"]) {
    assert.ok(!inRanges(trustedProxies, outside), outside);
  }
});

Deno.test("address lists: any and none stand alone, and only where they are allowed", async () => {
  const open = await loadValid({ env: { NGIT_METRICS_ALLOW_FROM: "ANY" } });
  assert.ok(inRanges(open.metricsAllowFrom, "203.0.113.1") && inRanges(open.metricsAllowFrom, "2001:db8::1"));
  const closed = await loadValid({ env: { NGIT_METRICS_ALLOW_FROM: "none" } });
  assert.ok(!inRanges(closed.metricsAllowFrom, "127.0.0.1"));
  assert.match(
    (await loadInvalid({ env: { NGIT_METRICS_ALLOW_FROM: "any,10.0.0.0/8" } })).stderr,
    /'any' must be the only entry/,
  );
  for (
    const text of ["any", "10.0.0.0/33", "10.1/16", "10.0.0.0/-1", "host.example", "::/129", "1.2.3.4/8/8"]
  ) {
    assert.match((await loadInvalid({ env: { NGIT_TRUSTED_PROXIES: text } })).stderr, /invalid entry/, text);
  }
});
