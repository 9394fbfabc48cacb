import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeNpub } from "../../lib/nostr/mod.ts";
import {
  hostOf,
  isGraspShaped,
  normaliseCloneUrl,
  normaliseRelayUrl,
  OwnAddresses,
  relayUrlsOf,
} from "../../lib/outgoing/mod.ts";

const NPUB = encodeNpub("a".repeat(64));

/** Spelling, and its one form; undefined when it is refused. */
const RELAYS: readonly (readonly [string, string | undefined])[] = [
  ["wss://relay.example", "wss://relay.example"],
  ["WSS://Relay.EXAMPLE", "wss://relay.example"],
  ["relay.example", "wss://relay.example"],
  ["relay.example:8080", "wss://relay.example:8080"],
  ["https://relay.example/", "wss://relay.example"],
  ["wss://relay.example:443", "wss://relay.example"],
  ["wss://relay.example.", "wss://relay.example"],
  ["  wss://relay.example/#top ", "wss://relay.example"],
  ["wss://relay.example///", "wss://relay.example"],
  ["wss://re\u0000lay.exa\nmple", "wss://relay.example"],
  ["http://relay.example:80", "ws://relay.example"],
  ["ws://relay.example:443", "ws://relay.example:443"],
  ["http://relay.example:443/", "ws://relay.example:443"],
  ["wss://bücher.example/Path/?A=b", "wss://xn--bcher-kva.example/Path?A=b"],
  ["wss://relay.example/a%7Eb/", "wss://relay.example/a%7Eb"],
  ["wss://relay.example/?q=1", "wss://relay.example?q=1"],
  ["wss://[2606:4700:0::1]:443", "wss://[2606:4700::1]"],
  ["ws://127.0.0.1:7334", "ws://127.0.0.1:7334"],
  ["localhost:7334", "wss://localhost:7334"],
  ["", undefined],
  ["   ", undefined],
  ["wss://", undefined],
  ["wss://.", undefined],
  ["wss://user@relay.example", undefined],
  ["wss://@relay.example", undefined],
  ["wss://u:p@relay.example", undefined],
  ["wss://relay.example\\@evil.example", undefined],
  ["wss://re lay.example", undefined],
  ["wss://relay.example:70000", undefined],
  ["git://relay.example", undefined],
  ["ssh://relay.example", undefined],
  ["nostr:npub1", undefined],
  ["wss:/relay.example", undefined],
  ["//relay.example", undefined],
  ["wss://0x7f.1", undefined],
  ["wss://2130706433", undefined],
  [`wss://relay.example/${"a".repeat(500)}`, undefined],
  [`wss://relay.example/${"ü".repeat(200)}`, undefined],
];

Deno.test("S-22 all spellings of a relay URL have one form, and what is none is refused", () => {
  for (const [text, expected] of RELAYS) {
    assert.equal(normaliseRelayUrl(text), expected, JSON.stringify(text));
  }
});

