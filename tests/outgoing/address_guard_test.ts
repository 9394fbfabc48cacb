import assert from "node:assert/strict";
import { addressProblem, nameProblem } from "../../lib/outgoing/address_guard.ts";
import { createNetwork, literalProblem } from "../../lib/outgoing/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { silentLog } from "../support/silent_log.ts";

const NONE: ReadonlySet<string> = new Set();

/** The forbidden IPv4 ranges by their first and last address, and the public neighbours. */
const FORBIDDEN_V4 = [
  ["0.0.0.0", "0.255.255.255"],
  ["10.0.0.0", "10.255.255.255"],
  ["100.64.0.0", "100.127.255.255"],
  ["127.0.0.0", "127.255.255.255"],
  ["169.254.0.0", "169.254.169.254"],
  ["172.16.0.0", "172.31.255.255"],
  ["192.0.0.0", "192.0.0.255"],
  ["192.0.2.0", "192.0.2.255"],
  ["192.168.0.0", "192.168.255.255"],
  ["198.18.0.0", "198.19.255.255"],
  ["198.51.100.0", "198.51.100.255"],
  ["203.0.113.0", "203.0.113.255"],
  ["224.0.0.0", "239.255.255.255"],
  ["240.0.0.0", "255.255.255.255"],
].flat();
const PUBLIC_V4 = [
  "1.0.0.0",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.0",
  "169.253.255.255",
  "169.255.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.0",
  "192.0.3.0",
  "192.167.255.255",
  "192.169.0.0",
  "198.17.255.255",
  "198.20.0.0",
  "203.0.114.0",
  "223.255.255.255",
];

const hex = (address: string) => {
  const [a, b, c, d] = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return [`${a}${b}`, `${c}${d}`] as const;
};
/** The ways an IPv6 address can carry an IPv4 one. */
const CARRIERS: Readonly<Record<string, (address: string) => string>> = {
  mapped: (address) => `::ffff:${address}`,
  "mapped in hex": (address) => `::ffff:${hex(address).join(":")}`,
  translated: (address) => `::ffff:0:${hex(address).join(":")}`,
  NAT64: (address) => `64:ff9b::${hex(address).join(":")}`,
  "6to4": (address) => `2002:${hex(address).join(":")}::1`,
  "Teredo server": (address) => `2001:0:${hex(address).join(":")}::fefe:fefe`,
  "Teredo client": (address) => {
    const inverted = hex(address).map((part) => (Number(`0x${part}`) ^ 0xffff).toString(16));
    return `2001:0:101:101:0:0:${inverted.join(":")}`;
  },
};

Deno.test("S-24 P-78 IPv4 ranges that are not public are forbidden to their borders, in every IPv6 form too", () => {
  for (const address of FORBIDDEN_V4) {
    assert.ok(addressProblem(address, NONE), address);
    for (const [name, carry] of Object.entries(CARRIERS)) {
      assert.ok(addressProblem(carry(address), NONE), `${address} ${name}`);
    }
  }
  for (const address of PUBLIC_V4) {
    assert.equal(addressProblem(address, NONE), undefined, address);
    for (const [name, carry] of Object.entries(CARRIERS)) {
      assert.equal(addressProblem(carry(address), NONE), undefined, `${address} ${name} ${carry(address)}`);
    }
  }
});

Deno.test("S-24 P-78 IPv6 addresses that are not public are forbidden", () => {
  const forbidden = [
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "100::1",
    "64:ff9b:1::1.1.1.1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "3fff::1",
    "4000::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "",
    "10.1",
    "0x7f.0.0.1",
    "name.example",
  ];
  for (const address of forbidden) assert.ok(addressProblem(address, NONE), address);
  for (const address of ["2000::1", "2606:4700::1111", "2001:4860:4860::8888", "3ffe::1"]) {
    assert.equal(addressProblem(address, NONE), undefined, address);
  }
});

