import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { announce, newSigner } from "../support/keys.ts";
import { hosted, publish } from "../scenarios/support.ts";
import { browserTest } from "./support.ts";

/** Pictures to look at; not under version control. */
const ARTEFACTS = `${import.meta.dirname}/../artefacts`;

/** Pixels by which the page is wider than the window. */
const OVERFLOW = "document.documentElement.scrollWidth - innerWidth";

browserTest("H-24 pages load nothing from elsewhere, violate no policy and fit 320 pixels", async (stage) => {
  const { server, browser, relay } = stage;
  const repository = await hosted(stage, "my-first-repository");
  const owner = newSigner();
  const waiting = announce(owner, "waiting", { domain: server.domain });
  await publish(relay, waiting, "purgatory:");
  const path = (npub: string, identifier: string) => `/${npub}/${identifier}.git`;
  const pages = {
    landing: "/",
    repository: path(repository.owner.npub, repository.identifier),
    waiting: path(owner.npub, "waiting"),
    "repository-404": path(owner.npub, "unknown"),
    "404": "/no/such/page",
  };
  await Deno.mkdir(ARTEFACTS, { recursive: true });
  const page = await browser.newPage();
  for (const [name, target] of Object.entries(pages)) {
    for (const [width, scheme] of [[1200, "dark"], [1200, "light"], [375, "dark"], [320, "light"]] as const) {
      await page.show(width, scheme);
      await page.goto(server.httpUrl + target);
      ok(await page.evaluate<number>(OVERFLOW) <= 0, `${name} is wider than ${width} pixels`);
      // A style the policy refuses would leave the browser's own margin.
      strictEqual(await page.evaluate("getComputedStyle(document.body).margin"), "0px");
      await page.screenshot(`${ARTEFACTS}/${name}-${width}-${scheme}.png`);
    }
  }
  // A page that is not found is itself reported as a failed load.
  deepStrictEqual(page.problems.filter((text) => !text.includes("404 (Not Found)")), []);
  const elsewhere = page.requested.filter((url) => !url.startsWith(server.httpUrl));
  deepStrictEqual(elsewhere, []);
});

browserTest(
  "H-24 the theme button switches, is remembered and names what it does",
  async ({ server, browser }) => {
    const page = await browser.newPage();
    await page.show(1200, "light");
    await page.goto(server.httpUrl);
    const background = "getComputedStyle(document.body).backgroundColor";
    const button = "document.getElementById('theme')";
    strictEqual(await page.evaluate(background), "rgb(255, 255, 255)");
    strictEqual(await page.evaluate(`${button}.textContent`), "Dark theme");
    await page.evaluate(`${button}.click()`);
    strictEqual(await page.evaluate(background), "rgb(20, 19, 31)");
    strictEqual(await page.evaluate("localStorage.getItem('grasp-theme')"), "dark");
    await page.goto(server.httpUrl);
    strictEqual(await page.evaluate(background), "rgb(20, 19, 31)");
    deepStrictEqual(page.problems, []);
  },
);

browserTest("H-18 the copy button copies exactly the clone command", async (stage) => {
  const { server, browser } = stage;
  const { owner, identifier } = await hosted(stage, "copied");
  const page = await browser.newPage();
  await page.goto(`${server.httpUrl}/${owner.npub}/${identifier}.git`);
  await page.evaluate(`navigator.clipboard.writeText = async (text) => { window.copied = text; }`);
  await page.evaluate("document.querySelector('[data-copy=plain]').click()");
  strictEqual(
    await page.evaluate("window.copied"),
    `git clone http://${server.domain}/${owner.npub}/copied.git`,
  );
  strictEqual(await page.evaluate("document.querySelector('[data-copy=plain]').textContent"), "Copied");
});

browserTest("H-25 the landing page says everything without script", async ({ server, browser }) => {
  const page = await browser.newPage();
  await page.allowScripts(false);
  await page.goto(server.httpUrl);
  await page.allowScripts(true);
  const text = await page.evaluate<string>("document.body.innerText");
  for (
    const part of ["GRASP-01", "NIP-01", "NIP-34", "Curation", "None", "acceptance criteria", "ngit-grasp"]
  ) {
    ok(text.includes(part), part);
  }
  const document = await (await fetch(server.httpUrl, { headers: { accept: "application/nostr+json" } }))
    .json();
  for (const name of ["name", "description", "version"]) ok(text.includes(document[name]), name);
  const link = await page.evaluate<string>("document.querySelector('a.go').href");
  match(link, new RegExp(`^https://gitworkshop\\.dev/relay/${encodeURIComponent(`ws://${server.domain}`)}$`));
  strictEqual(await page.evaluate("document.getElementById('theme').hidden"), true);
});