Deno.test("S-22 normalising twice changes nothing", () => {
  const host = fc.constantFrom(
    "Relay.example",
    "a.b.",
    "bücher.example",
    "[::1]",
    "10.0.0.1",
    "x",
    "[::ffff:1.2.3.4]",
  );
  const spelling = fc.tuple(
    fc.constantFrom("", "ws://", "WSS://", "http://", "https://"),
    host,
    fc.constantFrom("", ":80", ":443", ":8080", ":0080"),
    fc.oneof(fc.constantFrom("", "/", "//", "/a/?b#c", "?q", "/%zz", "/ä//"), fc.string()),
  ).map((parts) => parts.join(""));
  fc.assert(fc.property(fc.oneof(spelling, fc.webUrl(), fc.string()), (text) => {
    const once = normaliseRelayUrl(text);
    if (once === undefined) return;
    assert.equal(normaliseRelayUrl(once), once);
    assert.match(once, /^wss?:\/\/[^/?#@\s]+/);
  }));
  fc.assert(fc.property(fc.oneof(spelling, fc.webUrl()), (text) => {
    const once = normaliseCloneUrl(text);
    if (once.ok) assert.deepEqual(normaliseCloneUrl(once.url), once);
  }));
});

Deno.test("P-77 clone URLs: http and https in one form, other schemes and shapes told apart", () => {
  const long = `https://git.example/${"a".repeat(2029)}`;
  const table: readonly (readonly [string, string])[] = [
    ["https://git.example/a/b.git", "https://git.example/a/b.git"],
    [" HTTPS://Git.EXAMPLE:443/a/b.git/ ", "https://git.example/a/b.git"],
    ["http://git.example.:80/a/b.git#x", "http://git.example/a/b.git"],
    ["https://git.example/@user/a.git?x=@", "https://git.example/@user/a.git?x=@"],
    ["http://[2606:4700::1]:8080/a", "http://[2606:4700::1]:8080/a"],
    ["https://git.example", "https://git.example"],
    ["ssh://git@git.example/a.git", "scheme"],
    ["git://git.example/a.git", "scheme"],
    ["git@git.example:a.git", "scheme"],
    ["file:///etc/passwd", "scheme"],
    ["/srv/git/a.git", "scheme"],
    ["nostr://npub1/a", "scheme"],
    ["ext::sh -c id", "scheme"],
    ["ftp://git.example/a", "scheme"],
    ["git.example/a.git", "scheme"],
    ["https:git.example/a.git", "scheme"],
    ["https://user@git.example/a.git", "shape"],
    ["https://u:p@git.example/a.git", "shape"],
    ["https://@git.example/a.git", "shape"],
    ["https://git.example\\@evil.example/", "shape"],
    ["https://git.example/a\nb", "shape"],
    ["https://git.example/a b", "shape"],
    ["https://", "shape"],
    ["https://0x7f.1/a.git", "shape"],
    ["", "shape"],
    [long, "shape"],
    [long.slice(0, -1), long.slice(0, -1)],
  ];
  for (const [text, expected] of table) {
    const result = normaliseCloneUrl(text);
    assert.equal(result.ok ? result.url : result.reason, expected, JSON.stringify(text.slice(0, 80)));
  }
});

Deno.test("relays of an announcement: its relays, and the hosts of GRASP-shaped clone URLs only", () => {
  const relays = relayUrlsOf({
    relayUrls: ["wss://one.example/", "one.example", "ssh://no.example", "ws://two.example:8080"],
    cloneUrls: [
      `https://three.example/${NPUB}/repo.git`,
      `http://four.example:8080/${NPUB}/re%20po.git/`,
      `https://one.example/${NPUB}/repo.git`,
      "https://plain.example/user/repo.git",
      `ssh://five.example/${NPUB}/repo.git`,
      `https://six.example/prefix/${NPUB}/repo.git`,
    ],
  });
  assert.deepEqual(relays, [
    "wss://one.example",
    "ws://two.example:8080",
    "wss://three.example",
    "ws://four.example:8080",
  ]);
});

Deno.test("one announcement names at most 20 relays, those listed first", () => {
  const relayUrls = Array.from({ length: 500 }, (_, n) => `wss://r${n % 40}.example`);
  const relays = relayUrlsOf({ relayUrls, cloneUrls: [`https://late.example/${NPUB}/repo.git`] });
  assert.equal(relays.length, 20);
  assert.equal(relays.at(-1), "wss://r19.example");
});

Deno.test("the GRASP shape is /<npub>/<identifier>.git and nothing else", () => {
  for (const path of [`/${NPUB}/repo.git`, `/${NPUB}/re%3Apo.git/`, `/${NPUB}/a.git.git`]) {
    assert.ok(isGraspShaped(`https://git.example${path}`), path);
  }
  const others = [
    "/user/repo.git",
    `/${NPUB}/repo`,
    `/${NPUB}/.git`,
    `/${NPUB}/a/b.git`,
    `/x/${NPUB}/repo.git`,
    `/${NPUB.slice(0, -1)}q/repo.git`,
    `/${NPUB}/%2e%2e.git`,
    `/${NPUB}/a%2Fb.git`,
    `/${NPUB}/%zz.git`,
    "",
  ];
  for (const path of others) assert.ok(!isGraspShaped(`https://git.example${path}`), path);
  assert.ok(!isGraspShaped("no url"));
});

Deno.test("the host of a URL is its throttle key: lower case, without port, brackets and dot", () => {
  const table = [
    ["https://Git.Example.:8443/a@b:c", "git.example"],
    ["http://[2606:4700::1]:8080/", "2606:4700::1"],
    ["wss://bücher.example", "xn--bcher-kva.example"],
    ["no url", ""],
  ] as const;
  for (const [url, host] of table) assert.equal(hostOf(url), host, url);
});

Deno.test("S-23 P-77 our own authority in every spelling is ours; siblings and other ports are not", () => {
  const own = new OwnAddresses({
    domain: "grasp.io",
    aliases: ["alias.example:8443", "bücher.example"],
    bindAddresses: ["0.0.0.0:7334", "[2606:4700::1]:7334"],
  });
  const ours = [
    "wss://grasp.io",
    "ws://GRASP.io:80/",
    "ws://grasp.io:443",
    "wss://grasp.io:80",
    "https://grasp.io:443/npub1/x.git",
    "http://grasp.io./",
    "grasp.io",
    "https://user@grasp.io/",
    "wss://alias.example:8443",
    "https://alias.example:08443/x",
    "https://xn--bcher-kva.example/",
    "ws://127.0.0.1:7334",
    "ws://127.1:7334",
    "http://localhost:7334/x",
    "ws://[::1]:7334",
    "ws://[2606:4700:0::1]:7334",
  ];
  for (const url of ours) assert.ok(own.has(url), url);
  const others = [
    "wss://notgrasp.io",
    "wss://grasp.io.example",
    "wss://git.grasp.io",
    "wss://grasp.io:8443",
    "wss://alias.example",
    "ws://127.0.0.1:7335",
    "https://evil.example/?grasp.io",
    "https://grasp.io@evil.example/",
    "ssh://grasp.io/",
    "",
  ];
  for (const url of others) assert.ok(!own.has(url), url);
});
