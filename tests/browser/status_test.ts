import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { announce, declare, newSigner } from "../support/keys.ts";
import { hosted, publish } from "../scenarios/support.ts";
import { eventually } from "../support/temp.ts";
import { browserTest } from "./support.ts";

/** Pictures to look at; not under version control. */
const ARTEFACTS = `${import.meta.dirname}/../artefacts`;

browserTest("the operator's status page shows every list and fits 320 pixels", async (stage) => {
  const { server, browser, relay } = stage;
  const owner = newSigner();
  await hosted(stage, "present", owner);
  const waiting = announce(owner, "waiting", { domain: server.domain });
  await publish(relay, waiting, "purgatory:");
  const refs = Object.fromEntries(
    ["main", "next", "old"].map((branch, at) => [`refs/heads/${branch}`, String(at + 1).repeat(40)]),
  );
  await publish(relay, declare(owner, "waiting", refs), "purgatory:");
  const page = await browser.newPage();
  await eventually("everything is listed", async () => {
    await page.goto(`${server.httpUrl}/status`);
    return await page.evaluate<number>("document.querySelectorAll('table').length") === 4;
  });
  const heads = await page.evaluate<string[]>("[...document.querySelectorAll('h2')].map((h) => h.innerText)");
  deepStrictEqual(heads, ["Peers (1)", "Purgatory (2)", "Hunts (1)", "Disk by owner (1)"]);
  const text = await page.evaluate<string>("document.querySelector('main').innerText");
  ok(text.includes("refs/heads/main at 111111111111, refs/heads/next at 222222222222 and 1 more"), text);
  await Deno.mkdir(ARTEFACTS, { recursive: true });
  for (const [width, scheme] of [[1200, "dark"], [1200, "light"], [320, "light"]] as const) {
    await page.show(width, scheme);
    await page.goto(`${server.httpUrl}/status`);
    const overflow = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
    ok(overflow <= 0, `wider than ${width} pixels`);
    await page.screenshot(`${ARTEFACTS}/status-${width}-${scheme}.png`);
  }
  deepStrictEqual(page.problems, []);
  strictEqual(page.requested.filter((url) => !url.startsWith(server.httpUrl)).length, 0);
}, { NGIT_TEST: "1", NGIT_SYNC_BOOTSTRAP_RELAY_URL: "ws://127.0.0.1:9" });
