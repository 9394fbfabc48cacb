import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import { inflateSync } from "node:zlib";
import { encodeNpub } from "../../lib/nostr/mod.ts";
import { newSigner } from "../support/keys.ts";
import { handler, npub, pubkey, testSite } from "./support.ts";

const text = async (answer: Promise<Response>) => await (await answer).text();

Deno.test("H-24 the policy allows exactly the inline style and script that are there", async () => {
  for (const path of ["/", `/${npub}/x.git`, "/nope", "/npub1x/x.git"]) {
    const response = await handler()(path);
    const policy = response.headers.get("Content-Security-Policy")!;
    const page = await response.text();
    for (const element of ["style", "script"]) {
      const found = [...page.matchAll(new RegExp(`<${element}>([\\s\\S]*?)</${element}>`, "g"))];
      strictEqual(found.length, 1);
      const hash = createHash("sha256").update(found[0]![1]!).digest("base64");
      ok(policy.includes(`${element}-src 'sha256-${hash}'`), `${element} on ${path}`);
    }
    ok(policy.startsWith("default-src 'none'; "));
    strictEqual(response.headers.get("Referrer-Policy"), "no-referrer");
    ok(!/ (?:style|on[a-z]+)=/i.test(page), "no inline attributes");
    ok(page.startsWith("<!DOCTYPE html>"));
  }
});

Deno.test("H-25 the landing page names texts, tags, the document and the way to GitWorkshop", async () => {
  const information = {
    name: "Relay <one>",
    pubkey,
    supported_nips: [1, 11],
    software: "https://example.org/x",
    icon: "https://git.example.org/icon.png",
    contact: "javascript:alert(1)",
    limitation: { max_limit: 5000 },
  };
  const site = {
    ...testSite,
    name: "Relay <one>",
    supportedGrasps: ["GRASP-01", "GRASP-99"],
    curation: "Picked",
    information,
  };
  const page = await text(handler({ site })("/"));
  match(page, /<h1>Relay &lt;one&gt;<\/h1>/);
  match(page, /<title>Relay &lt;one&gt;<\/title>/);
  match(page, /href="https:\/\/gitworkshop\.dev\/relay\/git\.example\.org"/);
  match(page, /Nostr Authorised HTTP Git Server/);
  match(page, /<h3>GRASP-99<\/h3>/);
  match(page, /NIP-01/);
  match(page, /Picked/);
  match(page, /<a href="https:\/\/example\.org\/x"/);
  match(page, new RegExp(`<code>${pubkey}</code>`));
  match(page, /max_limit: 5000/);
  match(page, /src="\/icon\.png" alt="Icon of Relay &lt;one&gt;"/);
  ok(!page.includes('href="javascript:'));
  match(
    await text(handler({ site: { ...site, scheme: "http" } })("/")),
    /relay\/ws%3A%2F%2Fgit\.example\.org"/,
  );
});

Deno.test("H-18 a repository page tells what announcement and state say, escaped", async () => {
  const maintainer = newSigner().pubkey;
  const page = await text(
    handler({
      repositoryFacts: () =>
        Promise.resolve({
          state: "active",
          name: "A <b>name</b>",
          description: `<script>alert(1)</script> \u202Egpj.exe`,
          maintainers: [pubkey, maintainer],
          defaultBranch: "main",
          branches: 3,
          tags: 7,
        }),
    })(`/${npub}/x.git`),
  );
  match(page, /A &lt;b&gt;name&lt;\/b&gt;/);
  match(page, /&lt;script&gt;alert\(1\)&lt;\/script&gt; \u27e8U\+202E\u27e9gpj\.exe/);
  match(page, /<dd>main<\/dd>/);
  match(page, /<dd>3<\/dd>/);
  match(page, /<dd>7<\/dd>/);
  for (const key of [pubkey, maintainer]) match(page, new RegExp(encodeNpub(key)));
  match(page, new RegExp(`<pre id="plain">git clone https://git.example.org/${npub}/x.git</pre>`));
  match(page, new RegExp(`<pre id="nostr">git clone nostr://${npub}/git.example.org/x</pre>`));
  match(page, /<pre id="install">curl -Ls https:\/\/ngit\.dev\/install\.sh \| bash<\/pre>/);
});

Deno.test("H-20 a repository in purgatory shows that it waits, and nothing else of its events", async () => {
  const waiting = await handler({ repositoryFacts: () => Promise.resolve({ state: "purgatory" }) })(
    `/${npub}/x.git`,
  );
  strictEqual(waiting.status, 200);
  const page = await waiting.text();
  match(page, /Waiting for git data/);
  ok(!/<dl>|Maintainers|Default branch|name="description"/.test(page));
  ok(!/Waiting/.test(await text(handler()(`/${npub}/x.git`))));
});

Deno.test("not found pages cut what they repeat and are not cached", async () => {
  const long = await handler()(`/${"a".repeat(3_000)}`);
  strictEqual(/a{100,}/.exec(await long.text())![0].length, 499);
  strictEqual(long.headers.get("Cache-Control"), "no-store");
  const repository = await text(handler()(`/npub1${"b".repeat(400)}/x.git`));
  ok(!repository.includes("b".repeat(97)));
});

Deno.test("H-32 the icon is a PNG of 512 pixels whose rows are complete, cached for a day", async () => {
  const response = await handler()("/icon.png");
  strictEqual(response.headers.get("Content-Type"), "image/png");
  strictEqual(response.headers.get("Cache-Control"), "public, max-age=86400");
  const png = new Uint8Array(await response.arrayBuffer());
  deepStrictEqual([...png.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const view = new DataView(png.buffer);
  deepStrictEqual([view.getUint32(16), view.getUint32(20)], [512, 512]);
  strictEqual(String.fromCharCode(...png.subarray(37, 41)), "IDAT");
  const rows = inflateSync(png.subarray(41, 41 + view.getUint32(33)));
  strictEqual(rows.length, 512 * (1 + 512 * 4));
  const favicon = new Uint8Array(await (await handler()("/favicon.ico")).arrayBuffer());
  deepStrictEqual(favicon, png);
  match(await text(handler()("/robots.txt")), /Disallow: \/metrics/);
});