Deno.test("S-24 an address of this machine is forbidden in every spelling", () => {
  const own = new Set(["93.184.215.14", "2606:4700::1"]);
  for (const address of ["93.184.215.14", "::ffff:93.184.215.14", "2606:4700:0:0::0001"]) {
    assert.equal(addressProblem(address, own), "an address of this machine");
  }
  assert.equal(addressProblem("93.184.215.15", own), undefined);
});

/** URL, whether it is refused, and whether it stays refused when private addresses are allowed. */
const URLS: readonly (readonly [string, boolean, boolean])[] = [
  ["https://git.example/x.git", false, false],
  ["http://git.example:80/x.git", false, false],
  ["wss://relay.example", false, false],
  ["ws://relay.example:1024", false, false],
  ["ws://relay.example:65535", false, false],
  ["ws://relay.example:443", false, false],
  ["https://1.1.1.1/", false, false],
  ["https://[2606:4700::1111]/", false, false],
  ["https://xn--bcher-kva.example/", false, false],
  ["https://bücher.example/", false, false],
  ["https://relay_1.example/", false, false],
  ["https://git.example:22/x.git", true, true],
  ["https://git.example:1023/x.git", true, true],
  ["https://git.example:0/x.git", true, true],
  ["ssh://git.example/x.git", true, true],
  ["git://git.example/x.git", true, true],
  ["file:///etc/passwd", true, true],
  ["ext::sh -c id", true, true],
  ["nostr://npub1/x", true, true],
  ["git@git.example:x.git", true, true],
  ["", true, true],
  ["https://", true, true],
  ["https://localhost/", true, false],
  ["https://LOCALHOST./", true, false],
  ["https://a.localhost/", true, false],
  ["https://printer.local/", true, false],
  ["https://db.internal/", true, false],
  ["https://intranet/", true, false],
  ["https://a..example/", true, false],
  ["https://127.0.0.1/", true, false],
  ["https://10.2.3.4/", true, false],
  ["https://169.254.169.254/", true, false],
  ["https://[::1]/", true, false],
  ["https://[::ffff:10.0.0.1]/", true, false],
  ["https://0x7f.1/", true, false],
  ["https://2130706433/", true, false],
  ["https://0177.0.0.1/", true, false],
  ["https://134744072/", true, false],
  ["https://8.8.2056/", true, false],
  ["https://user@8.8.2056:443/", true, false],
  [`https://${"a".repeat(64)}.example/`, true, false],
  [`https://${"a.".repeat(130)}example/`, true, false],
];

Deno.test("S-24 P-77 P-78 what the text of a URL tells about it", () => {
  for (const [url, isRefused, isRefusedAnyway] of URLS) {
    assert.equal(literalProblem(url, false) !== undefined, isRefused, `${url} ${literalProblem(url, false)}`);
    assert.equal(literalProblem(url, true) !== undefined, isRefusedAnyway, `${url} when private is allowed`);
  }
});

Deno.test("P-78 a host name git's HTTP client would not keep to its pinned address is none", async () => {
  const names = ["-x.example.com", "+x.example.com", "*.example.com", "a,b.example.com", "a;b.example.com"];
  for (const host of names) {
    assert.equal(nameProblem(host), "not a host name", host);
    for (const allowPrivate of [true, false]) {
      const network = createNetwork({
        allowPrivate,
        ownAddresses: [],
        clock: systemClock,
        userAgent: "test",
        log: silentLog,
        resolve: () => Promise.resolve(["8.8.8.8"]),
      });
      const limits = { signal: new AbortController().signal, timeoutMs: 1_000 };
      assert.equal((await network.pin(`http://${host}/r.git`, limits)).ok, false, host);
    }
  }
  for (const host of ["a-b.example.com", "_git.example.com", "xn--bcher-kva.example", "1a.2b.org"]) {
    assert.equal(nameProblem(host), undefined, host);
  }
});

Deno.test("P-78 an IPv6 form of an address of this machine is one too", () => {
  const own = new Set(["8.8.8.8"]);
  for (const address of ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]) {
    assert.equal(addressProblem(address, own), "an address of this machine", address);
    assert.equal(addressProblem(address, NONE), undefined, address);
  }
});
