import { ok, strictEqual } from "node:assert/strict";
import { authorityOf, listsService, normaliseDomain } from "../../lib/nostr/mod.ts";

const lists = (domain: string, clone: string, relay = `wss://${domain}`) =>
  listsService({ cloneUrls: [clone], relayUrls: [relay] }, normaliseDomain(domain)!);

Deno.test("R-27 IO-43 trailing slashes, scheme, case, default ports and user info do not change who is named", () => {
  for (
    const domain of [
      "git.example.com",
      "git.example.com/",
      "GIT.example.com",
      "git.example.com:443",
      "git.example.com.",
    ]
  ) {
    for (
      const clone of [
        "https://git.example.com/npub1x/y.git",
        "http://git.example.com:80/x.git/",
        "https://user@GIT.EXAMPLE.COM:443/",
        " https://git.example.com ",
        "git.example.com/x",
      ]
    ) ok(lists(domain, clone, "ws://git.example.com/"), `${domain} ${clone}`);
  }
  ok(lists("localhost:7334", "http://localhost:7334/a/b.git", "ws://localhost:7334"));
  ok(lists("[::1]:7334", "http://[::1]:7334/a/b.git", "ws://[::1]:7334"));
});

Deno.test("R-28 look-alike hosts, other ports and other schemes do not name us", () => {
  const others = [
    "https://not-git.example.com/x",
    "https://git.example.com.evil.net/x",
    "https://evil.net/?git.example.com",
    "https://evil.net/git.example.com",
    "https://git.example.com@evil.net/x",
    "https://git.example.com:8443/x",
    "ssh://git.example.com/x",
    "ftp://git.example.com/x",
    "nostr://git.example.com/x",
    "https://",
    "",
    "https://git.example.com\\@evil.net/",
  ];
  for (const clone of others) ok(!lists("git.example.com", clone), clone);
  ok(!lists("git.example.com", "https://git.example.com/x", "wss://evil.net"));
});

Deno.test("international names are compared in their ASCII form", () => {
  strictEqual(authorityOf("https://bücher.example/x", ["https"]), "xn--bcher-kva.example");
  strictEqual(normaliseDomain("bücher.example"), "xn--bcher-kva.example");
});
